package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// InsertContext carries the settings that make an insert durable before it is
// acknowledged, and stored rather than taken for a repeat. An error of such an
// insert means that its outcome is unknown: insert the same rows again.
func (s *Store) InsertContext(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(s.inserts))
}

// insertSettings chooses by version, because a server refuses settings that it does
// not know. Deduplication by token is off everywhere: the engine logs the token
// before the rows are on disk, and exactly once comes from the tables.
func insertSettings(major, minor uint64) clickhouse.Settings {
	set := clickhouse.Settings{"async_insert": 0, "insert_deduplicate": 0}
	if major > 26 || major == 26 && minor >= 2 {
		delete(set, "insert_deduplicate")
		set["deduplicate_insert"] = "disable"
	}
	return set
}

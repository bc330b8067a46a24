package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// InsertContext carries the settings that make an insert durable before it is
// acknowledged, and stored rather than taken for a repeat. An error of such an
// insert means that its outcome is unknown: insert the same rows again.
func (s *Store) InsertContext(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(s.inserts))
}

// insertSettings chooses by version, because a server refuses settings that it does
// not know. Deduplication by token is off everywhere: the engine logs the token
// before the rows are on disk, and exactly once comes from the tables. Merging the
// rows of a block among themselves while inserting costs more than half of the
// insert's time and is not needed: readers merge them. The months in one insert are not
// counted: the received times of a file that somebody made up must not keep it, and its
// neighbours, from ever being stored.
func insertSettings(major, minor uint64) clickhouse.Settings {
	set := clickhouse.Settings{"async_insert": 0, "insert_deduplicate": 0, "optimize_on_insert": 0,
		"max_partitions_per_insert_block": 0}
	if major > 26 || major == 26 && minor >= 2 {
		delete(set, "insert_deduplicate")
		set["deduplicate_insert"] = "disable"
	}
	return set
}

// AppendLists appends rows of an Array(String) column from one flat list: row i is
// flat[ends[i-1]:ends[i]]. Against appending a [][]string it saves the slices, an
// allocation per text and the driver's way through reflection.
func AppendLists(column driver.BatchColumn, flat []string, ends []uint32) error {
	pointers := make([]*string, len(flat))
	for i := range flat {
		pointers[i] = &flat[i]
	}
	from := uint32(0)
	for _, to := range ends {
		if err := column.AppendRow(pointers[from:to]); err != nil {
			return err
		}
		from = to
	}
	return nil
}

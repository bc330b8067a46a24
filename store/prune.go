package store

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// pruneRows is how many rows one mutation removes: their keys are constants in it.
const pruneRows = 4096

//go:embed prune.sql
var pruneSQL string

//go:embed prune_rows.sql
var pruneRowsSQL string

// pruneInstants removes messages without a serial that are past retention and are
// no longer anybody's current state. No table TTL can tell which those are, and a
// mutation of a replicated table takes no subquery: the keys are read first.
func (s *Store) pruneInstants(ctx context.Context) error {
	keep, err := s.Retention(ctx)
	if err != nil || keep == 0 {
		return err
	}
	before, removed := s.clock().Add(-keep), 0
	for {
		keys, err := s.oldInstants(ctx, before)
		if err != nil || len(keys) == 0 {
			return err
		}
		err = s.conn.Exec(ctx, "ALTER TABLE instant_states_data"+s.onCluster()+" "+pruneRowsSQL,
			TextArg("keys", "["+strings.Join(keys, ",")+"]"))
		if err != nil {
			return fmt.Errorf("remove %d old messages without a serial: %w", len(keys), err)
		}
		if removed += len(keys); len(keys) < s.pruneRows {
			s.log.Info("old messages without a serial removed", "rows", removed)
			return nil
		}
	}
}

// oldInstants are the keys of rows to remove, as the engine writes and reads them. A
// topic's id goes as hex digits, so that whatever is in it needs no quoting.
func (s *Store) oldInstants(ctx context.Context, before time.Time) (keys []string, err error) {
	err = s.each(ctx, pruneSQL, func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		keys = append(keys, key)
		return err
	}, TimeArg("before", before), TextArg("limit", fmt.Sprint(s.pruneRows)))
	if err != nil {
		return nil, fmt.Errorf("look for old messages without a serial: %w", err)
	}
	return keys, nil
}

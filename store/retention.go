package store

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// history are the tables that retention empties, and the time that decides. The
// current states, the clients and the serials that arrived are not among them.
var history = []struct{ table, column string }{
	{"state_messages", "received_time"},
	{"client_reports", "received_time"},
	{"set_aside_records", "received_time"},
	{"bad_files", "set_aside_time"},
	{"component_status", "time"},
	{"resync_checks", "time"},
}

// Retention is how long history is kept; zero keeps it for ever.
func (s *Store) Retention() time.Duration { return s.cfg.Retention }

// applyRetention gives the tables of history the configured life, where theirs
// differs.
func (s *Store) applyRetention(ctx context.Context) error {
	for _, h := range history {
		var have string
		row := s.conn.QueryRow(ctx, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
			namedArg("name", h.table))
		if err := row.Scan(&have); err != nil {
			return fmt.Errorf("read the definition of %s: %w", h.table, err)
		}
		change := retentionChange(have, h.column, s.cfg.Retention)
		if change == "" {
			continue
		}
		if err := s.conn.Exec(ctx, "ALTER TABLE "+h.table+s.onCluster()+" "+change); err != nil {
			return fmt.Errorf("set the retention of %s to %s: %w", h.table, s.cfg.Retention, err)
		}
		s.log.Info("retention changed", "table", h.table, "retention", s.cfg.Retention)
	}
	return nil
}

// retentionChange is the ALTER that leads from the definition to the retention;
// empty when there is nothing to do.
func retentionChange(definition, column string, keep time.Duration) string {
	if keep == 0 {
		if strings.Contains(definition, "\nTTL ") || strings.Contains(definition, " TTL ") {
			return "REMOVE TTL"
		}
		return ""
	}
	hours := int64(keep / time.Hour)
	days := fmt.Sprintf("toIntervalDay(%d)", hours/24)
	want := fmt.Sprintf("toIntervalHour(%d)", hours)
	if strings.Contains(definition, want) || hours%24 == 0 && strings.Contains(definition, days) {
		return ""
	}
	return fmt.Sprintf("MODIFY TTL toDateTime(%s) + INTERVAL %d HOUR DELETE", column, hours)
}

//go:embed prune.sql
var pruneCondition string

// pruneInstants removes messages without a serial that are past retention and are
// no longer anybody's current state. No table TTL can tell which those are.
func (s *Store) pruneInstants(ctx context.Context) error {
	if s.cfg.Retention == 0 {
		return nil
	}
	before := namedArg("before", s.clock().Add(-s.cfg.Retention).UTC().Format("2006-01-02 15:04:05.000000"))
	var old uint64
	if err := s.conn.QueryRow(ctx, "SELECT count() FROM instant_states_data WHERE "+pruneCondition, before).Scan(&old); err != nil {
		return fmt.Errorf("count old messages without a serial: %w", err)
	}
	if old == 0 {
		return nil
	}
	if err := s.conn.Exec(ctx, "ALTER TABLE instant_states_data"+s.onCluster()+" DELETE WHERE "+pruneCondition, before); err != nil {
		return fmt.Errorf("remove %d old messages without a serial: %w", old, err)
	}
	s.log.Info("old messages without a serial removed", "rows", old)
	return nil
}

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// steady are the tables that rows come into all day, a few at a time. What they cost
// is parts and merges: a part of a few rows is ten files, each a block of the disk and
// a sync, and merging writes rows again.
var steady = []string{
	"state_messages", "current_states_data", "instant_states_data", "completions_data", "client_reports",
	"client_stats_data", "clients_seen", "clients_named", "serial_ranges", "arrivals", "client_claims", "client_presence",
	"presence_history", "notification_servers", "tasks", "task_steps",
	"client_now", "client_names", "subject_now", "summary_progress", "store_marks", "component_status",
	"subject_seen", "client_scans", "subject_counts", "machine_now", "clients_waiting",
	"topic_history", "subject_days", "class_days", "subject_ttr",
}

// thrift are the settings that keep that small. Eight parts at least go into a merge,
// and sixteen like ones at best: the engine's own 5 counts every part below 5 MiB as
// alike. It also takes parts of less than a hundredth out of a merge that it chose, at
// its newer end, until two are left: a large part was then written again for each tiny
// one. A part of a few rows has eight files in place of eleven, and one more for its
// indexes in place of two each. The sources of a merge stay for ten seconds after it,
// looked at every ten: its result is synced before it is one, and they are not needed.
var thrift = []string{
	"auto_statistics_types = ''", // a file less
	"cleanup_delay_period = 10",
	"cleanup_delay_period_random_add = 0",
	"max_cleanup_delay_period = 10",
	"merge_selector_base = 16",
	"merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0",
	"min_parts_to_merge_at_once = 8",
	"old_parts_lifetime = 10",
	"packed_skip_index_max_bytes = 1048576", // one file for all indexes of a part
	// These three are a file less together.
	"ratio_of_defaults_for_sparse_serialization = 1",
	"serialization_info_version = 'basic'",
	"string_serialization_version = 'single_stream'",
	"write_marks_for_substreams_in_compact_parts = 0", // a file less
}

// tune gives the steady tables of the embedded engine these settings. Those of a server
// are its owner's, and older servers don't know them all.
func (s *Store) tune(ctx context.Context) error {
	if s.engine == nil && !s.shares {
		return nil
	}
	var lacking []string
	err := s.each(ctx, tablesSQL, func(scan func(...any) error) error {
		var name, definition string
		var mutated int64
		if err := scan(&name, &definition, &mutated); err != nil {
			return err
		}
		if slices.Contains(steady, name) &&
			slices.ContainsFunc(thrift, func(set string) bool { return !hasSetting(definition, set) }) {
			lacking = append(lacking, name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the settings of the store's tables: %w", err)
	}
	for _, name := range lacking {
		if err := s.conn.Exec(ctx, "ALTER TABLE "+name+" MODIFY SETTING "+strings.Join(thrift, ", ")); err != nil {
			return fmt.Errorf("set how %s is merged: %w", name, err)
		}
	}
	return nil
}

// hasSetting finds NAME = VALUE among the settings at the end of a table's definition; a comment may follow them.
func hasSetting(definition, set string) bool {
	return strings.HasSuffix(definition, set) || strings.Contains(definition, set+",") ||
		strings.Contains(definition, set+" COMMENT '")
}

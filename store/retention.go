package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// history are the tables that retention empties, and the time that decides. The
// current states, the clients and the serials that arrived are not among them.
var history = []struct{ table, column, end string }{
	{"state_messages", "received_time", "DELETE"},
	{"client_reports", "received_time", "DELETE"},
	{"set_aside_records", "received_time", "DELETE"},
	{"set_aside_ends", "received_time", "DELETE"},
	{"bad_files", "set_aside_time", "DELETE"},
	{"component_status", "time", "DELETE"},
	{"resync_checks", "time", "DELETE"},
	{"refused_reports", "refused_time", "DELETE"},
	{"topic_history", "received_time", foldHistory},
}

// foldHistory leaves of what is past its time the last message of each client on a topic: the state at every moment
// after it stays what it was.
const foldHistory = "GROUP BY topic_type, topic_id, client_id SET place = max(place), state_id = argMax(state_id, place), " +
	"received_time = argMax(received_time, place), earliest = argMax(earliest, place)"

// Retention is how long the store keeps history, zero for ever. It is what is in force
// there, whatever this process's configuration says.
func (s *Store) Retention(ctx context.Context) (time.Duration, error) {
	return s.life(ctx, "state_messages")
}

// life reads how long a table keeps its rows; zero is for ever.
func (s *Store) life(ctx context.Context, table string) (time.Duration, error) {
	var definition string
	row := s.conn.QueryRow(ctx,
		"SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
		TextArg("name", table))
	if err := row.Scan(&definition); err != nil {
		return 0, fmt.Errorf("read the definition of %s: %w", table, err)
	}
	keep, err := lifeIn(definition)
	if err != nil {
		return 0, fmt.Errorf("table %s: %w", table, err)
	}
	return keep, nil
}

var (
	anyTTL = regexp.MustCompile(`\sTTL\s`)
	ourTTL = regexp.MustCompile(`\sTTL toDateTime\(\w+\) \+ toInterval(Day|Hour)\((\d+)\)`)
)

// lifeIn finds the life in a table's definition.
func lifeIn(definition string) (time.Duration, error) {
	if !anyTTL.MatchString(definition) {
		return 0, nil
	}
	m := ourTTL.FindStringSubmatch(definition)
	if m == nil {
		return 0, fmt.Errorf("its TTL is none that store.retention has made; change it back")
	}
	n, err := strconv.ParseInt(m[2], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("its TTL: %w", err)
	}
	if m[1] == "Day" {
		n *= 24
	}
	return time.Duration(n) * time.Hour, nil
}

// shortens says whether rows live less long with another life.
func shortens(have, want time.Duration) bool { return want != 0 && (have == 0 || want < have) }

// applyRetention gives the tables of history their life, where theirs differs. What it
// changes is the definition: rows that are there keep the end that they were stored
// with until materializeRetention.
func (s *Store) applyRetention(ctx context.Context, keep time.Duration) error {
	for _, h := range history {
		have, err := s.life(ctx, h.table)
		if errors.Is(err, sql.ErrNoRows) {
			continue // of a step that comes later
		}
		if err != nil {
			return err
		}
		if have == keep {
			continue
		}
		if err := s.setLife(ctx, h.table, h.column, h.end, keep); err != nil {
			return err
		}
	}
	return nil
}

// setLife changes the definition of a table to another life of its rows, and what becomes of them at its end.
func (s *Store) setLife(ctx context.Context, table, column, end string, keep time.Duration) error {
	change := "REMOVE TTL"
	if keep != 0 {
		change = fmt.Sprintf("MODIFY TTL toDateTime(%s) + INTERVAL %d HOUR %s SETTINGS materialize_ttl_after_modify = 0",
			column, keep/time.Hour, end)
	}
	if err := s.conn.Exec(ctx, "ALTER TABLE "+table+s.onCluster()+" "+change); err != nil {
		return fmt.Errorf("set the retention of %s to %s: %w", table, inDays(keep), err)
	}
	return nil
}

// KeepPresence is how long times at which clients were connected are kept once they are over; zero keeps them for ever.
// It is in force at once: they are no part of what a client reported, and store.retention leaves them alone.
func (s *Store) KeepPresence(ctx context.Context, keep time.Duration) error {
	return s.keepFor(ctx, "presence_history", "to_time", keep)
}

// KeepTasks is the same for the steps of tasks, from the time after which a task begins nowhere. Totals stay.
func (s *Store) KeepTasks(ctx context.Context, keep time.Duration) error {
	return s.keepFor(ctx, "task_steps", "not_after", keep)
}

// keepFor gives a table that has a life of its own another one, in force at once.
func (s *Store) keepFor(ctx context.Context, table, column string, keep time.Duration) error {
	keep = keep.Truncate(time.Hour) // as its definition says it
	have, err := s.life(ctx, table)
	if err != nil || have == keep {
		return err
	}
	s.log.Info("retention changed", "table", table, "from", inDays(have), "to", inDays(keep))
	if err := s.setLife(ctx, table, column, "DELETE", keep); err != nil || keep == 0 {
		return err
	}
	err = s.conn.Exec(ctx, "ALTER TABLE "+table+s.onCluster()+" MATERIALIZE TTL SETTINGS mutations_sync = 0")
	if err != nil {
		return fmt.Errorf("apply the retention to the rows of %s: %w", table, err)
	}
	return nil
}

// materializeRetention has the engine give the rows that are there their new end, and
// drop those that are past it. It does so in the background, and goes on after a
// restart. Without it the old end would hold: a part whose rows were all due goes as a
// whole, whatever the definition says by then.
func (s *Store) materializeRetention(ctx context.Context) error {
	for _, h := range history {
		if err := s.conn.Exec(ctx, "ALTER TABLE "+h.table+s.onCluster()+
			" MATERIALIZE TTL SETTINGS mutations_sync = 0"); err != nil {
			return fmt.Errorf("apply the retention to the rows of %s: %w", h.table, err)
		}
	}
	return nil
}

// beyond counts the rows of history that are older than a retention.
func (s *Store) beyond(ctx context.Context, keep time.Duration) (rows uint64, err error) {
	before := TimeArg("before", s.clock().Add(-keep))
	for _, h := range history {
		if h.end != "DELETE" {
			continue
		}
		var n uint64
		if err := s.conn.QueryRow(ctx, "SELECT count() FROM "+h.table+" WHERE "+h.column+" < {before:DateTime64(6, 'UTC')}",
			before).Scan(&n); err != nil {
			return 0, fmt.Errorf("count the rows of %s beyond %s: %w", h.table, inDays(keep), err)
		}
		rows += n
	}
	return rows, nil
}

// inDays writes a retention for a person.
func inDays(keep time.Duration) string {
	switch {
	case keep == 0:
		return "for ever"
	case keep%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", keep/(24*time.Hour))
	}
	return fmt.Sprintf("%dh", keep/time.Hour)
}

package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A shorter retention that came by mistake, from a wrong file or a slip, can be taken
// back for this long.
const shorterWaits = 24 * time.Hour

// historyInterval is how often the retention is looked at.
const historyInterval = time.Hour

// KeepHistory follows store.retention until ctx is done: a longer one at once, a shorter
// one a day after it was first seen, or at once when atOnce says so. It also drops the
// messages without a serial that are past it. Only the process that holds the ingest role
// runs it. An error is a log line, and is tried again within the hour.
func (s *Store) KeepHistory(ctx context.Context, atOnce bool) error {
	tick := time.NewTicker(historyInterval)
	defer tick.Stop()
	for {
		if err := s.historyStep(ctx, atOnce); err != nil && ctx.Err() == nil {
			s.log.Error("the retention was not applied; it is tried again", "in", historyInterval, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Store) historyStep(ctx context.Context, atOnce bool) error {
	return errors.Join(s.followRetention(ctx, atOnce), s.pruneInstants(ctx))
}

// followRetention puts the configured retention in force when it is time to.
func (s *Store) followRetention(ctx context.Context, atOnce bool) error {
	keep := s.cfg.Retention
	longest, differs, err := s.lives(ctx, keep)
	if err != nil {
		return err
	}
	shorter := differs && shortens(longest, keep)
	note, err := s.noteRetention(ctx, keep, !differs)
	if err != nil || note.inForce && !differs {
		return err
	}
	if !shorter {
		s.log.Info("retention changed", "from", inDays(longest), "to", inDays(keep))
		return s.enforceRetention(ctx, note)
	}
	rows, err := s.beyond(ctx, keep)
	if err != nil {
		return err
	}
	if due := note.time.Add(shorterWaits); !atOnce && s.clock().Before(due) {
		if note.fresh {
			s.log.Warn("a shorter retention waits for a day; `statewire serve --retention-now` does not wait",
				"from", inDays(longest), "to", inDays(keep), "rows_to_drop", rows, "takes_effect", due.UTC())
		}
		return nil
	}
	s.log.Warn("retention shortened: older history is dropped", "from", inDays(longest), "to", inDays(keep), "rows", rows)
	return s.enforceRetention(ctx, note)
}

// lives is the longest life of the tables of history, and whether any is another one
// than keep.
func (s *Store) lives(ctx context.Context, keep time.Duration) (longest time.Duration, differs bool, err error) {
	for i, h := range history {
		have, err := s.life(ctx, h.table)
		if err != nil {
			return 0, false, err
		}
		if i == 0 || shortens(have, longest) {
			longest = have
		}
		differs = differs || have != keep
	}
	return longest, differs, nil
}

// enforceRetention ends with the note that it is in force. What was cut short before is
// done again.
func (s *Store) enforceRetention(ctx context.Context, seen note) error {
	if err := s.applyRetention(ctx, seen.keep); err != nil {
		return err
	}
	if seen.keep != 0 {
		if err := s.materializeRetention(ctx); err != nil {
			return err
		}
	}
	return s.writeNote(ctx, note{time: s.after(seen.time), keep: seen.keep, inForce: true})
}

// note is when a retention was first seen, or put in force.
type note struct {
	time    time.Time
	keep    time.Duration
	inForce bool
	fresh   bool // it was made just now
}

// noteRetention is the note of the retention, which is made when the last one is of
// another.
func (s *Store) noteRetention(ctx context.Context, keep time.Duration, inForce bool) (note, error) {
	last := note{keep: -1}
	var hours uint32
	var notes uint64
	row := s.conn.QueryRow(ctx,
		"SELECT count(), max(noted_time), argMax(hours, noted_time), argMax(in_force, noted_time) FROM retention_notes")
	if err := row.Scan(&notes, &last.time, &hours, &last.inForce); err != nil {
		return last, fmt.Errorf("read when the retention was first seen: %w", err)
	}
	if last.keep = time.Duration(hours) * time.Hour; notes > 0 && last.keep == keep {
		return last, nil
	}
	made := note{time: s.after(last.time), keep: keep, inForce: inForce && notes == 0, fresh: true}
	return made, s.writeNote(ctx, made)
}

// after is the time of a note that follows another one, also where the clock was set
// back.
func (s *Store) after(last time.Time) time.Time {
	now := s.clock().Truncate(time.Microsecond)
	if !now.After(last) {
		return last.Add(time.Microsecond)
	}
	return now
}

func (s *Store) writeNote(ctx context.Context, n note) error {
	err := s.conn.Exec(s.InsertContext(ctx),
		"INSERT INTO retention_notes (noted_time, hours, in_force) VALUES (fromUnixTimestamp64Micro({time:Int64}, 'UTC'), "+
			"{hours:UInt32}, {force:Bool})",
		TextArg("time", strconv.FormatInt(n.time.UnixMicro(), 10)), TextArg("hours",
			strconv.FormatInt(int64(n.keep/time.Hour), 10)),
		TextArg("force", strconv.FormatBool(n.inForce)))
	if err != nil {
		return fmt.Errorf("note the retention: %w", err)
	}
	return nil
}

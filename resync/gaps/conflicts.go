package gaps

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/store"
)

// Signs of a serial counter that went back.
const (
	conflictReused          = "reused"           // different messages under one serial
	conflictBelowCompletion = "below_completion" // a message below a completion that arrived before it
	conflictBelowRetention  = "below_retention"  // a message below serials whose messages were dropped
)

//go:embed sql/conflicts_worth.sql
var worthSQL string

//go:embed sql/conflicts_reused.sql
var reusedSQL string

//go:embed sql/conflicts_below_completion.sql
var belowCompletionSQL string

//go:embed sql/conflicts_open.sql
var openConflictsSQL string

// conflictSearch looks for conflicts among the messages of clients whose serials did not simply continue: every kind of
// them is a serial that came a second time, or below others. One that was found before is left alone; a later message
// under the same serial is another one.
type conflictSearch struct {
	*Finder
	opt                        Options
	settled                    time.Time // what was loaded before is stored wholly
	drops                      bool      // whether there is a retention
	keptFrom                   any       // when it begins
	messages, completions, old bool      // whether there are any
	rows                       conflictRows
}

func (f *Finder) newConflictSearch(ctx context.Context, opt Options, watermark time.Time) (conflictSearch, error) {
	keep, err := f.store.Retention(ctx)
	if err != nil {
		return conflictSearch{}, err
	}
	s := conflictSearch{Finder: f, opt: opt, settled: watermark.Add(-f.margin), drops: keep != 0,
		keptFrom: store.TimeArg("kept_from", opt.At.Add(-keep)),
		rows:     conflictRows{store: f.store, at: opt.At, dry: opt.DryRun}}
	row := f.store.Conn().QueryRow(ctx, worthSQL, f.since(opt), s.keptFrom)
	return s, row.Scan(&s.messages, &s.completions, &s.old)
}

// search stores the conflicts of some clients among the messages loaded since the last check.
func (s *conflictSearch) search(ctx context.Context, clients []any) error {
	args := append(clients, s.since(s.opt), store.FlagArg("everywhere", s.opt.Since.IsZero()), s.keptFrom)
	if s.messages {
		if err := s.collect(ctx, conflictReused, reusedSQL, args...); err != nil {
			return err
		}
	}
	if s.completions {
		if err := s.collect(ctx, conflictBelowCompletion, belowCompletionSQL, args...); err != nil {
			return err
		}
	}
	if s.messages && s.old && s.drops {
		if err := s.searchBelowRetention(ctx, args...); err != nil {
			return fmt.Errorf("kind %s: %w", conflictBelowRetention, err)
		}
	}
	return s.rows.flush(ctx)
}

// countConflicts counts those that are open by what is stored.
func (f *Finder) countConflicts(ctx context.Context, out *Found) error {
	return f.store.Conn().QueryRow(ctx, openConflictsSQL).Scan(&out.Conflicts)
}

// collect adds a query's conflicts to the rows.
func (s *conflictSearch) collect(ctx context.Context, kind, sql string, args ...any) error {
	rows, err := s.store.Conn().Query(listed(ctx), sql, args...)
	if err != nil {
		return fmt.Errorf("kind %s: %w", kind, err)
	}
	defer rows.Close()
	for rows.Next() {
		var client uuid.UUID
		var serial uint64
		var received time.Time
		if err := rows.Scan(&client, &serial, &received); err != nil {
			return fmt.Errorf("kind %s: %w", kind, err)
		}
		if err := s.rows.add(ctx, client, serial, kind, received); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("kind %s: %w", kind, err)
	}
	return nil
}

// conflictRows are rows of serial_conflicts on their way.
type conflictRows struct {
	// Constant.
	store *store.Store
	at    time.Time
	dry   bool

	found    uint64
	clients  []uuid.UUID
	serials  []uint64
	kinds    []string
	received []time.Time
	detected []time.Time
}

func (r *conflictRows) add(ctx context.Context, client uuid.UUID, serial uint64, kind string,
	received time.Time) error {
	r.found++
	r.clients, r.serials, r.kinds = append(r.clients, client), append(r.serials, serial), append(r.kinds, kind)
	r.received, r.detected = append(r.received, received), append(r.detected, r.at)
	if len(r.clients) < rowsPerInsert {
		return nil
	}
	return r.flush(ctx)
}

// flush stores the rows. Without writing they stay: whom they make a check ask is decided by them.
func (r *conflictRows) flush(ctx context.Context) error {
	if r.dry {
		return nil
	}
	const sql = `INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time)`
	if err := r.store.Insert(ctx, sql, r.clients, r.serials, r.kinds, r.received, r.detected); err != nil {
		return err
	}
	r.clients, r.serials, r.kinds, r.received, r.detected = r.clients[:0], r.serials[:0], r.kinds[:0], r.received[:0],
		r.detected[:0]
	return nil
}

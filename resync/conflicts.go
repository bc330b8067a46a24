package resync

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

// findConflicts stores the conflicts among messages loaded since the last check. One that was found before is left alone; a
// later message under the same serial is another one.
func (f *finder) findConflicts(ctx context.Context, opt findOptions, out *found) error {
	changed, err := f.count(ctx, f.since(opt))
	if err != nil {
		return err
	}
	search := conflictSearch{opt: opt, settled: out.Watermark.Add(-f.margin), keptFrom: timeArg("kept_from", opt.At.Add(-f.store.Retention()))}
	row := f.store.Conn().QueryRow(ctx, worthSQL, f.since(opt), search.keptFrom)
	if err := row.Scan(&search.messages, &search.completions, &search.old); err != nil {
		return err
	}
	slices, err := f.slices(ctx, changed)
	if err != nil {
		return err
	}
	rows := conflictRows{store: f.store, at: opt.At, dry: opt.DryRun}
	for _, s := range slices {
		if err := f.searchSlice(ctx, s, &search, &rows); err != nil {
			return err
		}
	}
	if err := rows.flush(ctx); err != nil {
		return err
	}
	out.NewConflicts = rows.found
	if err := f.store.Conn().QueryRow(ctx, openConflictsSQL).Scan(&out.Conflicts); err != nil {
		return err
	}
	if opt.DryRun {
		out.Conflicts += rows.found
	}
	return nil
}

// conflictSearch says what to look for.
type conflictSearch struct {
	opt                        findOptions
	settled                    time.Time // what was loaded before is stored wholly
	keptFrom                   any       // when the retention begins
	messages, completions, old bool      // whether there are any
}

func (f *finder) searchSlice(ctx context.Context, s slice, search *conflictSearch, rows *conflictRows) error {
	args := []any{uuidArg("from", s.from), uuidArg("to", s.to), f.since(search.opt), flagArg("everywhere", search.opt.Since.IsZero()), search.keptFrom}
	if search.messages {
		if err := f.collect(ctx, rows, conflictReused, reusedSQL, args...); err != nil {
			return err
		}
	}
	if search.completions {
		if err := f.collect(ctx, rows, conflictBelowCompletion, belowCompletionSQL, args...); err != nil {
			return err
		}
	}
	if !search.messages || !search.old || f.store.Retention() == 0 {
		return nil
	}
	if err := f.searchBelowRetention(ctx, search, rows, args...); err != nil {
		return fmt.Errorf("kind %s: %w", conflictBelowRetention, err)
	}
	return nil
}

// collect adds a query's conflicts to rows.
func (f *finder) collect(ctx context.Context, to *conflictRows, kind, sql string, args ...any) error {
	rows, err := f.store.Conn().Query(ctx, sql, args...)
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
		if err := to.add(ctx, client, serial, kind, received); err != nil {
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

func (r *conflictRows) add(ctx context.Context, client uuid.UUID, serial uint64, kind string, received time.Time) error {
	r.found++
	if r.dry {
		return nil
	}
	r.clients, r.serials, r.kinds = append(r.clients, client), append(r.serials, serial), append(r.kinds, kind)
	r.received, r.detected = append(r.received, received), append(r.detected, r.at)
	if len(r.clients) < rowsPerInsert {
		return nil
	}
	return r.flush(ctx)
}

func (r *conflictRows) flush(ctx context.Context) error {
	const sql = `INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time)`
	if err := r.store.Insert(ctx, sql, r.clients, r.serials, r.kinds, r.received, r.detected); err != nil {
		return err
	}
	r.clients, r.serials, r.kinds, r.received, r.detected = r.clients[:0], r.serials[:0], r.kinds[:0], r.received[:0], r.detected[:0]
	return nil
}

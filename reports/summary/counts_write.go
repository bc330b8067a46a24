package summary

import (
	"context"
	"fmt"
	"time"
)

// stored reads the rows as they stand, and the greatest version.
func (c *counts) stored(ctx context.Context) (rows map[subjectKey]countsRow, version uint64, err error) {
	return c.rows(ctx, "counts_stored")
}

func (c *counts) rows(ctx context.Context, name string, args ...any) (rows map[subjectKey]countsRow, version uint64,
	err error) {
	rows = map[subjectKey]countsRow{}
	err = c.s.each(ctx, name, args, func(scan func(...any) error) error {
		var r countsRow
		err := scan(&r.kind, &r.id, &r.topic, &r.counted, &r.good, &r.bad, &r.pending, &r.restart, &r.failed, &r.naSaid,
			&r.naImplied, &r.saidUnknown, &r.notKnown, &r.other, &r.beyond, &r.outside, &r.staleAll, &r.scope, &r.seen,
			&r.newest, &r.oldestBad, &r.deleted, &version)
		if r.deleted == 0 {
			rows[r.key()] = r
		}
		return err
	})
	return rows, version, err
}

// countsWriter writes rows that differ from those that are stored: of now, or of the end of a day.
type countsWriter struct {
	s       *Summarizer
	day     time.Time // zero: now
	stored  map[subjectKey]countsRow
	version uint64
	written int
}

// remove marks the rows of subjects that are no more, or of another kind.
func (w *countsWriter) remove(ctx context.Context, subjects []subject) error {
	have := make(map[subjectKey]bool, len(subjects))
	for _, s := range subjects {
		have[s.key()] = true
	}
	var gone []countsRow
	for key, row := range w.stored {
		if !have[key] {
			row.deleted = 1
			gone = append(gone, row)
		}
	}
	return w.write(ctx, gone)
}

// columnsOfCounts are those of subject_counts; subject_days has one more before them, the day.
const columnsOfCounts = `kind, topic_id, topic_type, counted, good, bad, pending, restart, failed, na_said, na_implied,
	said_unknown, not_known, other, outside, outside_spoke, stale, scope_clients, first_seen, newest, oldest_bad, deleted,
	version)`

// write stores rows, in one block.
func (w *countsWriter) write(ctx context.Context, rows []countsRow) error {
	text := "INSERT INTO subject_counts ("
	if !w.day.IsZero() {
		text = "INSERT INTO subject_days (day, "
	}
	batch, err := w.s.deps.Store.Conn().PrepareBatch(w.s.deps.Store.InsertContext(ctx), text+columnsOfCounts)
	if err != nil {
		return fmt.Errorf("write counts: %w", err)
	}
	defer batch.Close()
	n := 0
	for _, r := range rows {
		if before, has := w.stored[r.key()]; has && r.sameAs(before) {
			continue
		}
		var oldest *time.Time
		if r.oldestBad != 0 {
			at := time.UnixMilli(r.oldestBad).UTC()
			oldest = &at
		}
		n++
		values := []any{r.kind, r.id, r.topic, r.counted, r.good, r.bad, r.pending, r.restart, r.failed, r.naSaid,
			r.naImplied, r.saidUnknown, r.notKnown, r.other, r.beyond, r.outside, r.staleAll, r.scope,
			time.UnixMicro(r.seen).UTC(), time.UnixMilli(r.newest).UTC(), oldest, r.deleted, w.version}
		if !w.day.IsZero() {
			values = append([]any{w.day}, values...)
		}
		if err := batch.Append(values...); err != nil {
			return fmt.Errorf("write the counts of %s %.80q: %w", r.kind, r.id, err)
		}
	}
	if n == 0 {
		return nil
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write %d counts: %w", n, err)
	}
	w.written += n
	return nil
}

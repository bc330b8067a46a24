package reports

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// record is one row by column name.
type record map[string]any

// snapshots keeps the dashboard's answers for a moment: however many people watch, each question is asked
// once per interval, and a slow one less often.
type snapshots struct {
	// Constant after newSnapshots.
	ask  func(ctx context.Context, name string, params map[string]string) ([]record, error)
	now  func() time.Time
	keep time.Duration

	// Guarded by mu.
	mu   sync.Mutex
	byID map[string]*snapshot
}

// snapshot is one question's latest answer.
type snapshot struct {
	// Guarded by mu; held while the question is asked, so that others wait for the same answer.
	mu   sync.Mutex
	at   time.Time
	took time.Duration
	rows []record
	err  error
}

// slowness is how many times its own duration an answer is kept: a question never takes more than a tenth of the engine's time.
const slowness = 10

// fresh says whether the latest answer still serves. An error is no answer to a slow question: it is kept as briefly as a quick one.
func (s *snapshot) fresh(now time.Time, keep time.Duration) bool {
	if s.err == nil {
		keep = max(keep, slowness*s.took)
	}
	age := now.Sub(s.at)
	return !s.at.IsZero() && age >= 0 && age < keep
}

func newSnapshots(runner *Runner, keep time.Duration) *snapshots {
	return &snapshots{ask: runner.snapshot, now: runner.now, keep: keep, byID: map[string]*snapshot{}}
}

// get answers a report's question, from memory when that is recent enough. Its callers ask a small fixed set.
func (s *snapshots) get(ctx context.Context, name string, params map[string]string) ([]record, error) {
	id := name
	for _, key := range slices.Sorted(maps.Keys(params)) {
		id += "\x00" + key + "\x00" + params[key]
	}
	s.mu.Lock()
	snap := s.byID[id]
	if snap == nil {
		snap = &snapshot{}
		s.byID[id] = snap
	}
	s.mu.Unlock()
	snap.mu.Lock()
	defer snap.mu.Unlock()
	began := s.now()
	if snap.fresh(began, s.keep) {
		return snap.rows, snap.err
	}
	// The answer belongs to all who wait: the first one's leaving must not end it.
	snap.rows, snap.err = s.ask(context.WithoutCancel(ctx), name, params)
	snap.at = s.now()
	snap.took = snap.at.Sub(began)
	return snap.rows, snap.err
}

// snapshotRows bounds what the dashboard keeps of one report.
const snapshotRows = 2000

// snapshot asks a report's question.
func (r *Runner) snapshot(ctx context.Context, name string, params map[string]string) ([]record, error) {
	rows, err := r.Run(ctx, name, params, Page{Limit: snapshotRows})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []record
	for row := rows.Next(); row != nil; row = rows.Next() {
		rec := make(record, len(row))
		for i, c := range rows.Columns {
			rec[c.Name] = row[i]
		}
		out = append(out, rec)
	}
	return out, rows.Err()
}

// text is for people's eyes, raw for addresses.
func (r record) text(column string) string { return terminalSafe(textOf(r[column])) }
func (r record) raw(column string) string  { return textOf(r[column]) }
func (r record) count(column string) int   { return intOf(r[column]) }

package console

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"statewire/reports"
)

// snapshots keeps the dashboard's answers for a moment: however many people watch, each question is asked
// once per interval, and a slow one less often.
type snapshots struct {
	// Constant after newSnapshots.
	ask  question
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
	rows []reports.Record
	err  error
}

// slowness is how many times its own duration an answer is kept: a question never takes more than a tenth of the
// engine's time.
const slowness = 10

// fresh says whether the latest answer still serves. An error is no answer to a slow question: it is kept as briefly
// as a quick one.
func (s *snapshot) fresh(now time.Time, keep time.Duration) bool {
	if s.err == nil {
		keep = max(keep, slowness*s.took)
	}
	age := now.Sub(s.at)
	return !s.at.IsZero() && age >= 0 && age < keep
}

// question is what answers by name.
type question func(ctx context.Context, name string, params map[string]string) ([]reports.Record, error)

func newSnapshots(runner *reports.Runner, now func() time.Time, keep time.Duration) *snapshots {
	first := func(ctx context.Context, name string, params map[string]string) ([]reports.Record, error) {
		return runner.Records(ctx, name, params, reports.Page{Limit: snapshotRows})
	}
	return keepAnswers(first, now, keep)
}

// keepAnswers keeps answers of any kind.
func keepAnswers(ask question, now func() time.Time, keep time.Duration) *snapshots {
	return &snapshots{ask: ask, now: now, keep: keep, byID: map[string]*snapshot{}}
}

// get answers a report's question, from memory when that is recent enough. Its callers ask a small fixed set.
func (s *snapshots) get(ctx context.Context, name string, params map[string]string) ([]reports.Record, error) {
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

package console

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// A slow answer is kept for ten times its duration: the engine has other work, too. An error that came as slowly is
// kept as briefly as a quick answer, and so is the next one: what ended is not shown for minutes.
func TestAnErrorIsKeptAsBrieflyAsAnAnswer(t *testing.T) {
	const keep = 5 * time.Second
	broken := errors.New("timed out")
	for _, tt := range []struct {
		name string
		took time.Duration
		err  error
		kept time.Duration
	}{
		{"a quick answer", 10 * time.Millisecond, nil, keep},
		{"a slow answer", 30 * time.Second, nil, 300 * time.Second},
		{"a quick error", 10 * time.Millisecond, broken, keep},
		{"a slow error", 30 * time.Second, broken, keep},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				ask := func(context.Context, string, map[string]string) ([]reports.Record, error) {
					asked++
					time.Sleep(tt.took)
					return []reports.Record{{"n": uint64(asked)}}, tt.err
				}
				s := &snapshots{ask: ask, now: time.Now, keep: keep, byID: map[string]*snapshot{}}
				get := func(want int) {
					t.Helper()
					rows, err := s.get(t.Context(), "clients", nil)
					if !errors.Is(err, tt.err) || asked != want || rows[0].Count("n") != want {
						t.Errorf("asked %d times and answered %v, %v; want %d times and %v", asked, rows, err, want, tt.err)
					}
				}
				get(1)
				time.Sleep(tt.kept - time.Millisecond)
				get(1)
				time.Sleep(time.Millisecond)
				get(2)
			})
		})
	}
}

// TestASlowQuestionIsAskedLessOften has a question that takes a second by a clock that goes on with every look at it.
func TestASlowQuestionIsAskedLessOften(t *testing.T) {
	s, now := reportstest.NewSite(t), time.Now()
	s.Checked(hour)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	kept := newSnapshots(s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Now = clock }), clock, time.Second)
	asked := func() int {
		rows, err := kept.get(t.Context(), "gap-checks", nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	first := asked()
	began := now
	s.Checked(2 * hour)
	for now.Sub(began) < (slowness-1)*time.Second {
		if n := asked(); n != first {
			t.Fatalf("asked again after %v", now.Sub(began))
		}
	}
	now = now.Add(slowness * time.Hour)
	if n := asked(); n != first+1 {
		t.Errorf("%d rows long after, want %d", n, first+1)
	}
}

func TestManyViewersAskEachQuestionOnce(t *testing.T) {
	s := reportstest.NewSeed(t)
	conn := &reportstest.Counting{Conn: s.Store.ReadOnly()}
	snaps := newSnapshots(s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Conn = conn }), time.Now, time.Minute)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if rows, err := snaps.get(t.Context(), "freshness", nil); err != nil || len(rows) != 5 {
				t.Errorf("%v %v", rows, err)
			}
		})
	}
	all.Wait()
	if n := conn.Queries.Load(); n != 1 {
		t.Errorf("%d queries", n)
	}
}

func TestAnAnswerGrowsOldAndASlowOneIsKeptLonger(t *testing.T) {
	s := reportstest.NewSeed(t)
	now, step := time.Now(), time.Duration(0)
	conn := &reportstest.Counting{Conn: s.Store.ReadOnly()}
	clock := func() time.Time { now = now.Add(step); return now }
	snaps := newSnapshots(s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Conn, d.Now = conn, clock }), clock,
		10*time.Second)
	ask := func(want int64) {
		t.Helper()
		if _, err := snaps.get(t.Context(), "freshness", nil); err != nil || conn.Queries.Load() != want {
			t.Errorf("%d queries, want %d: %v", conn.Queries.Load(), want, err)
		}
	}
	ask(1)
	now = now.Add(9 * time.Second)
	ask(1)
	now = now.Add(2 * time.Second)
	step = time.Second // each look at the clock takes a second: the question takes a few
	ask(2)
	step = 0
	now = now.Add(19 * time.Second)
	ask(2)
	now = now.Add(time.Minute)
	ask(3)
}

package reports

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A slow answer is kept for ten times its duration: the engine has other work, too. An error that came as slowly is kept as briefly
// as a quick answer, and so is the next one: what ended is not shown for minutes.
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
				ask := func(context.Context, string, map[string]string) ([]record, error) {
					asked++
					time.Sleep(tt.took)
					return []record{{"n": uint64(asked)}}, tt.err
				}
				s := &snapshots{ask: ask, now: time.Now, keep: keep, byID: map[string]*snapshot{}}
				get := func(want int) {
					t.Helper()
					rows, err := s.get(t.Context(), "clients", nil)
					if !errors.Is(err, tt.err) || asked != want || rows[0].count("n") != want {
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

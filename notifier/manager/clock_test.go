package manager

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A clock that is corrected is followed. One that somebody sets by years is not, either way, until it is right again.
func TestAClockThatIsSetByYearsIsNotFollowed(t *testing.T) {
	var log bytes.Buffer
	wall, passed := today, time.Hour
	clock := newClock(func() time.Time { return wall }, func() time.Duration { return passed },
		slog.New(slog.NewTextHandler(&log, nil)))
	for _, tc := range []struct {
		by, pass time.Duration
		follows  bool
	}{
		{0, 0, true}, {0, time.Minute, true}, {5 * time.Minute, time.Minute, true}, {-time.Hour, 0, true},
		{-24 * time.Hour, time.Minute, true}, {24 * time.Hour, time.Minute, true}, {24*time.Hour + time.Second, 0, false},
		{365 * 24 * time.Hour, time.Hour, false}, {-10 * 365 * 24 * time.Hour, time.Hour, false}, {0, time.Minute, true},
	} {
		passed += tc.pass
		steady := today.Add(passed - time.Hour)
		wall = steady.Add(tc.by)
		want := steady
		if tc.follows {
			want = wall
		}
		if got := clock(); !got.Equal(want) {
			t.Errorf("set by %v it is %v, want %v", tc.by, got, want)
		}
	}
	if n := strings.Count(log.String(), "clock was set"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
}

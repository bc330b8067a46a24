package reports

import (
	"testing"
	"time"
)

// TestFiguresLagWhenFilesWaitLongerThanALook counts no file that nobody will load.
func TestFiguresLagWhenFilesWaitLongerThanALook(t *testing.T) {
	for _, c := range []struct {
		boxes []Box
		files int
		stale bool
	}{
		{[]Box{{Name: "normal", Files: 1, Oldest: StaleAfter}}, 1, false},
		{[]Box{{Name: "normal", Files: 1, Oldest: StaleAfter + 1}}, 1, true},
		{[]Box{{Name: "low", Files: 2, Oldest: time.Hour}, {Name: "process", Files: 1}}, 3, true},
		{[]Box{{Name: "corrupt", Files: 9, Oldest: time.Hour}, {Name: "high", Files: 1}}, 1, false},
	} {
		var f Freshness
		if f.AddBacklog(c.boxes); *f.WaitingFiles != c.files || f.Stale != c.stale {
			t.Errorf("%v: %d files wait, stale %v; want %d, %v", c.boxes, *f.WaitingFiles, f.Stale, c.files, c.stale)
		}
	}
}

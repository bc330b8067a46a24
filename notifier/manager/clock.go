package manager

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// mostJump is by how much the machine's clock may be set while the manager runs. A correction is less; with one of
// years every open task would be over, and clients that heard the time signed would refuse tasks for as long.
const mostJump = 24 * time.Hour

// newClock is the time of a manager that starts now: the machine's clock, or, where somebody set that by more than a
// day, the time at the start and what has passed since.
func newClock(wall func() time.Time, passed func() time.Duration, log *slog.Logger) func() time.Time {
	began, from := wall().Round(0), passed()
	var told atomic.Bool
	return func() time.Time {
		now, steady := wall(), began.Add(passed()-from)
		jump := now.Round(0).Sub(steady)
		if jump.Abs() <= mostJump {
			told.Store(false)
			return now
		}
		if told.CompareAndSwap(false, true) {
			log.Error("this machine's clock was set by more than a day; tasks and presence go by the time before. If the clock "+
				"is right now, start the process with the ingest role anew", "by", jump)
		}
		return steady
	}
}

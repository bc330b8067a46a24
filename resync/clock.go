package resync

import (
	"time"
)

// trustedPause is how long a site may have been down before its stored times are doubted.
const trustedPause = 7 * 24 * time.Hour

// futureTolerance is how far ahead the last check may lie: two machines' clocks differ, and a clock is set back by
// seconds.
const futureTolerance = time.Minute

// timeline measures how long ago stored times were. Wall clocks are set, and machines start with a wrong one: a
// timeline begins anew when the last check lies in the future or long ago. Then nothing has been missing for longer
// than since that moment, and the time that a client has to answer goes on where it stood at the last check.
//
// The zero timeline is the plain clock.
type timeline struct {
	epoch  time.Time // when this timeline began; zero: the clock was never doubted
	before time.Time // the last check of the timeline before it
	began  time.Time // when this process started; a time in the future counts as this when there is no epoch
}

// follow is the timeline of a process that started at began and whose site was last checked at checked.
func (l timeline) follow(checked, began time.Time) timeline {
	l.began = began
	if checked.IsZero() || !checked.After(began.Add(futureTolerance)) && began.Sub(checked) <= trustedPause {
		return l
	}
	return timeline{epoch: began, before: checked, began: began}
}

// start is what a time that cannot be trusted counts as.
func (l timeline) start() time.Time {
	if l.epoch.IsZero() {
		return l.began
	}
	return l.epoch
}

// doubtful says whether t is of another timeline.
func (l timeline) doubtful(t, now time.Time) bool {
	return l != timeline{} && (t.Before(l.epoch) || t.After(now))
}

// missingFor is how long something detected at t has been missing.
func (l timeline) missingFor(t, now time.Time) time.Duration {
	if l.doubtful(t, now) {
		t = l.start()
	}
	return now.Sub(t)
}

// askedFor is how long ago a resync was issued at t.
func (l timeline) askedFor(t, now time.Time) time.Duration {
	if !l.doubtful(t, now) {
		return now.Sub(t)
	}
	return max(l.before.Sub(t), 0) + now.Sub(l.start())
}

// issuedSince is a time before every issue that askedFor measures as less than d.
func (l timeline) issuedSince(now time.Time, d time.Duration) time.Time {
	since := now.Add(-d)
	if old := l.before.Add(-d); !l.epoch.IsZero() && old.Before(since) {
		return old
	}
	return since
}

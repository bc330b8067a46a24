package agent

import "time"

// due is when a running client next sends and polls by itself, in steady time; 0 before it runs.
type due struct{ send, poll time.Duration }

// schedule sets a timer, or makes it, and notes for the status when it is due.
func (a *Agent) schedule(at *time.Duration, timer *time.Timer, wait time.Duration) *time.Timer {
	a.mu.Lock()
	defer a.mu.Unlock()
	*at = a.clock.Steady() + wait
	if timer == nil {
		return time.NewTimer(wait)
	}
	timer.Reset(wait)
	return timer
}

// nextContact is the wall time at which the client next asks the relay; zero when that is now, or when it does not run.
// A send without anything to send asks nothing. The caller holds mu.
func (a *Agent) nextContact(unsent bool) time.Time {
	at := a.due.poll
	if unsent {
		at = min(at, a.due.send)
	}
	left := at - a.clock.Steady()
	if left <= 0 {
		return time.Time{}
	}
	return a.clock.Wall().Add(left)
}

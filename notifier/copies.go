package notifier

import (
	"time"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

const (
	// takeoversAllowed within takeoverWindow come from a machine that was restarted; the next one comes from a copy.
	takeoversAllowed = 2
	takeoverWindow   = 10 * time.Minute
	// copyRest is how long a machine that has another's identity is told to stay away, at least, and copyRestSpread how
	// much longer at most.
	copyRest       = 15 * time.Minute
	copyRestSpread = 5 * time.Minute
	// copiesKept is how long a client counts as several machines after one of them took the session of another.
	copiesKept = time.Hour
	// bootsKept bounds the machines that are remembered.
	bootsKept = 16
)

// copies are the machines that sign in as one client: two runs of the agent that take the session from each other,
// again and again, are no machine that was restarted. The newest stays and the others are told to stay away.
type copies struct {
	takeovers []time.Duration // of the last window
	until     time.Duration   // several machines, until then; 0: one
	away      map[string]time.Duration
}

// takeover notes that one run took the session of another. The answer is how long the elder is to stay away; 0: it is
// told nothing.
func (c *copies) takeover(elder, newer string, now time.Duration) time.Duration {
	recent := c.takeovers[:0]
	for _, at := range c.takeovers {
		if now-at < takeoverWindow {
			recent = append(recent, at)
		}
	}
	c.takeovers = append(recent, now)
	if !c.found(now) && len(c.takeovers) <= takeoversAllowed {
		return 0
	}
	c.takeovers = c.takeovers[:0]
	c.until = now + copiesKept
	if c.away == nil {
		c.away = map[string]time.Duration{}
	}
	delete(c.away, newer)
	c.forget(now)
	c.away[elder] = now + copyRest
	return backoff.Jitter(copyRest, copyRestSpread)
}

// forget makes room for another machine.
func (c *copies) forget(now time.Duration) {
	first, when := "", time.Duration(0)
	for boot, until := range c.away {
		if until <= now {
			delete(c.away, boot)
		} else if first == "" || until < when {
			first, when = boot, until
		}
	}
	if len(c.away) >= bootsKept {
		delete(c.away, first)
	}
}

// found says whether several machines sign in as the client.
func (c *copies) found(now time.Duration) bool { return c != nil && now < c.until }

// toldOff is how long a machine is to stay away still; 0: it may come.
func (c *copies) toldOff(boot string, now time.Duration) time.Duration {
	if c == nil {
		return 0
	}
	return max(0, c.away[boot]-now)
}

func duplicateClose(after time.Duration) *wire.CloseMessage {
	return &wire.CloseMessage{Code: wire.CloseDuplicate, RetryAfter: after.Round(time.Second) + time.Second,
		Text: "several machines sign in with this client's identity; one of them was copied: enrol it anew"}
}

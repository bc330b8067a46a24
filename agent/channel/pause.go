package channel

import (
	"errors"
	"math/rand/v2"
	"time"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

const (
	firstPause = time.Second
	longPause  = 5 * time.Minute
	// lasting is how long a connection has to last for what failed before to be forgotten: one that is taken and dropped
	// again at once is no better than none.
	lasting = time.Minute
	// sharedFor is how long one has to last for the client to be alone with its identity again.
	sharedFor = time.Hour
	// mostPatience is what a server may ask for.
	mostPatience = time.Hour

	sharedPause  = 15 * time.Minute // at least, when another machine has the same identity
	sharedSpread = 5 * time.Minute
	refusedPause = time.Hour // when the site wants nothing of this client
	firstReturn  = 5 * time.Minute
	lastReturn   = time.Hour
)

// end is how a connection ended, or why there is none.
type end struct {
	err   error // nil: we wanted it
	moved bool  // the client is assigned elsewhere
}

// next is why the client signs in the next time.
func (e end) next() string {
	if e.moved {
		return wire.ReasonReassigned
	}
	return wire.ReasonReconnect
}

// asked tells whether the server asked to be left alone, or will say the same again.
func (e end) asked() bool {
	m := told(e.err)
	return m != nil && (m.RetryAfter > 0 || m.Code == wire.CloseDuplicate || final(m.Code))
}

// final tells whether the site has nothing to say to this client, and will not soon.
func final(code wire.CloseCode) bool { return code == wire.CloseRevoked || code == wire.CloseNotYours }

// closed is what a server's last word on a connection comes to.
type closed struct {
	wire.CloseMessage
	words string // the relay's, in place of those that the code stands for
}

// told is a server's last word, nil when it said none.
func told(err error) *wire.CloseMessage {
	var c *closed
	if errors.As(err, &c) {
		return &c.CloseMessage
	}
	return nil
}

// pause is the time before the next attempt: at random between nothing and 1 second, doubling to 5 minutes; what the
// server asked for, and then a spread; and long where it would only say the same again.
func (c *Channel) pause(e end) time.Duration {
	if e.err == nil {
		return 0
	}
	full := min(firstPause<<min(c.failures, 20), longPause)
	c.failures++
	m := told(e.err)
	if m == nil {
		return rand.N(full)
	}
	after := min(m.RetryAfter, mostPatience)
	c.shared = c.shared || m.Code == wire.CloseDuplicate
	switch {
	case m.Code == wire.CloseDuplicate, m.Code == wire.CloseReplaced && c.shared:
		if after >= sharedPause { // drawn at random by the server
			return after
		}
		return backoff.Jitter(sharedPause, sharedSpread)
	case final(m.Code):
		return backoff.Jitter(refusedPause, refusedPause/4)
	case after > 0:
		return backoff.Jitter(after, max(after/4, full))
	}
	return rand.N(full)
}

// returnAfter is the time to the next attempt at TCP of a client that is connected over HTTP: 5, 10, 20, 40, 60
// minutes, a fifth more or less.
func returnAfter(failures int) time.Duration {
	wait := min(firstReturn<<min(failures, 10), lastReturn)
	return backoff.Jitter(wait*8/10, wait*4/10)
}

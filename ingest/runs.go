package ingest

import (
	"slices"

	"statewire/internal/serials"
	"statewire/smx"
)

// runsPerClient bounds what is remembered of one client whose serials come with many gaps.
const runsPerClient = 64

// runs is which serials of every client may have been seen. Most clients are one run of 16 bytes, without a pointer.
type runs struct {
	top   map[smx.ClientID]serials.Run   // the greatest run of each client
	below map[smx.ClientID][]serials.Run // the others of those that have gaps, ascending
}

func newRuns() runs {
	return runs{top: map[smx.ClientID]serials.Run{}, below: map[smx.ClientID][]serials.Run{}}
}

// startAt says that any serial of a client up to last may have been seen.
func (r runs) startAt(client smx.ClientID, last uint64) {
	r.top[client] = serials.Run{First: 0, Last: last}
}

// of takes out what is known of a client; keep puts it back.
func (r runs) of(client smx.ClientID) clientRuns {
	return clientRuns{top: r.top[client], below: r.below[client]}
}

func (r runs) keep(client smx.ClientID, c clientRuns) {
	r.top[client] = c.top
	if len(c.below) > 0 {
		r.below[client] = c.below
	} else {
		delete(r.below, client)
	}
}

// clientRuns is the runs of one client. Serial 0, which is none, counts as seen.
type clientRuns struct {
	top   serials.Run
	below []serials.Run
}

// add notes a serial; false when it may have been seen before.
func (c *clientRuns) add(serial uint64) bool {
	switch {
	case serial == c.top.Last+1:
		c.top.Last = serial
	case serial > c.top.Last:
		c.below = append(c.below, c.top)
		c.top = serials.Run{First: serial, Last: serial}
		c.trim()
	case serial >= c.top.First:
		return false
	default:
		return c.addBelow(serial)
	}
	return true
}

// addBelow notes a serial that lies below the top run.
func (c *clientRuns) addBelow(serial uint64) bool {
	at, _ := slices.BinarySearchFunc(c.below, serial, func(r serials.Run, serial uint64) int {
		if r.Last < serial {
			return -1
		}
		return 1
	}) // the first run that ends at the serial or above it
	if at < len(c.below) && c.below[at].First <= serial {
		return false
	}
	c.below = slices.Insert(c.below, at, serials.Run{First: serial, Last: serial})
	if at > 0 && c.below[at-1].Last+1 == serial {
		c.below[at-1].Last = serial
		c.below = slices.Delete(c.below, at, at+1)
		at--
	}
	c.joinAbove(at)
	c.trim()
	return true
}

// joinAbove joins a run with the next when nothing lies between them.
func (c *clientRuns) joinAbove(at int) {
	next := &c.top
	if at+1 < len(c.below) {
		next = &c.below[at+1]
	}
	if c.below[at].Last+1 == next.First {
		next.First = c.below[at].First
		c.below = slices.Delete(c.below, at, at+1)
	}
}

// trim forgets the lowest gap of a client that has too many: what lies in it has to be looked up.
func (c *clientRuns) trim() {
	if len(c.below) >= runsPerClient {
		c.below[1].First = c.below[0].First
		c.below = slices.Delete(c.below, 0, 1)
	}
}

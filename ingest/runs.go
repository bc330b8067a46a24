package ingest

import (
	"iter"
	"slices"

	"statewire/smx"
)

// runsPerClient bounds what is remembered of one client whose serials come with many gaps.
const runsPerClient = 64

// runs is which serials of every client may have been seen. Most clients are one run of 16 bytes, without a pointer.
type runs struct {
	top   map[smx.ClientID]run   // the greatest run of each client
	below map[smx.ClientID][]run // the others of those that have gaps, ascending
}

// run is serials without a gap, first and last included.
type run struct{ first, last uint64 }

// runsOf goes over the runs of sorted serials, leaving out 0. A serial that repeats begins a run of its own: the store counts on
// seeing it twice.
func runsOf(serials []uint64) iter.Seq[run] {
	return func(yield func(run) bool) {
		for i := 0; i < len(serials); {
			at := run{serials[i], serials[i]}
			for i++; i < len(serials) && serials[i] == at.last+1; i++ {
				at.last = serials[i]
			}
			if at.first = max(at.first, 1); at.last > 0 && !yield(at) {
				return
			}
		}
	}
}

func newRuns() runs {
	return runs{top: map[smx.ClientID]run{}, below: map[smx.ClientID][]run{}}
}

// startAt says that any serial of a client up to last may have been seen.
func (r runs) startAt(client smx.ClientID, last uint64) { r.top[client] = run{0, last} }

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
	top   run
	below []run
}

// add notes a serial; false when it may have been seen before.
func (c *clientRuns) add(serial uint64) bool {
	switch {
	case serial == c.top.last+1:
		c.top.last = serial
	case serial > c.top.last:
		c.below = append(c.below, c.top)
		c.top = run{serial, serial}
		c.trim()
	case serial >= c.top.first:
		return false
	default:
		return c.addBelow(serial)
	}
	return true
}

// addBelow notes a serial that lies below the top run.
func (c *clientRuns) addBelow(serial uint64) bool {
	at, _ := slices.BinarySearchFunc(c.below, serial, func(r run, serial uint64) int {
		if r.last < serial {
			return -1
		}
		return 1
	}) // the first run that ends at the serial or above it
	if at < len(c.below) && c.below[at].first <= serial {
		return false
	}
	c.below = slices.Insert(c.below, at, run{serial, serial})
	if at > 0 && c.below[at-1].last+1 == serial {
		c.below[at-1].last = serial
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
	if c.below[at].last+1 == next.first {
		next.first = c.below[at].first
		c.below = slices.Delete(c.below, at, at+1)
	}
}

// trim forgets the lowest gap of a client that has too many: what lies in it has to be looked up.
func (c *clientRuns) trim() {
	if len(c.below) >= runsPerClient {
		c.below[1].first = c.below[0].first
		c.below = slices.Delete(c.below, 0, 1)
	}
}

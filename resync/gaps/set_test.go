package gaps

import (
	"fmt"
	"slices"

	"statewire/internal/serials"
)

// modelJump is small, so that serials that jump are as frequent as others.
const modelJump = 9

// topSerial is small, so that a trivial set can stand for what arrived.
const topSerial = 40

// modelClient is what a set knows of a client.
type modelClient struct {
	arrived     map[uint64]bool
	setAside    map[uint64]bool      // arrived, and may come again once it is mended
	messages    map[modelMessage]int // first arrival, in seconds of the test
	completions []modelCompletion
	claimed     uint64
	baseline    uint64 // the accepted serial plus one
	accepted    int
	open        []openRange // as of the last check
	conflicts   map[modelConflict]bool
}

type modelMessage struct{ serial, hash uint64 }

type modelCompletion struct {
	floor    uint64
	received int
}

type modelConflict struct {
	serial   uint64
	kind     string
	received int
}

func (c *modelClient) floor() uint64 {
	floor := max(c.baseline, 1)
	for _, done := range c.completions {
		floor = max(floor, done.floor)
	}
	return floor
}

// missing counts serials one by one.
func (c *modelClient) missing() (out []serials.Run) {
	top := c.claimed
	for s := range c.arrived {
		top = max(top, s)
	}
	for s := c.floor(); s <= top; s++ {
		switch {
		case c.arrived[s]:
		case len(out) > 0 && out[len(out)-1].Last == s-1:
			out[len(out)-1].Last = s
		default:
			out = append(out, run(s, s))
		}
	}
	return out
}

// late counts the serials of open ranges that arrived, but for those below the floor.
func (c *modelClient) late() (n uint64) {
	for s := c.floor(); s <= topSerial; s++ {
		if c.arrived[s] && slices.ContainsFunc(c.open, func(o openRange) bool { return o.First <= s && s <= o.Last }) {
			n++
		}
	}
	return n
}

// check is a gap check at a time: a range keeps the earliest detection of the open serials in it.
func (c *modelClient) check(at int64) {
	var open []openRange
	for _, m := range c.missing() {
		o, known := openRange{Run: m, detected: at}, false
		for _, old := range c.open {
			for s := old.First; s <= old.Last; s++ {
				if s >= m.First && s <= m.Last && (!known || old.detected < o.detected) {
					o.detected, known = old.detected, true
				}
			}
		}
		open = append(open, o)
	}
	for i, o := range open {
		above := o.Last // what a claim says to be missing ends with the claim
		for s := range c.arrived {
			if s > o.Last {
				above = o.Last + 1
			}
		}
		open[i].jump = above-(o.First-1) > modelJump
	}
	c.open = open
	c.findConflicts()
}

func (c *modelClient) findConflicts() {
	last := modelCompletion{}
	for _, done := range c.completions {
		if done.floor > last.floor || done.floor == last.floor && done.received < last.received {
			last = done
		}
	}
	versions, latest := map[uint64]int{}, map[uint64]int{}
	for m, received := range c.messages {
		versions[m.serial]++
		latest[m.serial] = max(latest[m.serial], received)
		if m.serial < last.floor && received > last.received && !c.setAside[m.serial] {
			c.conflicts[modelConflict{m.serial, conflictBelowCompletion, received}] = true
		}
	}
	for s, n := range versions {
		if n > 1 {
			c.conflicts[modelConflict{s, conflictReused, latest[s]}] = true
		}
	}
}

// openConflicts are those later than every completion and baseline, by serial and kind.
func (c *modelClient) openConflicts() map[string]bool {
	settled := c.accepted
	for _, done := range c.completions {
		settled = max(settled, done.received)
	}
	out := map[string]bool{}
	for k := range c.conflicts {
		if k.received > settled {
			out[fmt.Sprint(k.serial, " ", k.kind)] = true
		}
	}
	return out
}

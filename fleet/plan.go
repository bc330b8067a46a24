package fleet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// trickleStretch is planned at a time once the patch day is over.
const trickleStretch = 6 * time.Hour

// event is one state that a simulated client will raise.
type event struct {
	at     time.Duration // since the patch day began; negative before it
	topic  *topicRef
	state  uint32
	params []string // shared, never changed
}

// leftover is an update that the patch day did not bring to an end.
type leftover struct {
	update  *update
	restart bool // installed, waits for a restart; else failing
}

// planner writes one client's future. Its chances come from the client's own source, so a client's plan depends on the
// seed and its index alone.
type planner struct {
	catalog *catalog
	machine *machine
	rand    *rand.Rand

	pilot     bool
	silentAt  time.Duration // nothing happens from here on; 0 = never
	planned   time.Duration // up to here
	events    []event       // to come, by time
	open      []leftover
	rolledOut bool // this month's deployment was evaluated
}

func (p *planner) emit(at time.Duration, topic *topicRef, state uint32, params ...string) {
	p.events = append(p.events, event{at, topic, state, params})
}

// next is the time of the next event, false when nothing will ever happen.
func (p *planner) next() (time.Duration, bool) {
	for len(p.events) == 0 || p.events[0].at >= p.planned {
		if p.silentAt > 0 && p.planned >= p.silentAt {
			return 0, false
		}
		p.planOn()
	}
	return p.events[0].at, true
}

// planOn plans the patch day first and then one stretch of everyday life after the other.
func (p *planner) planOn() {
	if p.planned == 0 {
		p.patchDay()
		p.planned = simulatedDay
	} else {
		p.everyday(p.planned)
		p.planned += trickleStretch
	}
	if p.silentAt > 0 {
		p.events = slices.DeleteFunc(p.events, func(e event) bool { return e.at >= p.silentAt })
	}
	slices.SortStableFunc(p.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
}

// take removes and returns what happens up to a time.
func (p *planner) take(until time.Duration) []event {
	n := 0
	for n < len(p.events) && p.events[n].at <= until {
		n++
	}
	taken := p.events[:n:n]
	p.events = p.events[n:]
	if len(p.events) == 0 {
		p.events = nil
	}
	return taken
}

// between is a time in [from, to).
func (p *planner) between(from, to time.Duration) time.Duration {
	return from + time.Duration(p.rand.Int64N(int64(to-from)))
}

// taking is how long something takes here, over this site's line.
func (p *planner) taking(from, to time.Duration) time.Duration {
	return time.Duration(float64(p.between(from, to)) * p.machine.slow)
}

// chance is true in percent of the cases.
func (p *planner) chance(percent float64) bool { return p.rand.Float64()*100 < percent }

// deployment is the client's assignment of this month or of one some months ago.
func (p *planner) deployment(ago int) *deployment {
	for i := range p.catalog.deployments {
		d := &p.catalog.deployments[i]
		if d.ago == ago && d.on&p.machine.on != 0 && d.pilot == (p.pilot && ago == 0) {
			return d
		}
	}
	return nil
}

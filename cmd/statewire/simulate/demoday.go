package simulate

import (
	"sync/atomic"
	"time"

	"statewire/cmd/statewire/client"
)

// warmUp is how long a demo says that its figures are those of the first reports: its past is loaded and counted by
// then.
const warmUp = time.Minute

// Parts of a demo's day.
const (
	warmingUp int32 = iota
	onPatchDay
	dayOver
)

// progressOfDay is how far a demo's day has come, for whoever looks at its pages.
type progressOfDay struct{ part atomic.Int32 }

// set goes on to a later part, never back: a day may be shorter than the warming up.
func (p *progressOfDay) set(part int32) {
	for now := p.part.Load(); now < part && !p.part.CompareAndSwap(now, part); now = p.part.Load() {
	}
}

// notice stands on top of every page.
func (p *progressOfDay) notice() string {
	const what = "A demo: its clients are simulated, except for this machine, "
	switch p.part.Load() {
	case warmingUp:
		return what + client.HostName() + ". It is warming up: the first reports come in."
	case dayOver:
		return what + client.HostName() + ". The day is over: from now on little happens."
	}
	return what + client.HostName() + ". Their patch day goes on, and the figures move."
}

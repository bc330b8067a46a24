package fleet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"statewire/agent/cache"
	"statewire/smx"
)

// faultKind is what happens to a client itself, where faults happen to its reports.
type faultKind uint8

const (
	imaged       faultKind = iota // somebody takes an image of the machine, which is none in itself
	reinstalled                   // the store is lost
	restored                      // the store is the image's again
	clockJumped                   // the wall clock is years off from here on
	serialJumped                  // the counter of serials jumps, as when its file is damaged
	lied                          // somebody polls in the client's name and claims a serial near the end of all
)

// fault happens once, at a simulated time.
type fault struct {
	kind faultKind
	at   time.Duration
	by   time.Duration // of clockJumped
}

// planFaults decides what happens to a client between two simulated times. It depends on the seed, the client and the
// time alone.
func (f *Fleet) planFaults(index int, from, to time.Duration) []fault {
	if to-from < time.Hour {
		return nil // a round that only settles
	}
	r := rand.New(rand.NewPCG(f.cfg.Seed^0x5105^uint64(from), uint64(index)))
	in := func(least, most float64) time.Duration {
		return from + time.Duration((least+r.Float64()*(most-least))*float64(to-from))
	}
	var all []fault
	if r.Float64() < f.cfg.Reinstall {
		all = append(all, fault{kind: reinstalled, at: in(0.3, 0.8)})
	}
	if r.Float64() < f.cfg.Restore {
		all = append(all, fault{kind: imaged, at: in(0.2, 0.4)}, fault{kind: restored, at: in(0.6, 0.8)})
	}
	if r.Float64() < f.cfg.ClockJump {
		years := 1 + r.IntN(15)
		if r.IntN(2) == 0 {
			years = -years
		}
		all = append(all, fault{kind: clockJumped, at: in(0.1, 0.9), by: time.Duration(years) * 365 * simulatedDay})
	}
	slices.SortFunc(all, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
	return all
}

// misnumber lets the counters of the first clients to which nothing else happens jump, and others be claimed for, as
// many as the configuration says.
func (f *Fleet) misnumber() {
	if f.clock.end()-f.clock.from < time.Hour {
		return
	}
	at := f.clock.from + (f.clock.end()-f.clock.from)/3
	kinds := slices.Concat(slices.Repeat([]faultKind{serialJumped}, f.cfg.SerialJumps),
		slices.Repeat([]faultKind{lied}, f.cfg.FalseClaims))
	for _, c := range f.clients {
		if len(kinds) > 0 && len(c.faults) == 0 && c.silentFor == 0 && c.planner.silentAt == 0 {
			c.faults, kinds = []fault{{kind: kinds[0], at: at}}, kinds[1:]
		}
	}
}

const (
	jumpedSerial  = 1_000_000_000_000_000 // what a counter jumps to
	claimedSerial = smx.MaxSerial - 2     // what is claimed in a client's name
)

// suffer lets a fault happen.
func (c *simulated) suffer(happened fault) (err error) {
	counts := &c.fleet.counts
	switch happened.kind {
	case imaged:
		c.image, err = c.store.Image()
		return err
	case clockJumped:
		counts.clockJumps.Add(1)
		c.clockOff += happened.by
		return nil
	case serialJumped:
		counts.serialJumps.Add(1)
		return c.store.Continue(jumpedSerial)
	case lied:
		c.claimedFor = true
		return nil
	case restored:
		counts.restored.Add(1)
		return c.restart(c.image)
	default:
		counts.reinstalled.Add(1)
		if err := c.restart(nil); err != nil {
			return err
		}
		return c.raise(c.freshWords(happened.at))
	}
}

// restart starts the client's agent over an image of its store; nil is a new installation.
func (c *simulated) restart(image cache.Image) error {
	c.image = nil
	if err := c.store.Restore(image); err != nil {
		return err
	}
	if c.channel != nil {
		c.channel.Reconnect("the machine was set back")
	}
	return c.start()
}

// freshWords is what a reinstalled client finds out about its machine. It knows nothing of what lies behind: what it
// once said of earlier months' updates and deployments stays with the site alone.
func (c *simulated) freshWords(at time.Duration) []event {
	fresh := planner{catalog: c.planner.catalog, machine: &c.machine,
		rand: rand.New(rand.NewPCG(c.fleet.cfg.Seed, uint64(at)))}
	fresh.firstWords(at)
	fresh.lately(at + 5*minute)
	return fresh.events
}

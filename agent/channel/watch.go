package channel

import (
	"context"
	"net"
	"slices"
	"time"
)

const (
	watchInterval = 5 * time.Second
	// slept is how much further than the clock that stops in sleep another one has to be: less is a clock that was set
	// right.
	slept = 20 * time.Second
)

// Machine is what of a machine tells that connections may be dead. The zero one is this machine.
type Machine struct {
	Steady    func() time.Duration // stands still while the machine sleeps, on most systems
	Wall      func() time.Time
	Boot      func() time.Duration // goes on while the machine sleeps; 0 where no clock does
	Addresses func() []string      // of its interfaces; nil when they are not known
}

func (m Machine) orThis() Machine {
	began := time.Now()
	if m.Steady == nil {
		m.Steady = func() time.Duration { return time.Since(began) }
	}
	if m.Wall == nil {
		m.Wall = func() time.Time { return time.Now().Round(0) }
	}
	if m.Boot == nil {
		m.Boot = bootTime
	}
	if m.Addresses == nil {
		m.Addresses = localAddresses
	}
	return m
}

// moment is what a machine's clocks and interfaces say at one time.
type moment struct {
	steady, boot time.Duration
	wall         time.Time
	addresses    []string
}

func (m Machine) moment() moment { return moment{m.Steady(), m.Boot(), m.Wall(), m.Addresses()} }

// Watch calls changed with the reason when the machine has slept, or its addresses are others, until ctx ends.
func Watch(ctx context.Context, m Machine, changed func(reason string)) {
	m = m.orThis()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for was := m.moment(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		is := m.moment()
		if reason := is.since(was); reason != "" {
			changed(reason)
		}
		if is.addresses == nil {
			is.addresses = was.addresses
		}
		was = is
	}
}

// since says what has happened between two looks; empty when nothing has. Where the steady clock goes on in sleep, a
// look comes late. A wall clock that was put forward looks like sleep: then a ping too many is sent.
func (m moment) since(was moment) string {
	steady := m.steady - was.steady
	switch {
	case m.boot-was.boot > steady+slept, m.wall.Sub(was.wall) > steady+slept, steady > watchInterval+slept:
		return "the machine slept"
	case m.addresses != nil && was.addresses != nil && !slices.Equal(m.addresses, was.addresses):
		return "the machine's addresses changed"
	}
	return ""
}

// localAddresses are those by which others reach this machine, in order.
func localAddresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	addresses := []string{}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			addresses = append(addresses, ip.IP.String())
		}
	}
	slices.Sort(addresses)
	return addresses
}

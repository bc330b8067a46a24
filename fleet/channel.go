package fleet

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/agent/channel"
)

// connectPace is by how much each client widens the time in which a fleet connects: 200 handshakes in a second.
const connectPace = 5 * time.Millisecond

// presence is how many clients of a fleet are connected.
type presence struct{ tcp, http int }

// equip gives a client its fast channel and what carries out its tasks, if it has a certificate or is to get one. They
// live in real time, as policy polls do.
func (c *simulated) equip() (err error) {
	f := c.fleet
	if !f.cfg.Channel || c.own == nil || c.silentFor > 0 {
		return nil
	}
	if c.runner, err = c.newRunner(); err != nil {
		return err
	}
	base := f.cfg.TLS
	if base == nil {
		base = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	c.channel = channel.New(channel.Deps{
		Client: uuid.UUID(c.machine.id.Client), Version: c.machine.id.ClientVersion, Boot: uuid.NewString(),
		Sessions: c.store, Enrolled: c.own.Enrolled, Addresses: c.addresses, Wake: c.wake, Tasks: c.runner,
		Log: f.clientLog, Quiet: true,
		TLS:           func(host string) *tls.Config { return c.own.TLS(base, host) },
		StartupJitter: connectPace * time.Duration(f.cfg.Clients),
	})
	c.own.OnChange(func() { c.channel.Reconnect("the client has another certificate") })
	return nil
}

// addresses are where the client's site is. A simulated client stays with its relay, wherever a policy assigns it.
func (c *simulated) addresses() channel.Addresses {
	cfg := &c.fleet.cfg
	at := channel.Addresses{Relay: cfg.Relay, Known: cfg.PolicyInterval == 0}
	if current := c.current.Load(); current != nil {
		wants := current.Assignment()
		at.Known = at.Known || wants.Known
		at.Notifier, _ = channel.Notifier(cmp.Or(wants.Notifier, cfg.Notifier), at.Relay) // the relay's address was checked
	}
	return at
}

// connect runs the clients' channels until the function is called that it returns.
func (f *Fleet) connect(ctx context.Context) (disconnect func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, c := range f.clients {
		if c.channel != nil {
			running.Go(func() { _ = c.channel.Run(ctx) }) // what fails is tried again
			running.Go(func() { _ = c.runner.Run(ctx) })  // none asks for a restart
		}
	}
	return func() {
		n := f.connected()
		f.mu.Lock()
		f.last = &n
		f.mu.Unlock()
		cancel()
		running.Wait()
	}
}

// connected counts the clients whose channel is open, or was when Run ended.
func (f *Fleet) connected() (n presence) {
	f.mu.Lock()
	last := f.last
	f.mu.Unlock()
	if last != nil {
		return *last
	}
	for _, c := range f.clients {
		if c.channel == nil {
			continue
		}
		switch c.channel.Status().Transport {
		case "TCP":
			n.tcp++
		case "HTTP":
			n.http++
		}
	}
	return n
}

// wake makes the client poll its policy now: at once when it waits, or else after what it does.
func (c *simulated) wake() {
	f := c.fleet
	f.counts.wakes.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	c.woken = true
	f.rouse(c)
}

// rouse lets a client do at once what it is asked for, if it waits. Call it with mu held.
func (f *Fleet) rouse(c *simulated) {
	if !c.busy && !f.started.IsZero() {
		c.heed(time.Since(f.started))
		f.requeue(c)
	}
}

// heed makes a client that was woken poll at a real time, and one that is to send, send. Call it with the fleet's mu
// held, and the client not at work.
func (c *simulated) heed(now time.Duration) {
	if c.hurry && now < c.sendDue {
		c.sendDue, c.sendAt = now, min(c.sendAt, c.fleet.clock.simulated(now))
	}
	c.hurry = false
	if c.woken {
		c.woken, c.pollDue = false, min(c.pollDue, now)
	}
}

// requeue puts a client on the agenda, in its place. Call it with mu held, and the client not at work.
func (f *Fleet) requeue(c *simulated) {
	switch {
	case c.queued:
		heap.Fix(&f.queue, c.place)
	case c.due() < never:
		heap.Push(&f.queue, c)
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

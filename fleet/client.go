package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/channel"
	"statewire/agent/runner"
	"statewire/agent/transport"
	"statewire/internal/topics"
)

// scriptOutput is what the simulated scripts print: quoted base64, as scripts' results come.
const scriptOutput = `"eyJTY3JpcHRFeGl0Q29kZSI6MCwiU2NyaXB0T3V0cHV0IjoiT0sifQ=="`

// simulated is one client of a fleet.
type simulated struct {
	// Constant after newSimulated.
	fleet     *Fleet
	index     int
	machine   machine
	phase     time.Duration // of its send cycle
	silentFor time.Duration // before the patch day; 0 = it takes part

	// Owned by whoever took it from the agenda.
	agent      *agent.Agent
	store      *watched
	relay      transport.Relay  // its own, or the fleet's
	own        *identity        // nil: it has no certificate
	channel    *channel.Channel // nil: it has none
	runner     *runner.Runner   // of its tasks; nil: it has no channel
	planner    planner
	line       line
	faults     []fault     // to come, by time
	image      cache.Image // of its store; nil when none was taken
	clockOff   time.Duration
	claimedFor bool          // somebody polls in its name, too
	past       [][]event     // by report; to be told in its first one where there is no History
	sendAt     time.Duration // simulated time of its next report
	sendDue    time.Duration // the same in real time since Run began
	pollDue    time.Duration // real time of its next policy poll
	idle       bool          // nothing waited when it sent last
	claimed    bool          // the site took its last policy poll
	settled    bool

	current atomic.Pointer[agent.Agent] // the same as agent, for its channel

	// Guarded by the fleet's mu.
	queued bool // on the agenda, at place
	place  int
	busy   bool // taken from the agenda
	woken  bool // it is to poll now
	hurry  bool // it is to send now
}

func newSimulated(f *Fleet, index int) (*simulated, error) {
	r := rand.New(rand.NewPCG(f.cfg.Seed, uint64(index)))
	c := &simulated{fleet: f, index: index, machine: newMachine(r, index),
		phase: time.Duration(r.Int64N(int64(f.cfg.SendInterval)))}
	if r.Float64() < f.cfg.Silent {
		c.silentFor = time.Duration(8+r.IntN(80))*simulatedDay + time.Duration(r.Int64N(int64(simulatedDay)))
	}
	c.planner = planner{catalog: f.catalog, machine: &c.machine, rand: r, pilot: r.IntN(10) == 0}
	if r.Float64() < f.cfg.Leave {
		c.planner.silentAt = 3*time.Hour + time.Duration(r.Int64N(int64(19*time.Hour)))
	}
	c.line.client, c.busy = c, true
	c.faults = f.planFaults(index, f.clock.from, f.clock.end())
	c.sendAt = f.clock.from
	c.past = c.planner.past(c.silentFor, rand.New(rand.NewPCG(f.cfg.Seed^0xb4c4, uint64(index))))
	kept, err := f.stores.open(c.machine.id.Client)
	if err != nil {
		return nil, fmt.Errorf("open the store of %s: %w", c.machine.id.NetBIOSName, err)
	}
	c.store = &watched{clientStore: kept}
	if err := c.identify(); err != nil {
		return nil, fmt.Errorf("identify %s: %w", c.machine.id.NetBIOSName, err)
	}
	if err := c.equip(); err != nil {
		return nil, fmt.Errorf("equip %s: %w", c.machine.id.NetBIOSName, err)
	}
	if f.clock.from > 0 {
		if err := c.resume(f.clock.from); err != nil {
			return nil, err
		}
	}
	return c, c.start()
}

// resume goes on where an earlier run over the same store ended.
func (c *simulated) resume(from time.Duration) error {
	sum, err := c.store.Summary()
	if err != nil {
		return err
	}
	if sum.States > 0 || sum.LastSerial > 0 {
		c.past = nil // told then
	}
	for {
		if at, ok := c.planner.next(); !ok || at > from {
			return nil
		}
		c.planner.take(from)
	}
}

// start starts the client's agent over what its store holds.
func (c *simulated) start() error {
	cfg := agent.Config{SendInterval: c.fleet.cfg.SendInterval, PolicyInterval: c.fleet.cfg.PolicyInterval}
	started, err := agent.New(cfg, agent.Deps{
		Identity: c.machine.id, Store: c.store, Relay: &c.line, Clock: agent.Clock{Wall: c.wall, Steady: c.steady},
		Believe: c.believe, Tasks: c.lasting, Log: c.fleet.clientLog, SentLevel: slog.LevelDebug,
	})
	if err != nil {
		return fmt.Errorf("start client %s: %w", c.machine.id.NetBIOSName, err)
	}
	c.agent = started
	c.current.Store(started)
	return nil
}

// wall is what the client's clock shows.
func (c *simulated) wall() time.Time { return c.fleet.clock.at(c.sendAt).Add(c.clockOff) }

// steady is simulated time: policies count it.
func (c *simulated) steady() time.Duration { return c.sendAt }

// due is the real time since Run began at which the client has something to do.
func (c *simulated) due() time.Duration { return min(c.sendDue, c.pollDue, c.line.lateDue()) }

// plan sets the time of the next report, of which there may be none any more.
func (c *simulated) plan() {
	c.sendDue = never
	if c.silentFor > 0 || c.fleet.settling {
		return
	}
	if at, ok := c.planner.next(); ok {
		c.sendAt = c.cycle(at)
		c.sendDue = c.fleet.clock.real(c.sendAt)
	}
}

// cycle is the first send at or after a simulated time, in the interval that the client's policy wants or else the
// configured one.
func (c *simulated) cycle(at time.Duration) time.Duration {
	interval := c.agent.SendInterval()
	n := (at - c.phase) / interval
	if (at-c.phase)%interval > 0 {
		n++
	}
	return n*interval + c.phase
}

// act does what is due.
func (c *simulated) act(ctx, sending context.Context) error {
	c.fleet.open(c)
	now := c.fleet.elapsed()
	if c.line.lateDue() <= now {
		c.line.deliverLate(sending, now)
	}
	if c.sendDue <= now {
		if err := c.send(ctx, sending); err != nil {
			return err
		}
	}
	if c.pollDue <= now {
		if err := c.poll(ctx, sending, now); err != nil {
			return err
		}
	}
	c.settled = c.fleet.settling && c.idle && len(c.line.late) == 0 && (c.claimed || c.pollDue == never)
	return nil
}

// send raises what happened up to now and sends it.
func (c *simulated) send(ctx, sending context.Context) error {
	until := c.sendAt
	if c.fleet.settling {
		until = min(until, c.fleet.clock.end())
	}
	if err := c.happen(until); err != nil {
		return err
	}
	if err := c.drain(ctx, sending); err != nil {
		return err
	}
	if c.idle {
		c.plan()
	}
	return nil
}

// drain sends what waits. When the relay has to be left alone it sets the time of the next attempt.
func (c *simulated) drain(ctx, sending context.Context) error {
	c.idle = false
	for ctx.Err() == nil {
		attempt, err := c.agent.Send(sending)
		switch {
		case err != nil:
			return err
		case attempt.Outcome == transport.Idle:
			c.idle = true
			return nil
		case attempt.Outcome == transport.Again:
			c.fleet.counts.retries.Add(1)
			c.fleet.counts.trouble.Store(new(c.agent.Problem()))
			c.sendDue = c.fleet.elapsed() + attempt.Wait
			c.sendAt = c.cycle(c.fleet.clock.simulated(c.sendDue))
			return nil
		}
	}
	return nil
}

// happen raises everything up to a simulated time, and lets faults come in between.
func (c *simulated) happen(until time.Duration) error {
	if err := c.recall(); err != nil {
		return err
	}
	for len(c.faults) > 0 && c.faults[0].at <= until {
		next := c.faults[0]
		c.faults = c.faults[1:]
		if err := c.raise(c.planner.take(next.at)); err != nil {
			return err
		}
		if err := c.suffer(next); err != nil {
			return fmt.Errorf("fault of %s: %w", c.machine.id.NetBIOSName, err)
		}
	}
	return c.raise(c.planner.take(until))
}

// recall makes a client that has not told its past yet raise it.
func (c *simulated) recall() error {
	past := slices.Concat(c.past...)
	c.past = nil
	return c.raise(past)
}

func (c *simulated) raise(events []event) error {
	if len(events) == 0 {
		return nil
	}
	states := make([]cache.State, len(events))
	for i, e := range events {
		states[i] = c.state(e)
	}
	return c.agent.Raise(states...)
}

func (c *simulated) state(e event) cache.State {
	s := cache.State{Priority: e.topic.priority, Instant: e.topic.instant}
	s.Time = c.fleet.clock.at(e.at).Add(c.clockOff).Truncate(time.Millisecond)
	s.TopicType, s.TopicID, s.TopicIDType = e.topic.kind, e.topic.id, e.topic.idType
	s.StateID, s.Params, s.Title = e.state, e.params, e.topic.title
	if s.TopicID == "" {
		s.TopicID = c.machine.id.Client.String()
	}
	if s.TopicType == topics.ScriptResult {
		s.DetailsType, s.Details = 1, scriptOutput
	}
	return s
}

package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
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
	agent     *Agent
	memory    *Memory

	// Owned by whoever took it from the agenda.
	planner planner
	line    line
	told    bool          // its past is in its store
	sendAt  time.Duration // simulated time of its next report
	due     time.Duration // the same in real time since Run began
}

func newSimulated(f *Fleet, index int) *simulated {
	r := rand.New(rand.NewPCG(f.cfg.Seed, uint64(index)))
	c := &simulated{fleet: f, index: index, machine: newMachine(r, index), phase: time.Duration(r.Int64N(int64(f.cfg.SendInterval)))}
	if r.IntN(100) < 4 {
		c.silentFor = time.Duration(8+r.IntN(80))*simulatedDay + time.Duration(r.Int64N(int64(simulatedDay)))
	}
	c.planner = planner{catalog: f.catalog, machine: &c.machine, rand: r, pilot: r.IntN(10) == 0}
	if r.IntN(50) == 0 {
		c.planner.silentAt = 3*time.Hour + time.Duration(r.Int64N(int64(19*time.Hour)))
	}
	last := uint64(0)
	if f.cfg.Continue != nil {
		last = f.cfg.Continue(c.machine.id.Client)
	}
	c.memory = NewMemory(last)
	c.line.client = c
	c.line.first = last + 1
	c.agent = c.newAgent()
	return c
}

// newAgent is the client's logic over its store, on simulated time.
func (c *simulated) newAgent() *Agent {
	clock := Clock{Wall: func() time.Time { return c.fleet.began.Add(c.sendAt) }, Steady: func() time.Duration { return c.sendAt }}
	a, err := New(DefaultConfig(), Deps{
		Identity: c.machine.id, Store: c.memory, Relay: &c.line, Clock: clock, Log: c.fleet.log, SentLevel: slog.LevelDebug,
	})
	if err != nil {
		panic(err) // an empty store in memory reads without a fault
	}
	return a
}

// recall makes a client that has not told its past yet raise it, to be told in its first report.
func (c *simulated) recall() error {
	if c.told {
		return nil
	}
	c.told = true
	for _, group := range c.planner.past(c.silentFor) {
		if err := c.raise(group); err != nil {
			return err
		}
	}
	return nil
}

// plan sets the time of the next report, false when there will be none.
func (c *simulated) plan() bool {
	if c.silentFor > 0 {
		return false
	}
	at, ok := c.planner.next()
	if ok {
		c.sendAt = c.cycle(at)
		c.due = c.fleet.real(c.sendAt)
	}
	return ok
}

// cycle is the first send at or after a simulated time.
func (c *simulated) cycle(at time.Duration) time.Duration {
	interval := c.fleet.cfg.SendInterval
	n := (at - c.phase) / interval
	if (at-c.phase)%interval > 0 {
		n++
	}
	return n*interval + c.phase
}

// send raises what happened up to now and sends it; it returns how long to wait before trying again, 0 when all is sent.
func (c *simulated) send(ctx, sending context.Context) (time.Duration, error) {
	if err := c.raise(c.planner.take(c.sendAt)); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		attempt, err := c.agent.Send(sending)
		if err != nil || attempt.Outcome == Idle {
			return 0, err
		}
		if attempt.Outcome == Again {
			c.fleet.counts.retries.Add(1)
			return attempt.Wait, nil
		}
	}
	return 0, nil
}

func (c *simulated) raise(events []event) error {
	for _, e := range events {
		if err := c.agent.Raise(c.state(e)); err != nil {
			return err
		}
	}
	return nil
}

func (c *simulated) state(e event) State {
	s := State{Priority: e.topic.priority, Instant: e.topic.instant}
	s.Time = c.fleet.began.Add(e.at).Truncate(time.Millisecond)
	s.TopicType, s.TopicID, s.TopicIDType = e.topic.kind, e.topic.id, e.topic.idType
	s.StateID, s.Params = e.state, e.params
	if s.TopicID == "" {
		s.TopicID = c.machine.id.Client.String()
	}
	if s.TopicType == topicScriptResult {
		s.DetailsType, s.Details = 1, scriptOutput
	}
	return s
}

// Package agent is the client's side: it numbers state messages when they enter a report, sends the report until the
// relay has it, never skips a serial, and never uses one twice.
//
// Between raising a state and sending it only the latest state of a topic is kept. At most one report is under way: its
// bytes are fixed when its messages are numbered, and every repeat sends the same bytes. What changes meanwhile waits
// for the next report, so a client that was cut off for weeks holds one report and one state per topic, no more. What
// the site wants of the client comes as a policy that the client polls.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/backoff"
	"statewire/smx"
	"statewire/smx/policy"
	"statewire/trust"
)

// Store keeps what must outlive a restart. Every method is one transaction, durable when it returns.
type Store interface {
	// Put makes each state the latest of its topic; it waits for a report.
	Put(states ...cache.State) error
	// Pending is the report under way, nil when there is none.
	Pending() (*cache.Report, error)
	// Pack numbers waiting states and keeps the report made of them as the one under way; nil when nothing waits.
	Pack(p cache.Packing) (*cache.Report, error)
	// Halve cuts the report under way in two with the same serials; the first half is then the one under way.
	Halve(encode func(*cache.Report) []byte) error
	// Settle ends the report under way: the relay has it, or never will. What it never will have leaves the cache.
	Settle(end cache.Settlement) error
	// Policy is the policy adopted last.
	Policy() (cache.PolicyState, error)
	// Adopt keeps a policy and begins the answer to its resync unless that was carried out before.
	Adopt(p cache.PolicyState, request *policy.Resync) (begun bool, err error)
	// Resend begins to send the whole cache again.
	Resend() error
	// AcceptSerial continues from a serial that was declined, and begins to send the whole cache again from there.
	AcceptSerial(next uint64) error
	// Summary is what it all comes to.
	Summary() (cache.Summary, error)
	// Held is the latest state of every topic of the given types; of all types when none is given.
	Held(topicTypes ...uint32) ([]cache.Held, error)
	// Sent is what was sent lately and what is under way.
	Sent() ([]cache.Sent, error)
	// DeadLetters are the states refused lately.
	DeadLetters() ([]cache.DeadLetter, error)
}

// Identity is how a client calls itself in its reports.
type Identity struct {
	Client        smx.ClientID
	NetBIOSName   string
	ClientVersion string
	CodePage      string
	LCID          uint32
}

// Deps is what a client works with.
type Deps struct {
	Identity Identity
	Store    Store           // a cache.Memory, or a Client of a cache.File
	Relay    transport.Relay // to the configured relay, usually a Sender
	// Dial makes the way to a relay that a policy assigns. Nil stays with the configured one.
	Dial func(address string) (*transport.Sender, error)
	// Believe takes what a policy says of whom to believe. Nil takes nothing.
	Believe func(ca, document []byte) error
	// Tasks takes the lasting tasks of a policy: after a start, and with every poll that is answered, known ones again. It
	// does not wait. Nil takes none.
	Tasks func(envelopes [][]byte)
	Clock Clock // a zero clock is the system's
	Log   *slog.Logger
	// SentLevel is the level at which every report sent is logged; its states are Debug. It is slog.LevelInfo for a
	// machine's own agent, slog.LevelDebug in a fleet, where there are too many.
	SentLevel slog.Level
}

// Agent is one client. Send and Poll are its steps, each for one caller at a time; Run takes them on schedule.
type Agent struct {
	// Constant after New.
	cfg       Config
	id        Identity
	store     Store
	relay     *transport.Route
	clock     Clock
	began     moment
	log       *slog.Logger
	sentLevel slog.Level
	believe   func(ca, document []byte) error
	tasks     func(envelopes [][]byte)
	wake      chan struct{} // send now
	retime    chan struct{} // the send interval changed
	repoll    chan struct{} // the policy interval changed
	pollNow   chan struct{} // somebody asks for a poll
	polled    func()        // told of every poll; constant after OnPoll

	// Owned by whoever calls Send.
	failures  int           // attempts for the report under way that came to nothing
	forbidden int           // the last of them, in a row, in which something before the relay refused its content
	holdUntil time.Duration // the relay asked to be left alone until this steady time

	// Owned by whoever calls Poll.
	pollFailures  int
	askAnew       bool          // the policy kept in the store is of no use
	pollHoldUntil time.Duration // the relay asked to be left alone until this steady time

	// Guarded by mu.
	mu      sync.Mutex
	orders  orders
	contact contact
	asked   bool // the site has said what it wants: a policy is kept, or a poll was answered
	usedUp  bool // a report could not be made for want of serials
	due     due
	own     intervals
}

// intervals are the configured ones, which a policy may overrule.
type intervals struct{ send, policy time.Duration }

// New returns a client over its store. It reads the policy kept there, and otherwise does nothing until Run, Send or
// Poll.
func New(cfg Config, d Deps) (*Agent, error) {
	a := &Agent{
		cfg: cfg, id: d.Identity, store: d.Store, clock: d.Clock.orSystem(), log: d.Log, sentLevel: d.SentLevel,
		believe: d.Believe, tasks: d.Tasks,
		wake: make(chan struct{}, 1), retime: make(chan struct{}, 1), repoll: make(chan struct{}, 1),
		pollNow: make(chan struct{}, 1), polled: func() {},
		own: intervals{cfg.SendInterval, cfg.PolicyInterval},
	}
	a.began = a.clock.moment()
	a.relay = transport.NewRoute(d.Relay, d.Dial, a.clock.Steady, d.Log)
	kept, err := a.store.Policy()
	if err != nil {
		return nil, fmt.Errorf("read the policy kept in the store: %w", err)
	}
	if kept.Document == nil {
		return a, nil
	}
	p, err := policy.Decode(kept.Document)
	if err != nil { // another version of the program understood it
		a.log.Warn("kept policy is not understood: asking for it anew", "client", a.id.Client, "err", err)
		a.askAnew = true
		return a, nil
	}
	a.obey(p)
	a.asked = true
	if err := a.recall(); err != nil {
		return nil, fmt.Errorf("read when slowed topics were sent: %w", err)
	}
	return a, nil
}

// Raise records states, all or none. They are sent with the next report; an instant state starts one at once.
func (a *Agent) Raise(states ...cache.State) error {
	if len(states) == 0 {
		return nil
	}
	now, instant := a.clock.Wall(), false
	ready := make([]cache.State, len(states))
	for i, s := range states {
		s = s.Canonical()
		if err := s.Check(); err != nil {
			return err
		}
		s.Raised = now
		ready[i] = s
		instant = instant || s.Instant
	}
	if err := a.store.Put(ready...); err != nil {
		return fmt.Errorf("keep %d states: %w", len(states), err)
	}
	if instant {
		a.SendNow()
	}
	return nil
}

// SendNow makes Run send at once what waits. It never blocks.
func (a *Agent) SendNow() { poke(a.wake) }

// PollNow makes Run poll the policy at once, unless the relay asked to be left alone. It never blocks.
func (a *Agent) PollNow() { poke(a.pollNow) }

// OnPoll has fn called after each poll. Call it before Run.
func (a *Agent) OnPoll(fn func()) { a.polled = fn }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run sends what waits in every send interval and polls the policy in every policy interval, until ctx ends. It returns
// an error only if the store fails.
func (a *Agent) Run(ctx context.Context) error {
	defer a.relay.Close()
	a.handTasks()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.sendLoop(ctx) })
	g.Go(func() error { return a.pollLoop(ctx) })
	return g.Wait()
}

func (a *Agent) sendLoop(ctx context.Context) error {
	timer := a.schedule(&a.due.send, nil, backoff.Jitter(0, a.cfg.StartupJitter))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.retime:
			a.schedule(&a.due.send, timer, max(a.nextSend(), a.holdUntil-a.clock.Steady()))
			continue
		case <-a.wake:
			if a.refrains() {
				continue
			}
		case <-timer.C:
		}
		wait, err := a.drain(ctx)
		if err != nil {
			return err
		}
		a.schedule(&a.due.send, timer, wait)
	}
}

// drain sends until nothing waits or the relay has to be left alone, and returns how long.
func (a *Agent) drain(ctx context.Context) (time.Duration, error) {
	for ctx.Err() == nil {
		attempt, err := a.Send(ctx)
		switch {
		case err != nil:
			return 0, err
		case attempt.Outcome == transport.Again:
			return attempt.Wait, nil
		case attempt.Outcome == transport.Idle:
			return a.nextSend(), nil
		}
	}
	return 0, nil
}

// nextSend is the time to the next regular send: the interval, less up to a tenth of it.
func (a *Agent) nextSend() time.Duration {
	interval := a.SendInterval()
	return backoff.Jitter(interval*9/10, interval/10)
}

// nextPoll is the time to the next regular poll: the interval, less up to a tenth of it.
func (a *Agent) nextPoll() time.Duration {
	interval := a.PolicyInterval()
	return backoff.Jitter(interval*9/10, interval/10)
}

func (a *Agent) pollLoop(ctx context.Context) error {
	timer := a.schedule(&a.due.poll, nil, backoff.Jitter(0, a.cfg.StartupJitter))
	defer timer.Stop()
	var poll PollOutcome
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.repoll:
			if poll.Outcome != PolicyAgain { // else the relay is to be left alone until the timer says so
				a.schedule(&a.due.poll, timer, a.nextPoll())
			}
			continue
		case <-a.pollNow:
			if a.clock.Steady() < a.pollHoldUntil {
				continue
			}
		case <-timer.C:
		}
		var err error
		poll, err = a.Poll(ctx)
		if err != nil {
			return err
		}
		a.polled()
		a.schedule(&a.due.poll, timer, poll.Wait)
	}
}

// Renew asks the relay in use once for the client's next certificate.
func (a *Agent) Renew(ctx context.Context, request trust.RenewRequest) transport.Issue {
	return a.relay.Renew(ctx, request)
}

// Identified makes the client go on under another certificate: over new connections, with what waits first. One that
// has just enrolled asks for its first policy, too.
func (a *Agent) Identified() {
	a.relay.Reconnect()
	a.SendNow()
	if !a.Assignment().Known {
		a.PollNow()
	}
}

// Resend sends the whole cache again under new serials, then "resync complete", as when a policy asks for it: a
// person's repair.
func (a *Agent) Resend() error {
	if err := a.store.Resend(); err != nil {
		return fmt.Errorf("begin to send the whole cache again: %w", err)
	}
	a.SendNow()
	return nil
}

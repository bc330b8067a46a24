// Package agent is the client's side: it numbers state messages when they enter a report, sends the report until the relay
// has it, and never skips a serial.
//
// Between raising a state and sending it only the latest state of a topic is kept. At most one report is under way: its bytes are
// fixed when its messages are numbered, and every repeat sends the same bytes. What changes meanwhile waits for the next report, so
// a client that was cut off for weeks holds one report and one state per topic, no more.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"statewire/smx"
)

// store keeps what must outlive a restart. Every method is one transaction.
type store interface {
	// Put makes s the latest state of its topic; it waits for a report.
	Put(s State) error
	// Pending is the report under way, nil when there is none.
	Pending() (*Report, error)
	// Pack numbers waiting states and keeps the report that build makes of them as the one under way; nil when nothing waits.
	Pack(build func([]State) []byte) (*Report, error)
	// Settle ends the report under way: the relay has it, or never will.
	Settle(end Settlement) error
}

// courier carries a report to the relay.
type courier interface {
	Post(ctx context.Context, body []byte) Answer
}

// Identity is how a client calls itself in its reports.
type Identity struct {
	Client        smx.ClientID
	NetBIOSName   string
	ClientVersion string
	CodePage      string
	LCID          uint32
}

// Agent is one client.
type Agent struct {
	// Constant after New.
	cfg   Config
	id    Identity
	store store
	relay courier
	now   func() time.Time
	log   *slog.Logger
	wake  chan struct{}

	// Owned by whoever calls Send.
	failures int // attempts for the report under way that came to nothing
}

// New returns a client over its store; now stamps its reports. Nothing runs until Run or Send.
func New(cfg Config, id Identity, st store, relay courier, now func() time.Time, log *slog.Logger) *Agent {
	return &Agent{cfg: cfg, id: id, store: st, relay: relay, now: now, log: log, wake: make(chan struct{}, 1)}
}

// Raise records a state. It is sent with the next report; an instant state starts one at once.
func (a *Agent) Raise(s State) error {
	if err := s.check(); err != nil {
		return err
	}
	if err := a.store.Put(s); err != nil {
		return fmt.Errorf("keep state %d of topic %d: %w", s.StateID, s.TopicType, err)
	}
	if s.Instant {
		a.SendNow()
	}
	return nil
}

// SendNow makes Run send at once what waits. It never blocks.
func (a *Agent) SendNow() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run sends what waits in every send interval until ctx ends. It returns an error only if the store fails.
func (a *Agent) Run(ctx context.Context) error {
	timer := time.NewTimer(jitter(0, a.cfg.StartupJitter))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-timer.C:
		}
		wait, err := a.drain(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// drain sends until nothing waits or the relay has to be left alone, and returns how long.
func (a *Agent) drain(ctx context.Context) (time.Duration, error) {
	for ctx.Err() == nil {
		attempt, err := a.Send(ctx)
		switch {
		case err != nil:
			return 0, err
		case attempt.Outcome == Again:
			return attempt.Wait, nil
		case attempt.Outcome == Idle:
			return jitter(a.cfg.SendInterval*9/10, a.cfg.SendInterval/10), nil
		}
	}
	return 0, nil
}

// Outcome is how an attempt to send ended.
type Outcome uint8

// The outcomes of Send.
const (
	Idle     Outcome = iota // nothing to send
	Accepted                // the relay has the report
	Refused                 // the relay will never take this report: it is set aside
	Again                   // no answer, or not now: the same bytes go again after Wait
)

// Attempt is one try to send one report.
type Attempt struct {
	Outcome Outcome
	Report  *Report       // nil when Idle
	Answer  Answer        // the relay's
	Wait    time.Duration // before the next attempt, when Again
}

// Send makes one attempt: the report under way, or else the next one. It never waits between attempts. The error is the store's.
func (a *Agent) Send(ctx context.Context) (Attempt, error) {
	report, err := a.next()
	if err != nil || report == nil {
		return Attempt{}, err
	}
	answer := a.relay.Post(ctx, report.Body)
	attempt := Attempt{Outcome: answer.Outcome, Report: report, Answer: answer}
	if answer.Outcome == Again {
		attempt.Wait = pause(a.failures, answer.After)
		a.failures++
		a.log.Debug("report not delivered", "client", a.id.Client, "first", report.First, "last", report.Last,
			"status", answer.Status, "wait", attempt.Wait, "err", answer.Err)
		return attempt, nil
	}
	a.failures = 0
	if err := a.store.Settle(Settlement{Outcome: answer.Outcome, Receipt: answer.Receipt, Code: answer.Code, Detail: answer.Detail, Time: a.now()}); err != nil {
		return attempt, fmt.Errorf("settle report %d to %d: %w", report.First, report.Last, err)
	}
	a.logSettled(report, answer)
	return attempt, nil
}

func (a *Agent) logSettled(report *Report, answer Answer) {
	if answer.Outcome == Refused {
		a.log.Warn("report set aside", "client", a.id.Client, "first", report.First, "last", report.Last, "code", answer.Code, "detail", answer.Detail)
		return
	}
	if !a.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for _, s := range report.States {
		a.log.Debug("state sent", "client", a.id.Client, "topic", s.TopicType, "id", s.TopicID, "state", s.StateID, "serial", s.Serial, "receipt", answer.Receipt)
	}
}

// next is the report to send: the one under way, or a new one of what waits.
func (a *Agent) next() (*Report, error) {
	report, err := a.store.Pending()
	if err != nil || report != nil {
		return report, err
	}
	report, err = a.store.Pack(a.encode)
	if err != nil {
		return nil, fmt.Errorf("make a report of waiting states: %w", err)
	}
	return report, nil
}

func (a *Agent) encode(states []State) []byte {
	report := smx.Report{
		Header: smx.Header{
			Client: a.id.Client, ClientInstalled: 1, ClientType: 1, Priority: states[0].Priority, LCID: a.id.LCID,
			ClientVersion: a.id.ClientVersion, NetBIOSName: a.id.NetBIOSName, CodePage: a.id.CodePage, Date: a.now(),
		},
		Messages: make([]smx.Message, len(states)),
	}
	for i := range states {
		report.Messages[i] = states[i].Message
	}
	return smx.AppendReport(nil, &report)
}

const (
	firstPause   = 2 * time.Second
	longPause    = 5 * time.Minute
	mostPatience = time.Hour // what a relay may ask for
)

// pause is the time before the next attempt: doubling and jittered, and never less than the relay asked for.
func pause(failures int, after time.Duration) time.Duration {
	wait := min(firstPause<<min(failures, 20), longPause)
	wait = jitter(wait/2, wait/2)
	if after > 0 {
		after = min(after, mostPatience)
		wait = max(wait, jitter(after, after/4+time.Second))
	}
	return wait
}

// jitter is a duration from least up to, not including, least+spread.
func jitter(least, spread time.Duration) time.Duration {
	if spread <= 0 {
		return least
	}
	return least + rand.N(spread)
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
)

// contact is how the client got on with the relay lately.
type contact struct {
	attempts  uint64    // since the start
	connected bool      // the last attempt had an answer
	last      time.Time // wall time of the last answer
	policy    time.Time // wall time at which the policy last was up to date
	problem   string    // why the last attempt came to nothing
}

// met notes an attempt's end: the HTTP status, 0 without an answer, why there was none, and what the relay said of a
// failure.
func (a *Agent) met(ctx context.Context, status int, err error, code, detail string) {
	if status == 0 && ctx.Err() != nil {
		return // we stopped, not the relay
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.contact.attempts, a.contact.connected, a.contact.problem = a.contact.attempts+1, status != 0, ""
	switch {
	case transport.CertificateRefused(err):
		a.contact.problem = "the relay refuses this client's certificate: it was revoked, it is another site's, or this " +
			"client has none; enrol it anew with `statewire agent enroll` (" + transport.Cause(err) + ")"
	case status == 0 && err != nil:
		a.contact.problem = "the relay does not answer: " + transport.Cause(err)
	case errors.Is(err, transport.ErrNotRelay):
		a.contact.problem = fmt.Sprintf("%v with %d: see what stands at the relay's address", transport.ErrNotRelay, status)
	case status >= 300 && status != 304:
		a.contact.problem = fmt.Sprintf("the relay answered %d %s", status, code)
		if detail != "" {
			a.contact.problem += fmt.Sprintf(": %.300s", detail)
		}
	}
	if status != 0 {
		a.contact.last = a.clock.Wall()
	}
}

// Problem is why the last attempt to reach the relay came to nothing; empty when it did not.
func (a *Agent) Problem() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.contact.problem
}

// Status is how a client is doing.
type Status struct {
	Client       smx.ClientID
	Attempts     uint64         // to reach a relay, since it started
	Connected    bool           // the last attempt to reach the relay had an answer
	Problem      string         // why the last attempt came to nothing; empty = it did not
	LastContact  time.Time      // the relay's last answer since the start; zero = none
	NextContact  time.Time      // when it next asks the relay by itself; zero = it is doing so, or does not run
	LastSend     time.Time      // when the relay last took a report; zero = never
	LastSerial   uint64         // the last one given to a message
	Held         int            // topics in the cache
	Unsent       int            // states the relay does not have yet
	OldestUnsent time.Duration  // how long the oldest of them has waited; 0 = none waits
	DeadLetters  int            // states the relay never takes
	Answering    bool           // a resync's answer is on its way
	UsedUp       bool           // no serial is left
	Declined     cache.Declined // a serial to continue from that was not taken

	SendInterval, PolicyInterval time.Duration // in force
	StartupJitter                time.Duration // bounds the random wait before the first contact

	LastPolicy    time.Time // when the policy last was up to date, since the start; zero = not yet
	PolicyChanged time.Time // when the policy in force was adopted; zero = none
	PolicyETag    string
	ResyncNumber  uint32    // the resync carried out last; 0 = none
	ResyncIssued  time.Time // when the site asked for it
	AssignedRelay string    // by the policy; empty = none
	RelayInUse    string    // configured, assigned, or fallback: the configured one, because the assigned does not answer
	Notifier      string    // assigned by the policy; empty = none
	PausedTopics  []uint32
	SlowedTopics  []uint32
}

// Status tells how the client is doing.
func (a *Agent) Status() (Status, error) {
	sum, err := a.store.Summary()
	if err != nil {
		return Status{}, fmt.Errorf("sum up the store: %w", err)
	}
	kept, err := a.store.Policy()
	if err != nil {
		return Status{}, fmt.Errorf("read the policy kept in the store: %w", err)
	}
	s := Status{
		Client: a.id.Client, LastSend: sum.LastSent, LastSerial: sum.LastSerial, Held: int(sum.States),
		Unsent: int(sum.Unsent), DeadLetters: sum.DeadLetters, Answering: sum.Answering,
		UsedUp: sum.LastSerial >= smx.MaxSerial, Declined: sum.Declined, SendInterval: a.SendInterval(),
		PolicyInterval: a.PolicyInterval(), StartupJitter: a.cfg.StartupJitter, PolicyChanged: kept.Accepted,
		PolicyETag: kept.ETag, ResyncNumber: kept.Number, ResyncIssued: kept.Issued, RelayInUse: "configured",
	}
	if !sum.OldestUnsent.IsZero() {
		s.OldestUnsent = a.clock.age(sum.OldestUnsent, a.began)
	}
	address, inUse := a.relay.State()
	s.AssignedRelay = address
	switch {
	case inUse:
		s.RelayInUse = "assigned"
	case address != "":
		s.RelayInUse = "fallback"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Attempts, s.Connected, s.Problem = a.contact.attempts, a.contact.connected, a.contact.problem
	s.NextContact = a.nextContact(s.Unsent > 0)
	s.LastContact, s.LastPolicy, s.Notifier = a.contact.last, a.contact.policy, a.orders.notifier
	for kind, t := range a.orders.topics {
		if t.paused {
			s.PausedTopics = append(s.PausedTopics, kind)
		} else if t.interval > 0 {
			s.SlowedTopics = append(s.SlowedTopics, kind)
		}
	}
	slices.Sort(s.PausedTopics)
	slices.Sort(s.SlowedTopics)
	return s, nil
}

// Messages is what a client holds and what it sent.
type Messages struct {
	Held []cache.Held // the latest state of every topic
	Sent []cache.Sent // lately, oldest first; then what is under way
	Dead []cache.DeadLetter
}

// Messages lists what the client holds and sent. Of the cache it lists the given topic types, or all when none is
// given: a cache may be larger than the memory that a client ought to take.
func (a *Agent) Messages(topicTypes ...uint32) (m Messages, err error) {
	if m.Held, err = a.store.Held(topicTypes...); err != nil {
		return m, fmt.Errorf("list the cache: %w", err)
	}
	if m.Sent, err = a.Sent(); err != nil {
		return m, err
	}
	if m.Dead, err = a.store.DeadLetters(); err != nil {
		return m, fmt.Errorf("list refused states: %w", err)
	}
	return m, nil
}

// Sent lists what the client sent lately, oldest first; then what is under way.
func (a *Agent) Sent() ([]cache.Sent, error) {
	sent, err := a.store.Sent()
	if err != nil {
		return nil, fmt.Errorf("list what was sent: %w", err)
	}
	return sent, nil
}

// AsReport is the client's cache as one report, whatever its size: for people, not for a relay. A state that waits has
// no serial yet, or the one it was sent under before.
func (a *Agent) AsReport() ([]byte, error) {
	held, err := a.store.Held()
	if err != nil {
		return nil, fmt.Errorf("list the cache: %w", err)
	}
	states := make([]cache.State, len(held))
	for i := range held {
		states[i] = held[i].State
	}
	return a.document(states, smx.NoPriority), nil
}

// Trace is what the client knows of one serial; false when it is not in the list of what was sent lately.
func (a *Agent) Trace(serial uint64) (cache.Sent, bool, error) {
	sent, err := a.Sent()
	if err != nil {
		return cache.Sent{}, false, err
	}
	for _, s := range slices.Backward(sent) {
		if s.Serial == serial && serial > 0 {
			return s, true, nil
		}
	}
	return cache.Sent{}, false, nil
}

package agent

import (
	"slices"
	"time"

	"statewire/agent/cache"
	"statewire/smx/policy"
)

// orders is what the adopted policy wants.
type orders struct {
	sendInterval   time.Duration // 0 = the client's own
	policyInterval time.Duration // 0 = the client's own
	relay          string        // assigned; empty = none
	notifier       string
	topics         map[uint32]*topicOrder // by type; nil for most clients
	tasks          [][]byte               // lasting ones
}

// topicOrder is what the policy wants of one topic type.
type topicOrder struct {
	paused   bool
	interval time.Duration // least time between two sends; 0 = none
	sent     time.Duration // steady time of the last send
	ever     bool          // there was one since the client started
}

// mostInterval bounds what a policy may slow: a client that polled once a year could not be told to poll more often.
const mostInterval = 7 * 24 * time.Hour

// shortened is a policy without intervals that are too long.
func shortened(p policy.Document) (out policy.Document, cut bool) {
	out = p
	out.SendInterval, out.PolicyInterval = min(p.SendInterval, mostInterval), min(p.PolicyInterval, mostInterval)
	out.Topics = slices.Clone(p.Topics)
	cut = out.SendInterval != p.SendInterval || out.PolicyInterval != p.PolicyInterval
	for i, t := range out.Topics {
		out.Topics[i].Interval = min(t.Interval, mostInterval)
		cut = cut || t.Interval > mostInterval
	}
	return out, cut
}

// obey puts a policy into force.
func (a *Agent) obey(p policy.Document) {
	p, cut := shortened(p)
	if cut {
		a.log.Warn("policy has intervals that are too long: they are cut", "client", a.id.Client, "most", mostInterval)
	}
	next := orders{sendInterval: p.SendInterval, policyInterval: p.PolicyInterval, relay: p.Relay, notifier: p.Notifier,
		tasks: p.Tasks}
	a.mu.Lock()
	for _, t := range p.Topics {
		if next.topics == nil {
			next.topics = map[uint32]*topicOrder{}
		}
		order := &topicOrder{paused: t.Paused, interval: t.Interval}
		if before := a.orders.topics[t.Type]; before != nil {
			order.sent, order.ever = before.sent, before.ever
		}
		next.topics[t.Type] = order
	}
	retime := a.orders.sendInterval != next.sendInterval
	a.orders = next
	a.mu.Unlock()
	a.relay.Assign(p.Relay)
	if retime {
		poke(a.retime)
	}
}

// handTasks hands out the lasting tasks of the policy in force. They are handed out again and again, for whoever takes
// them may end before it has kept them; it knows which it has.
func (a *Agent) handTasks() {
	a.mu.Lock()
	tasks := a.orders.tasks
	a.mu.Unlock()
	if len(tasks) > 0 && a.tasks != nil {
		a.tasks(tasks)
	}
}

// Configure puts the send and policy intervals of cfg into force while the client runs; those of a policy go on to
// overrule them. The rest of cfg takes effect in a new Agent.
func (a *Agent) Configure(cfg Config) {
	next := intervals{cfg.SendInterval, cfg.PolicyInterval}
	a.mu.Lock()
	before := a.own
	a.own = next
	sends := a.orders.sendInterval == 0 && before.send != next.send
	polls := a.orders.policyInterval == 0 && before.policy != next.policy
	a.mu.Unlock()
	if sends { // and only then: whoever configures often shall not put off what is due
		poke(a.retime)
	}
	if polls {
		poke(a.repoll)
	}
}

// recall reads, after a start, when the slowed topics were last sent. Time counts while the machine is off; a time in
// the future was stamped by another clock and counts as none, lest a topic waits for a year.
func (a *Agent) recall() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.orders.slows() {
		return nil
	}
	sent, err := a.store.Sent()
	if err != nil {
		return err
	}
	now := a.clock.moment()
	for i := range sent {
		s := &sent[i]
		t, age := a.orders.topics[s.TopicType], now.wall.Sub(s.Sent)
		if t != nil && s.Outcome == cache.Accepted && age >= 0 {
			t.sent, t.ever = now.steady-age, true
		}
	}
	return nil
}

func (o *orders) slows() bool {
	for _, t := range o.topics {
		if t.interval > 0 {
			return true
		}
	}
	return false
}

// allowed tells which topics may be sent now; nil when all may. A topic that is slowed waits from its last send on.
func (a *Agent) allowed() func(topicType uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders.topics == nil {
		return nil
	}
	now := a.clock.Steady()
	held := map[uint32]bool{}
	for kind, t := range a.orders.topics {
		held[kind] = t.paused || t.ever && now-t.sent < t.interval
	}
	return func(topicType uint32) bool { return !held[topicType] }
}

// sentTopics notes when the slowed topics of a report were sent.
func (a *Agent) sentTopics(report *cache.Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders.topics == nil {
		return
	}
	now := a.clock.Steady()
	for i := range report.States {
		if t := a.orders.topics[report.States[i].TopicType]; t != nil {
			t.sent, t.ever = now, true
		}
	}
}

// SendInterval is the time between two sends now in force: the policy's, or else the configured one.
func (a *Agent) SendInterval() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders.sendInterval > 0 {
		return a.orders.sendInterval
	}
	return a.own.send
}

// PolicyInterval is the time between two policy polls now in force.
func (a *Agent) PolicyInterval() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders.policyInterval > 0 {
		return a.orders.policyInterval
	}
	return a.own.policy
}

// Assignment is where the client's policy wants it to be.
type Assignment struct {
	Known    bool   // the site has said so, or that it wants nothing
	Relay    string // assigned; empty = none
	InUse    bool   // the assigned relay is the one in use
	Notifier string // assigned; empty = none
}

// Assignment is where the client's policy wants it to be, and whether it is.
func (a *Agent) Assignment() Assignment {
	address, inUse := a.relay.State()
	a.mu.Lock()
	defer a.mu.Unlock()
	return Assignment{Known: a.asked, Relay: address, InUse: inUse, Notifier: a.orders.notifier}
}

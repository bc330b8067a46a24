package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"statewire/internal/control"
	"statewire/internal/parse"
	"statewire/internal/topics"
	"statewire/smx"
	"statewire/smx/policy"
)

const (
	// defaultPriority is that of a policy whose maker named none.
	defaultPriority = 1000
	maxPriority     = 1_000_000
)

// Settings are what the members of a collection are told. Zero and empty say nothing.
type Settings struct {
	Priority       uint32         // where collections disagree the smallest wins, then the first name
	SendInterval   time.Duration  // whole seconds
	PolicyInterval time.Duration  // whole seconds
	Topics         []policy.Topic // by type
	Relay          string         // base address
	Notifier       string         // host and port
}

// Policy is the policy of one collection.
type Policy struct {
	Collection string
	Settings
	Changed time.Time

	revision uint64
}

// Says reports whether the settings say anything.
func (p Settings) Says() bool {
	return p.SendInterval != 0 || p.PolicyInterval != 0 || len(p.Topics) > 0 || p.Relay != "" || p.Notifier != ""
}

// equal says whether the settings say the same.
func (p Settings) equal(other Settings) bool {
	return p.Priority == other.Priority && p.SendInterval == other.SendInterval &&
		p.PolicyInterval == other.PolicyInterval && p.Relay == other.Relay && p.Notifier == other.Notifier &&
		slices.Equal(p.Topics, other.Topics)
}

// rule is the policy of one collection and its members.
type rule struct {
	Settings
	collection string
	members    []smx.ClientID // ascending
}

// apply adds what the rule says to a client's policy, where no rule of better priority has spoken.
func (r rule) apply(p *policy.Document) {
	if _, member := slices.BinarySearchFunc(r.members, p.Client, smx.ClientID.Compare); !member {
		return
	}
	p.SendInterval = cmp.Or(p.SendInterval, r.SendInterval)
	p.PolicyInterval = cmp.Or(p.PolicyInterval, r.PolicyInterval)
	p.Relay = cmp.Or(p.Relay, r.Relay)
	p.Notifier = cmp.Or(p.Notifier, r.Notifier)
	for _, topic := range r.Topics {
		at, spoken := slices.BinarySearchFunc(p.Topics, topic, compareTopics)
		if !spoken && len(p.Topics) < policy.MaxTopics {
			p.Topics = slices.Insert(p.Topics, at, topic)
		}
	}
}

func compareTopics(a, b policy.Topic) int { return cmp.Compare(a.Type, b.Type) }

// Bounds of what a policy may say. A client that polled once a year could not be told to poll more often.
const (
	leastInterval   = time.Second
	mostInterval    = 7 * 24 * time.Hour
	topicsPerPolicy = 100
)

// check reports every setting that is out of range.
func (p Settings) check() error {
	var errs []string
	bad := func(format string, args ...any) { errs = append(errs, fmt.Sprintf(format, args...)) }
	interval := func(name string, d time.Duration) {
		if d != 0 && (d < leastInterval || d > mostInterval || d%time.Second != 0) {
			bad("%s is %v; allowed are whole seconds from 1s to 168h, or 0 to say nothing", name, d)
		}
	}
	if p.Priority > maxPriority {
		bad("priority is %d; allowed is 1 to %d", p.Priority, maxPriority)
	}
	interval("send interval", p.SendInterval)
	interval("policy interval", p.PolicyInterval)
	if len(p.Topics) > topicsPerPolicy {
		bad("the policy speaks of %d topic types; allowed are %d", len(p.Topics), topicsPerPolicy)
	}
	for i, t := range p.Topics {
		interval(fmt.Sprintf("interval of topic type %d", t.Type), t.Interval)
		switch {
		case t.Type == topics.Resync:
			bad("topic type %d cannot be paused or slowed: it tells that a resync is complete", topics.Resync)
		case i > 0 && p.Topics[i-1].Type == t.Type:
			bad("topic type %d is named twice", t.Type)
		}
	}
	if _, err := parse.Base(p.Relay, "https"); err != nil && p.Relay != "" {
		bad("relay %v", err)
	}
	if _, _, err := parse.Dial(p.Notifier); err != nil && p.Notifier != "" {
		bad("notifier %v", err)
	}
	if len(errs) > 0 {
		return control.Invalid("%s", strings.Join(errs, "; "))
	}
	return nil
}

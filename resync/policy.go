package resync

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store"
)

const (
	// defaultPriority is that of a policy whose maker named none.
	defaultPriority = 1000
	maxPriority     = 1_000_000
)

// PolicySettings are what the members of a collection are told. Zero and empty say nothing.
type PolicySettings struct {
	Priority       uint32         // where a client's collections disagree the smallest wins, then the name that sorts first
	SendInterval   time.Duration  // whole seconds
	PolicyInterval time.Duration  // whole seconds
	Topics         []policy.Topic // by type
	Relay          string         // base address
	Notifier       string         // host and port
}

// CollectionPolicy is the policy of one collection.
type CollectionPolicy struct {
	Collection string
	PolicySettings
	Changed time.Time

	revision uint64
}

// Says reports whether the settings say anything.
func (p PolicySettings) Says() bool {
	return p.SendInterval != 0 || p.PolicyInterval != 0 || len(p.Topics) > 0 || p.Relay != "" || p.Notifier != ""
}

//go:embed sql/policies.sql
var policiesSQL string

// SetPolicy replaces the policy of a collection; settings that say nothing remove it. Clients learn of it at their next poll.
func (s *Service) SetPolicy(ctx context.Context, collection string, p PolicySettings) (CollectionPolicy, error) {
	if p.Priority == 0 {
		p.Priority = defaultPriority
	}
	slices.SortFunc(p.Topics, compareTopics)
	if err := p.check(); err != nil {
		return CollectionPolicy{}, err
	}
	if err := s.enter(ctx); err != nil {
		return CollectionPolicy{}, err
	}
	defer s.leave()
	if _, err := s.store.collection(ctx, collection); err != nil {
		return CollectionPolicy{}, err
	}
	out := CollectionPolicy{Collection: collection, PolicySettings: p, Changed: s.now().UTC()}
	var err error
	if out.revision, err = s.store.nextRevision(ctx, collection, out.Changed); err != nil {
		return out, err
	}
	if err := s.store.putPolicy(ctx, out, !p.Says()); err != nil {
		return out, err
	}
	s.log.Info("policy set", "collection", collection, "priority", p.Priority, "says", p.Says())
	return out, s.reloadRules(ctx)
}

// Policies lists the policies of all collections, by priority.
func (s *Service) Policies(ctx context.Context) ([]CollectionPolicy, error) {
	return s.store.policies(ctx)
}

// reloadRules puts the stored policies in force, with the members that their collections have at this moment. A collection whose
// query fails keeps the members it had.
func (s *Service) reloadRules(ctx context.Context) error {
	policies, err := s.ledger.rules(ctx, s.desk.members())
	if err != nil {
		return err
	}
	s.desk.setRules(policies)
	s.metrics.pausedTopics.Set(float64(pausedTopics(policies)))
	return nil
}

// pausedTopics is how many topic types some policy pauses.
func pausedTopics(rules []rule) int {
	paused := map[uint32]bool{}
	for _, r := range rules {
		for _, t := range r.Topics {
			if t.Paused {
				paused[t.Type] = true
			}
		}
	}
	return len(paused)
}

// rules reads the policies and who they are for.
func (l *storeLedger) rules(ctx context.Context, had map[string][]smx.ClientID) ([]rule, error) {
	policies, err := l.policies(ctx)
	if err != nil {
		return nil, err
	}
	var out []rule
	for _, p := range policies {
		c, err := l.collection(ctx, p.Collection)
		if errors.Is(err, ErrNoCollection) {
			continue
		}
		if err != nil {
			return nil, err
		}
		members, err := l.members(ctx, c)
		if err != nil {
			l.log.Warn("members of a collection not read, its policy stays with those it had", "collection", p.Collection, "err", err)
			members = had[p.Collection]
		}
		out = append(out, rule{PolicySettings: p.PolicySettings, collection: p.Collection, members: members})
	}
	return out, nil
}

func (l *storeLedger) policies(ctx context.Context) (list []CollectionPolicy, err error) {
	err = l.store.EachRow(ctx, policiesSQL, nil, func(scan func(...any) error) error {
		var p CollectionPolicy
		var send, poll uint32
		var types, intervals []uint32
		var paused []uint8
		err := scan(&p.Collection, &p.revision, &p.Priority, &send, &poll, &types, &paused, &intervals, &p.Relay, &p.Notifier, &p.Changed)
		if err != nil {
			return err
		}
		p.SendInterval, p.PolicyInterval = seconds(send), seconds(poll)
		for i, kind := range types {
			p.Topics = append(p.Topics, policy.Topic{Type: kind, Paused: paused[i] == 1, Interval: seconds(intervals[i])})
		}
		list = append(list, p)
		return nil
	})
	return list, wrap(err, "list the policies")
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

func (l *storeLedger) putPolicy(ctx context.Context, p CollectionPolicy, deleted bool) error {
	types, paused, intervals := []uint32{}, []uint8{}, []uint32{}
	for _, t := range p.Topics {
		types, paused, intervals = append(types, t.Type), append(paused, store.Flag(t.Paused)), append(intervals, uint32(t.Interval/time.Second))
	}
	err := l.store.Insert(ctx, `INSERT INTO policies (collection, revision, priority, send_interval_s, policy_interval_s, topic_types, topic_paused,
		topic_interval_s, relay, notifier, changed_time, deleted)`,
		[]string{p.Collection}, []uint64{p.revision}, []uint32{p.Priority}, []uint32{uint32(p.SendInterval / time.Second)},
		[]uint32{uint32(p.PolicyInterval / time.Second)}, [][]uint32{types}, [][]uint8{paused}, [][]uint32{intervals},
		[]string{p.Relay}, []string{p.Notifier}, []time.Time{p.Changed}, []uint8{store.Flag(deleted)})
	return wrap(err, fmt.Sprintf("store the policy of collection %s", p.Collection))
}

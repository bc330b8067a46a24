// Package policies is what the members of a collection are told. It answers a client's poll from memory and never waits
// for the store.
package policies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/collections"
	"statewire/internal/control"
	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store"
)

// ErrNotReady says that the policies have not been read from the store yet; ask again in a moment.
var ErrNotReady = errors.New("the policies have not been read from the store yet")

// resyncs is what asks clients for a resync.
type resyncs interface {
	// Asked notes what a client says of itself and returns the resync that is asked of it; nil when there is none.
	Asked(poll smx.Poll) (*policy.Resync, error)
}

// tasks yields the lasting tasks that wait for a client, as signed requests.
type tasks interface {
	Lasting(ctx context.Context, client uuid.UUID) (envelopes [][]byte, err error)
}

// Deps is what a service is given.
type Deps struct {
	Store       *store.Store
	Collections *collections.Service
	Resyncs     resyncs
	Log         *slog.Logger
	Registerer  prometheus.Registerer // nil registers nothing
	Recorder    control.Recorder      // keeps each change before it is made; nil keeps nothing
	Waker       waker                 // wakes clients whose policy changed; nil wakes nobody
	Tasks       tasks                 // nil: no task travels with a policy
}

// Service keeps the policies of collections and answers polls. Its state is in the store; what it answers from is a
// copy.
type Service struct {
	// Constant after New.
	store       *store.Store
	collections *collections.Service
	resyncs     resyncs
	log         *slog.Logger
	metrics     *metrics
	recorder    control.Recorder
	waker       waker
	lasting     *lasting
	changes     *changes

	reloading sync.Mutex // held while the rules are read: those read last are in force

	mu    sync.RWMutex
	rules []rule        // Guarded by mu. By priority; nil until they were read.
	trust *policy.Trust // Guarded by mu. Nil says nothing of whom to believe.
	// notifier is where the channel is for whom no collection says it. Guarded by mu. Nil until that was said.
	notifier *string
}

// New returns a service that knows of every change of a collection. It answers polls after the first Reload.
func New(deps Deps) *Service {
	s := &Service{store: deps.Store, collections: deps.Collections, resyncs: deps.Resyncs, log: deps.Log,
		metrics: newMetrics(deps.Registerer), recorder: deps.Recorder, waker: deps.Waker, changes: newChanges(),
		lasting: newLasting(deps.Tasks, deps.Log)}
	deps.Collections.Follow(s)
	return s
}

// Policy answers a client's poll from memory: the resync asked of it, if any, what its collections say, and the lasting
// tasks that wait for it, with an ETag that is quoted already. It fails with ErrNotReady, or that of the resyncs, while
// the store cannot be read at the start.
func (s *Service) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	p, err := s.answer(poll)
	if err != nil {
		s.metrics.polls.WithLabelValues("failed").Inc()
		return nil, "", err
	}
	p.Tasks = p.FitTasks(s.lasting.of(ctx, poll.Client))
	s.metrics.polls.WithLabelValues(kindOf(p)).Inc()
	document = policy.Encode(p)
	return document, fmt.Sprintf(`"%016x"`, xxhash.Sum64(document)), nil
}

func kindOf(p policy.Document) string {
	switch {
	case p.Resync != nil:
		return "resync"
	case p.SendInterval > 0 || p.PolicyInterval > 0 || len(p.Topics) > 0 || p.Relay != "" || p.Notifier != "" ||
		len(p.Tasks) > 0:
		return "settings"
	}
	return "nothing"
}

// answer is the policy of the client that polls.
func (s *Service) answer(poll smx.Poll) (policy.Document, error) {
	p := policy.Document{Client: poll.Client}
	if poll.LastSerial > smx.MaxSerial {
		return p, control.Invalid("the claimed serial is above 2^62")
	}
	s.mu.RLock()
	rules := s.rules
	notifier := s.notifier
	p.Trust = s.trust
	s.mu.RUnlock()
	if rules == nil {
		return p, ErrNotReady
	}
	var err error
	if p.Resync, err = s.resyncs.Asked(poll); err != nil {
		return p, err
	}
	for _, r := range rules {
		r.apply(&p)
	}
	if notifier != nil {
		p.Notifier = cmp.Or(p.Notifier, *notifier)
	}
	return p, nil
}

// Set replaces the policy of a collection; settings that say nothing remove it. Clients are woken for it, or learn of
// it at their next poll.
func (s *Service) Set(ctx context.Context, collection string, p Settings) (out Policy, err error) {
	if p.Priority == 0 {
		p.Priority = defaultPriority
	}
	slices.SortFunc(p.Topics, compareTopics)
	if err := p.check(); err != nil {
		return Policy{}, err
	}
	err = s.collections.Change(ctx, collection, func(revision uint64, at time.Time) error {
		c, err := s.collections.Get(ctx, collection)
		if err != nil {
			return err
		}
		act := control.Act{Name: "policy.set", Object: "collection:" + collection, Targets: int(c.Clients), Params: p}
		return control.Recorded(ctx, s.recorder, act, func() error {
			out = Policy{Collection: collection, Settings: p, Changed: at, revision: revision}
			if err := s.put(ctx, out, !p.Says()); err != nil {
				return err
			}
			s.log.Info("policy set", "collection", collection, "priority", p.Priority, "says", p.Says())
			return s.Reload(ctx)
		})
	})
	return out, err
}

// Forget removes the policy of a collection that is about to be deleted. The next Reload ends it.
func (s *Service) Forget(ctx context.Context, c collections.Collection) error {
	return s.put(ctx, Policy{Collection: c.Name, Changed: c.Changed, revision: c.Revision}, true)
}

// Reload puts the stored policies in force, with the members that their collections have at this moment. A collection
// whose query fails keeps the members it had.
func (s *Service) Reload(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	rules := []rule{}
	for _, p := range list {
		c, err := s.collections.Get(ctx, p.Collection)
		if errors.Is(err, collections.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		members, err := s.collections.Members(ctx, c)
		if err != nil {
			s.log.Warn("members of a collection not read, its policy stays with those it had",
				"collection", p.Collection, "err", err)
			members = s.members(p.Collection)
		}
		rules = append(rules, rule{Settings: p.Settings, collection: p.Collection, members: members})
	}
	s.setRules(rules)
	return nil
}

// Believe has every client told whom to believe from now on. What a start says is no change.
func (s *Service) Believe(trust *policy.Trust) {
	s.mu.Lock()
	before := s.trust
	s.trust = trust
	s.mu.Unlock()
	s.changes.add(nil, before != nil)
}

// NotifierAt has every client told where the site's notifier is, but for those that a collection assigns to another:
// an address, or :PORT for that port of the relay's host. Empty says nothing: it is at the port that clients know.
func (s *Service) NotifierAt(address string) {
	s.mu.Lock()
	before := s.notifier
	s.notifier = &address
	s.mu.Unlock()
	s.changes.add(nil, before != nil && *before != address)
}

// setRules puts policies in force, and has the clients woken whom that concerns. What a start says is no change.
func (s *Service) setRules(rules []rule) {
	s.metrics.pausedTopics.Set(float64(pausedTopics(rules)))
	s.mu.Lock()
	before := s.rules
	s.rules = rules
	s.mu.Unlock()
	if before != nil {
		s.changes.add(concerned(before, rules), false)
	}
}

// members are those for whom the policy of a collection is in force.
func (s *Service) members(collection string) []smx.ClientID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.rules {
		if r.collection == collection {
			return r.members
		}
	}
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

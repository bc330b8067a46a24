// Package resync decides whom to ask for a resend. It never asks a client whose answer is already waiting in an inbox,
// and never more clients at once than the site can digest.
package resync

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/collections"
	"statewire/internal/control"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/store"
)

// ErrNotReady says that the service has not read its state from the store yet; ask again in a moment.
var ErrNotReady = errors.New("the resync service has not read its state from the store yet")

// Deps is what a service is given beside its configuration.
type Deps struct {
	Store       *store.Store
	Collections *collections.Service                       // whom a target's collection means
	Unread      func(context.Context) (gaps.Unread, error) // lists the unread reports; an error holds everybody
	Denier      Denier                                     // nil: no client can be erased
	Waker       waker                                      // wakes clients that are asked; nil wakes nobody
	Log         *slog.Logger                               // nil discards
	Registerer  prometheus.Registerer                      // nil registers nothing
	Clock       func() time.Time                           // nil is a steady one, which never jumps
	Recorder    control.Recorder                           // keeps what a person asks before it is done; nil keeps nothing
}

// policyCache is what must learn of gap checks: with each of them the members of collections are asked anew.
type policyCache interface{ Reload(context.Context) error }

// retirer takes clients that are silent out of what is counted.
type retirer interface {
	RetireAfter() time.Duration // 0 = never
	RetireSilent(ctx context.Context, since time.Time, after time.Duration) (int, error)
}

// Service runs the gap checks and issues resyncs. Its state is in the store: a service that
// starts anew goes on where the last one stopped, and two at once issue a resync once.
type Service struct {
	// Constant after New.
	store       *storeLedger
	unread      func(context.Context) (gaps.Unread, error)
	log         *slog.Logger
	metrics     *metrics
	now         func() time.Time
	began       time.Time // by now, at New
	wake        chan struct{}
	ledger      ledger // the same as store, but for tests of weeks
	offers      *offers
	policies    policyCache // nil when nobody follows
	retirer     retirer     // nil when nobody retires clients
	denier      Denier      // nil: no client can be erased
	waker       waker       // nil wakes nobody
	offered     chan struct{}
	collections *collections.Service
	recorder    control.Recorder
	listing     *listing   // for clients that enrol
	questions   *questions // for them, too
	patience    *patience  // of clients that enrol
	cfg         atomic.Pointer[Config]

	flushing  sync.Mutex    // held while claims are on their way to the store
	busy      chan struct{} // a place that whoever checks, asks or accepts holds
	loaded    bool          // Guarded by busy, as all that follows.
	line      timeline
	clockRow  clockRow
	lastFull  time.Time
	waiting   int       // clients that could be asked but for unread reports or the bound, as of the last round
	lastCheck time.Time // the last one that was due, by now; zero before the first of this process
	lastRound time.Time // the last look at who is to be asked

	lastLook   time.Time     // the last look at who owes an answer; zero before the first of this process
	lastWindow time.Duration // for how long requests were offered then
}

// New checks the configuration; nothing starts before Run, and nothing is read before the first call that needs it.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Unread == nil || deps.Collections == nil {
		return nil, errors.New("resync: a store, collections and a list of unread reports are required")
	}
	log := deps.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := newService(cfg, deps, log)
	s.store = newStoreLedger(deps.Store, log)
	s.questions = newQuestions(s.store.serialsOf)
	s.ledger, s.retirer, s.denier = s.store, deps.Collections, deps.Denier
	return s, nil
}

// Follow lets p know of gap checks. It is called once, before the service is used.
func (s *Service) Follow(p policyCache) { s.policies = p }

// tellChecked says that a gap check was due, or that the service has read its state.
func (s *Service) tellChecked(ctx context.Context) error {
	if s.policies == nil {
		return nil
	}
	return s.policies.Reload(ctx)
}

// newService is a service without a ledger.
func newService(cfg Config, deps Deps, log *slog.Logger) *Service {
	s := &Service{unread: deps.Unread, collections: deps.Collections, log: log, metrics: newMetrics(deps.Registerer),
		now: deps.Clock, wake: make(chan struct{}, 1), offers: newOffers(), busy: make(chan struct{}, 1),
		recorder: deps.Recorder,
		listing:  newListing(), patience: newPatience(), waker: deps.Waker, offered: make(chan struct{}, 1)}
	if s.now == nil {
		s.now = steadyClock()
	}
	s.began = s.now().UTC()
	s.cfg.Store(&cfg)
	return s
}

// steadyClock is the wall clock of this moment plus the time that passes from now on: whoever sets the wall clock
// neither ends an interval early nor starts one anew.
func steadyClock() func() time.Time {
	began := time.Now()
	return func() time.Time { return began.Add(time.Since(began)).UTC() }
}

// Configure puts new settings in force, at once and for everything that follows. Settings that Validate refuses change
// nothing.
func (s *Service) Configure(cfg Config) {
	if err := cfg.Validate(); err != nil {
		s.log.Error("resync settings not taken, those in force stay", "err", err)
		return
	}
	old := s.cfg.Swap(&cfg)
	if changes := old.changes(cfg); len(changes) > 0 {
		s.log.Info("resync settings changed", changes...)
		s.nudge()
	}
}

// nudge wakes Run.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Target says which clients a person means: those listed, those of a collection, or all.
type Target struct {
	Clients    []smx.ClientID
	Collection string
	All        bool
}

// check refuses a target that names nobody, more than one kind, or more clients than a call holds.
func (t Target) check() error {
	if len(t.Clients) > collections.MaxMembers {
		return control.Invalid("at most %d clients can be named, got %d; split the list, or make a collection "+
			"of a query", collections.MaxMembers, len(t.Clients))
	}
	kinds := 0
	for _, given := range []bool{len(t.Clients) > 0, t.Collection != "", t.All} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return control.Invalid("name clients, or a collection, or all: exactly one of them")
	}
	return nil
}

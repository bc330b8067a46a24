// Package fleet simulates clients that run the real agent's code, and compares a site with what they hold. The same
// configuration gives the same clients, who raise the same states in the same order.
package fleet

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
)

// stopGrace is how long requests under way may take once Run has to end.
const stopGrace = 5 * time.Second

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// Fleet is a simulated fleet: the logic of many clients in one process, on accelerated time, with a bounded number of
// goroutines. What its clients raise depends on the configuration alone, never on how fast the relay answers; what they
// send depends on what the relay lets them know besides.
type Fleet struct {
	// Constant after New.
	cfg Config
	log *slog.Logger
	// clientLog has the clients' warnings alone: what every one of many does is no news.
	clientLog *slog.Logger
	relay     transport.Relay
	close     func()
	stores    stores
	catalog   *catalog
	clock     clock
	clients   []*simulated
	silent    int
	counts    counts
	witness   witness // sees what becomes of reports; nil in earnest

	// Owned by the caller of History.
	spoiled []byte // the report that Damaged damages; nil before it was found
	passed  int    // of its client's reports

	// Changes between two stages only, under mu.
	settling bool // nothing is raised, no fault happens

	// Guarded by mu.
	mu        sync.Mutex
	started   time.Time // real time at which Run began, with its monotonic reading
	queue     agenda
	opened    []*simulated  // that may have a connection open, in a ring
	oldest    int           // of them
	unsettled int           // clients that have not settled
	behind    time.Duration // by how much the client handed out last was late
	wake      chan struct{} // the head of the queue changed
	last      *presence     // when Run ended; nil before
}

type counts struct {
	reports, messages, retries, refused, lost, duplicated, reordered, delayed, damaged       atomic.Int64
	polls, pollsFailed, resyncs, reinstalled, restored, clockJumps, serialJumps, falseClaims atomic.Int64
	enrolled, wakes                                                                          atomic.Int64

	trouble atomic.Pointer[string] // nil: there was none
}

// witness sees what becomes of reports.
type witness interface {
	arrive(client smx.ClientID, report *cache.Report, damage damage)
	lose(client smx.ClientID, report *cache.Report)
}

// New makes the fleet's clients, over their store if there is one and in memory otherwise; nothing runs until Run. A
// fleet over a store that it used before goes on where it ended.
func New(cfg Config, fs *Store, log *slog.Logger) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sender, err := transport.NewSender(cfg.Relay, cfg.TLS, cfg.Senders)
	if err != nil {
		return nil, err
	}
	if fs == nil {
		return newFleet(cfg, 0, sender, sender.Close, newMemoryStores(), log)
	}
	from, err := fs.begin(cfg)
	if err != nil {
		return nil, err
	}
	return newFleet(cfg, from, sender, sender.Close, fs, log)
}

func newFleet(cfg Config, from time.Duration, relay transport.Relay, closeRelay func(), in stores,
	log *slog.Logger) (*Fleet, error) {
	if cfg.Start.IsZero() {
		cfg.Start = time.Now()
	}
	f := &Fleet{
		cfg: cfg, log: log, clientLog: slog.New(warnings{log.Handler()}), relay: relay, close: closeRelay, stores: in,
		catalog: newCatalog(cfg.Seed), clock: newClock(cfg.Start, from, cfg.PatchDay, cfg.fast()),
		wake: make(chan struct{}, 1),
	}
	for i := range cfg.Clients {
		c, err := newSimulated(f, i)
		if err != nil {
			return nil, err
		}
		f.clients = append(f.clients, c)
		if c.silentFor > 0 {
			f.silent++
		}
	}
	f.misnumber()
	return f, nil
}

// Enrol gives clients their certificates if there is a token; Run does it too. Clients that have one are left alone.
func (f *Fleet) Enrol(ctx context.Context) error { return f.enrol(ctx) }

// Run gives clients their certificates if there is a token, lets them live until ctx or the configured time ends, then
// finishes the requests under way and returns nil. It may be called once.
func (f *Fleet) Run(ctx context.Context) error {
	defer f.close()
	defer f.hangUp()
	if err := f.enrol(ctx); err != nil {
		return err
	}
	if err := f.begin(); err != nil {
		return err
	}
	if err := f.keepTime(); err != nil {
		return err
	}
	f.log.Info("fleet started", "clients", len(f.clients), "silent", f.silent, "day", f.cfg.PatchDay,
		"simulated", f.clock.shown(f.clock.from))
	disconnect := f.connect(ctx)
	var err error
	if f.cfg.fast() > 0 {
		err = f.live(ctx)
	}
	if err == nil && f.cfg.Settle > 0 && ctx.Err() == nil {
		err = f.settle(ctx)
	}
	disconnect()
	s := f.Stats()
	f.log.Info("fleet stopped", "online_tcp", s.OnlineTCP, "online_http", s.OnlineHTTP, "reports", s.Reports, "messages",
		s.Messages, "lost", s.Lost, "duplicated", s.Duplicated,
		"damaged", s.Damaged, "refused", s.Refused, "polls", s.Polls, "resyncs", s.Resyncs, "unsettled", s.Unsettled)
	return errors.Join(err, f.keepTime())
}

// begin starts the clock.
func (f *Fleet) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.started.IsZero() {
		return errors.New("the fleet ran already; make a new one")
	}
	f.started = time.Now()
	return nil
}

// live lets the clients raise, send and poll, with all their faults.
func (f *Fleet) live(ctx context.Context) error {
	if f.cfg.ends() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.cfg.For)
		defer cancel()
	}
	for _, c := range f.clients {
		c.plan()
		c.pollDue = c.firstPoll()
	}
	return f.stage(ctx, never)
}

// settle lets the clients poll and send, without a fault, until nothing waits.
func (f *Fleet) settle(ctx context.Context) error {
	now := f.elapsed()
	spread := min(f.cfg.Settle/2, max(f.cfg.PolicyInterval, time.Second))
	f.mu.Lock()
	f.settling, f.unsettled = true, len(f.clients)-f.silent
	f.mu.Unlock()
	for i, c := range f.clients {
		c.beginToSettle(now + spread*time.Duration(i)/time.Duration(len(f.clients)))
	}
	f.log.Info("fleet settles", "clients", len(f.clients)-f.silent, "for", f.cfg.Settle)
	return f.stage(ctx, now+f.cfg.Settle)
}

// stage works off the agenda until ctx ends or, from a real time on, until every client has settled.
func (f *Fleet) stage(ctx context.Context, until time.Duration) error {
	f.fill()
	g, gctx := errgroup.WithContext(ctx)
	sending, stop := withGrace(gctx, stopGrace)
	defer stop()
	due := make(chan *simulated)
	g.Go(func() error { defer close(due); return f.dispatch(gctx, due, until) })
	for range f.cfg.Senders {
		g.Go(func() error {
			for c := range due {
				if err := f.step(gctx, sending, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	f.rest()
	f.deliverLate(sending)
	return err
}

// withGrace is a context that outlives ctx by grace.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-late.Done():
			return
		case <-ctx.Done():
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-late.Done():
		case <-timer.C:
			cancel()
		}
	}()
	return late, cancel
}

// deliverLate brings what is still on its way to the relay, when no later step of its client will.
func (f *Fleet) deliverLate(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(f.cfg.Senders)
	for _, c := range f.clients {
		if len(c.line.late) > 0 {
			g.Go(func() error { c.line.deliverLate(ctx, never); return nil })
		}
	}
	_ = g.Wait() // no function returns an error
}

// elapsed is the real time since Run began.
func (f *Fleet) elapsed() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started.IsZero() { // it enrols
		return 0
	}
	return time.Since(f.started)
}

// keepTime notes how far the simulated time came, where the fleet has a store.
func (f *Fleet) keepTime() error {
	if fs, ok := f.stores.(*Store); ok {
		return fs.keep(f.cfg, f.clock.simulated(min(f.elapsed(), f.clock.fast)))
	}
	return nil
}

// warnings passes warnings and errors on.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

package agent

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopGrace is how long reports under way may take once Run has to end.
const stopGrace = 5 * time.Second

// Fleet is a simulated fleet: the logic of many clients in one process, on accelerated time, with a bounded number of goroutines.
// What its clients say depends on the configuration alone, never on how fast the relay answers.
type Fleet struct {
	// Constant after NewFleet.
	cfg     FleetConfig
	log     *slog.Logger
	relay   courier
	close   func()
	catalog *catalog
	began   time.Time // simulated time at which the patch day begins
	clients []*simulated
	silent  int
	counts  counts

	// Guarded by mu.
	mu      sync.Mutex
	started time.Time // real time at which Run began, with its monotonic reading
	queue   agenda
	wake    chan struct{} // the head of the queue changed
}

type counts struct {
	reports, messages, retries, refused, lost, duplicated, reordered, damaged atomic.Int64
}

// NewFleet makes the fleet's clients; nothing runs until Run.
func NewFleet(cfg FleetConfig, log *slog.Logger) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sender, err := NewSender(cfg.Relay, cfg.TLS, cfg.Senders)
	if err != nil {
		return nil, err
	}
	return newFleet(cfg, sender, sender.Close, log), nil
}

func newFleet(cfg FleetConfig, relay courier, closeRelay func(), log *slog.Logger) *Fleet {
	if cfg.Start.IsZero() {
		cfg.Start = time.Now()
	}
	f := &Fleet{
		cfg: cfg, log: log, relay: relay, close: closeRelay, catalog: newCatalog(cfg.Seed),
		began: cfg.Start.UTC().Round(0).Truncate(time.Microsecond).Add(cfg.PatchDay - simulatedDay),
		wake:  make(chan struct{}, 1),
	}
	for i := range cfg.Clients {
		c := newSimulated(f, i)
		f.clients = append(f.clients, c)
		if c.silentFor > 0 {
			f.silent++
		}
	}
	return f
}

// Run sends until ctx ends, then finishes the reports under way and returns nil. It may be called once.
func (f *Fleet) Run(ctx context.Context) error {
	if err := f.begin(); err != nil {
		return err
	}
	defer f.close()
	f.log.Info("fleet started", "clients", len(f.clients), "silent", f.silent, "patch_day", f.cfg.PatchDay, "simulated", f.began)
	g, ctx := errgroup.WithContext(ctx)
	sending, stop := withGrace(ctx, stopGrace)
	defer stop()
	due := make(chan *simulated)
	g.Go(func() error { defer close(due); f.dispatch(ctx, due); return nil })
	for range f.cfg.Senders {
		g.Go(func() error {
			for c := range due {
				if err := f.step(ctx, sending, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	f.deliverHeldBack(sending)
	s := f.Stats()
	f.log.Info("fleet stopped", "reports", s.Reports, "messages", s.Messages, "lost", s.Lost, "duplicated", s.Duplicated, "damaged", s.Damaged, "refused", s.Refused)
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

// begin starts the clock and puts every client that will say something on the agenda.
func (f *Fleet) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.started.IsZero() {
		return errors.New("the fleet ran already; make a new one")
	}
	f.started = time.Now()
	for _, c := range f.clients {
		if err := c.recall(); err != nil {
			return err
		}
		if c.plan() {
			f.queue = append(f.queue, c)
		}
	}
	heap.Init(&f.queue)
	return nil
}

// dispatch hands out clients as they fall due, until ctx ends.
func (f *Fleet) dispatch(ctx context.Context, due chan<- *simulated) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c, wait := f.head()
		if c != nil {
			select {
			case <-ctx.Done():
				return
			case due <- c:
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		}
	}
}

// head takes the client that is due, or says how long to wait for one.
func (f *Fleet) head() (*simulated, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return nil, time.Hour
	}
	if wait := f.queue[0].due - time.Since(f.started); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&f.queue).(*simulated), 0
}

// step lets one client send what it has and puts it back on the agenda.
func (f *Fleet) step(ctx, sending context.Context, c *simulated) error {
	wait, err := c.send(ctx, sending)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if wait > 0 {
		c.due = time.Since(f.started) + wait
		c.sendAt = c.cycle(f.simulated(c.due))
	} else if !c.plan() {
		return nil
	}
	heap.Push(&f.queue, c)
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return nil
}

// deliverHeldBack brings what was kept back for reordering to the relay, when no successor will any more.
func (f *Fleet) deliverHeldBack(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(f.cfg.Senders)
	for _, c := range f.clients {
		if c.line.heldBack != nil {
			g.Go(func() error { c.line.deliverHeldBack(ctx); return nil })
		}
	}
	_ = g.Wait() // no function returns an error
}

// real is the real time since Run began at which a simulated time comes.
func (f *Fleet) real(at time.Duration) time.Duration {
	if at > simulatedDay {
		return f.cfg.PatchDay + at - simulatedDay
	}
	return time.Duration(float64(at) * float64(f.cfg.PatchDay) / float64(simulatedDay))
}

// simulated is the simulated time since the patch day began, a real time after Run began.
func (f *Fleet) simulated(after time.Duration) time.Duration {
	if after > f.cfg.PatchDay {
		return simulatedDay + after - f.cfg.PatchDay
	}
	return time.Duration(float64(after) * float64(simulatedDay) / float64(f.cfg.PatchDay))
}

// agenda is a heap of clients by when they are due.
type agenda []*simulated

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].due != a[j].due {
		return a[i].due < a[j].due
	}
	return a[i].index < a[j].index
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(c any)   { *a = append(*a, c.(*simulated)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	c := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return c
}

// Package ingest loads SMX files into ClickHouse; a file is removed only after its messages are stored, so a crash
// repeats work but loses and doubles nothing.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"statewire/inbox"
)

// drainAttempts is how often a drain tries a batch before it gives up and leaves the files waiting: half a minute.
const drainAttempts = 6

// errClaim says that the inbox itself could not be read.
var errClaim = errors.New("claim from the inbox")

// database is what the loader needs of the store.
type database interface {
	Conn() driver.Conn
	InsertContext(ctx context.Context) context.Context
}

// Deps is what a loader is given beside its configuration.
type Deps struct {
	Inbox      *inbox.Loader         // the inbox's one loader; the caller closes it
	Store      database              // where messages go
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is time.Now
	Progress   func(Totals)          // called after every batch, never at the same time twice; nil is not called
}

// Loader moves messages from one inbox into the store.
type Loader struct {
	// Constant after New.
	cfg      Config
	inbox    *inbox.Loader
	store    database
	log      *slog.Logger
	metrics  *metrics
	now      func() time.Time
	progress func(Totals)
	attempts int // tries of a batch before a drain gives up; 0 never gives up

	// One batch is being stored at a time; whoever holds mu may touch these.
	mu     sync.Mutex
	seen   *seen
	totals Totals
}

// Totals is what a loader has done since New.
type Totals struct {
	Files          int `json:"files"`           // files read, bad ones included
	Messages       int `json:"messages"`        // messages in readable reports, set-aside ones included
	Duplicates     int `json:"duplicates"`      // messages that were stored before
	InvalidRecords int `json:"invalid_records"` // messages set aside
	BadFiles       int `json:"bad_files"`       // files set aside whole
	Conflicts      int `json:"conflicts"`       // messages under a serial that a different message has
	Batches        int `json:"batches"`         // inserts
}

// New checks the configuration; nothing starts before Run or Drain.
func New(cfg Config, deps Deps) (*Loader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Loader{
		cfg:      cfg,
		inbox:    deps.Inbox,
		store:    deps.Store,
		log:      deps.Log,
		metrics:  newMetrics(deps.Registerer),
		now:      deps.Clock,
		progress: deps.Progress,
		seen:     newSeen(),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
}

// Run loads whatever arrives until ctx is done; then it finishes the batches in hand and returns nil.
func (l *Loader) Run(ctx context.Context) error {
	l.log.Info("loader started", "threads", l.cfg.LoaderThreads, "chunk_files", l.cfg.LoaderChunkFiles)
	g, gctx := errgroup.WithContext(ctx)
	wake := newBroadcast(l.inbox.Wake(gctx))
	g.Go(func() error { return wake.run(gctx) })
	g.Go(func() error { return l.heartbeats(gctx) })
	for id := range l.cfg.LoaderThreads {
		g.Go(func() error { return l.thread(gctx, id, wake) })
	}
	err := g.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		l.log.Info("loader stopped")
		return nil
	}
	return err
}

// Drain loads everything that waits and returns when the inbox is empty.
func (l *Loader) Drain(ctx context.Context) (Totals, error) {
	l.attempts = drainAttempts
	g, gctx := errgroup.WithContext(ctx)
	for id := range l.cfg.LoaderThreads {
		g.Go(func() error { return l.thread(gctx, id, nil) })
	}
	err := g.Wait()
	return l.Totals(), err
}

// Totals is what was done so far.
func (l *Loader) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// thread claims, decodes and stores until ctx is done or, without a wake-up to wait for, until nothing is left.
func (l *Loader) thread(ctx context.Context, id int, wake *broadcast) error {
	t := newThread(l, id)
	defer t.close()
	for ctx.Err() == nil {
		signal := wake.next() // before claiming: a file that comes after the claim is seen at once
		found, err := t.step(ctx)
		if errors.Is(err, errClaim) && wake != nil {
			l.log.Error("inbox cannot be read, trying again", "retry_in", claimRetry, "err", err)
			pause(ctx, claimRetry)
			continue
		}
		if err != nil {
			return ignoreStop(ctx, err)
		}
		if !found && wake == nil {
			break
		}
		if !found {
			t.wait(ctx, signal)
		}
	}
	return ignoreStop(ctx, t.finish(ctx))
}

// ignoreStop drops errors that only say that the loader was asked to stop.
func ignoreStop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// jitter spreads a delay over its upper half.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

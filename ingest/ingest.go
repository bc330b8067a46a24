// Package ingest loads SMX files into ClickHouse; a file is removed only after its messages are stored, so a crash
// repeats work but loses and doubles nothing.
//
// A run is a pipeline: one goroutine claims chunks of files, loader threads read and decode them into parts, one
// goroutine stores many parts as one insert, and some end the files of stored parts. All of it holds a bounded number
// of bytes.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/inbox"
)

// MemoryLimit is what a process that runs a loader should give to debug.SetMemoryLimit: with it, the engine's own bound
// (480 MiB) and the engine's code (200 MiB), the process stays below 1 GiB whatever waits in the inbox.
const MemoryLimit = 320 << 20

// drainAttempts is how often a drain tries a batch before it gives up and leaves the files waiting: half a minute.
const drainAttempts = 6

// database is what the loader needs of the store.
type database interface {
	Conn() driver.Conn
	// InsertPieces stores rows given column by column, in pieces, as one durable insert.
	InsertPieces(ctx context.Context, statement string, pieces [][]any) error
}

// Deps is what a loader is given beside its configuration.
type Deps struct {
	Inbox   *inbox.Loader // the inbox's one loader; the caller closes it
	Store   database      // where messages go
	Refused string        // the file in which the relay notes refused reports; empty: there is none
	// makes Store ready while the first Drain reads files already; Run wants it ready. nil: it is
	Open       func() error
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is time.Now
	Progress   func(Totals)          // called as files end, never at the same time twice; nil is not called
}

// Loader moves messages from one inbox into the store.
type Loader struct {
	// Constant after New.
	cfg      Config
	inbox    *inbox.Loader
	store    database
	open     func() error
	log      *slog.Logger
	metrics  *metrics
	now      func() time.Time
	progress func(Totals)
	retryMin time.Duration // the first delay while the store is away
	corrupt  corrupt

	flights flights

	running sync.Mutex // held by Run and Drain
	seen    *seen      // Guarded by running; owned by the storer.
	quota   quota      // Guarded by running; owned by who stores what else is known.
	titles  titles     // as quota
	tries   int        // Guarded by running. Of an insert, before a drain gives up; 0 never gives up.

	refusedReports refusedReports // Guarded by running.

	mu     sync.Mutex
	totals Totals // Guarded by mu.
}

// Totals is what a loader has done since New.
type Totals struct {
	Files          int `json:"files"`           // files ended, bad ones included
	Messages       int `json:"messages"`        // messages in readable reports, set-aside ones included
	Duplicates     int `json:"duplicates"`      // messages that were stored before
	InvalidRecords int `json:"invalid_records"` // messages set aside
	BadFiles       int `json:"bad_files"`       // files set aside whole
	// reports set aside whole of files whose others load; their messages are in no number
	BadReports int `json:"bad_reports"`
	Conflicts  int `json:"conflicts"` // messages under a serial that a different message has
	Batches    int `json:"batches"`   // inserts
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
		open:     sync.OnceValue(deps.Open),
		log:      deps.Log,
		metrics:  newMetrics(deps.Registerer),
		now:      deps.Clock,
		progress: deps.Progress,
		retryMin: retryMin,
		seen:     newSeen(),
		quota:    quota{most: cfg.SetAsidePerHour},
		titles:   newTitles(),

		refusedReports: refusedReports{file: deps.Refused},
	}
	if deps.Open == nil {
		l.open = func() error { return nil }
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
}

// Run loads whatever arrives until ctx is done; then it stores what was decoded and returns nil.
func (l *Loader) Run(ctx context.Context) error {
	l.running.Lock()
	defer l.running.Unlock()
	l.tries = 0
	l.log.Info("loader started", "threads", l.cfg.LoaderThreads, "chunk_files", l.cfg.LoaderChunkFiles)
	beating, stop := context.WithCancel(ctx)
	var hearts sync.WaitGroup
	hearts.Go(func() { l.heartbeats(beating) })
	hearts.Go(func() { l.ages(beating) })
	hearts.Go(func() { l.copyRefused(beating) })
	_, err := l.pipe(ctx, l.inbox.Wake(beating))
	stop()
	hearts.Wait()
	l.log.Info("loader stopped")
	return err
}

// Drain loads everything that waits and returns when the inbox is empty. An error says that the store stayed away or
// that files are left that could neither be loaded nor set aside.
func (l *Loader) Drain(ctx context.Context) (Totals, error) {
	l.running.Lock()
	defer l.running.Unlock()
	l.tries = drainAttempts
	for {
		chunks, err := l.pipe(ctx, nil)
		if err != nil {
			return l.Totals(), err
		}
		if chunks == 0 || ctx.Err() != nil {
			l.copyRefusedNow(ctx)
			return l.Totals(), l.leftOver()
		}
	}
}

func (l *Loader) leftOver() error {
	if files, _ := l.inbox.Postponed(); files > 0 {
		return fmt.Errorf("%d files stay in the inbox, the log says why of each: %w", files, errLeftOver)
	}
	return nil
}

// errLeftOver says that a drain left files behind.
var errLeftOver = errors.New("they could be neither loaded nor set aside")

// Totals is what was done so far.
func (l *Loader) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// add counts what was done.
func (l *Loader) add(done Totals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.totals
	t.Files += done.Files
	t.Messages += done.Messages
	t.Duplicates += done.Duplicates
	t.InvalidRecords += done.InvalidRecords
	t.BadFiles += done.BadFiles
	t.BadReports += done.BadReports
	t.Conflicts += done.Conflicts
	t.Batches += done.Batches
	if l.progress != nil {
		l.progress(*t)
	}
}

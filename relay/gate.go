package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"statewire/inbox"
)

// lookInterval is how often the gate looks at the disk and the backlog.
const lookInterval = time.Second

// storage tells the state of the inbox. Ready syncs a fresh probe file while a storage fault is open.
type storage interface {
	Ready() error
	Free() (bytes, inodes uint64, err error)
	Stats() (inbox.Stats, error)
}

// gate decides before a body is read whether a report may come in. It is closed the moment a commit fails, and opens
// only after a look at the inbox has found everything in order.
type gate struct {
	// Constant after newGate.
	cfg     Config
	inbox   storage
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time

	closed    atomic.Pointer[problem]
	uncounted rate.Sometimes

	// Guarded by mu: a look and a failing commit come from different goroutines.
	mu     sync.Mutex
	faults int // commits that failed, and disks that stalled
	stall  bool
}

func newGate(cfg Config, in storage, m *metrics, log *slog.Logger, now func() time.Time) *gate {
	return &gate{cfg: cfg, inbox: in, metrics: m, log: log, now: now, uncounted: rate.Sometimes{Interval: time.Hour}}
}

// refusal is why nothing may come in; nil when the gate is open.
func (g *gate) refusal() *problem { return g.closed.Load() }

// run looks at the inbox until ctx is done.
func (g *gate) run(ctx context.Context) error {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			g.look()
		}
	}
}

// look opens or closes the gate by what it finds. A fault that happens during the look keeps it closed until the next.
func (g *gate) look() {
	g.mu.Lock()
	before, stalled := g.faults, g.stall
	g.mu.Unlock()
	found := g.find()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.faults == before && !stalled && !g.stall {
		g.set(found)
	}
}

// find is the first thing that keeps reports out.
func (g *gate) find() *problem {
	if err := g.inbox.Ready(); err != nil {
		return g.fault(err)
	}
	if p := g.space(); p != nil {
		return p
	}
	return g.backlog()
}

// fault is the refusal for an error of the inbox. Its text goes to the log: paths are nobody's business out there.
func (g *gate) fault(err error) *problem {
	detail, code := "the relay's storage failed; it takes reports again once a probe file has reached the disk", codeStorageFault
	switch {
	case errors.Is(err, inbox.ErrDiskFull):
		detail, code = "the relay's disk is full", codeDiskFull
	case errors.Is(err, inbox.ErrMoved):
		detail = "the relay's inbox folder was moved or deleted"
	}
	p := refuse(code, "%s", detail).later(g.cfg.RetryAfter)
	p.cause = err
	return p
}

func (g *gate) space() *problem {
	bytes, inodes, err := g.inbox.Free()
	switch {
	case err != nil:
		return g.fault(err)
	case bytes < uint64(g.cfg.DiskReserve):
		return refuse(codeDiskFull, "the relay's disk has %d MiB left and keeps %d MiB in reserve", bytes>>20,
			g.cfg.DiskReserve>>20).later(g.cfg.RetryAfter)
	case inodes < uint64(g.cfg.InodeReserve):
		return refuse(codeDiskFull, "the relay's disk has %d inodes left and keeps %d in reserve", inodes,
			g.cfg.InodeReserve).later(g.cfg.RetryAfter)
	}
	return nil
}

func (g *gate) backlog() *problem {
	if g.cfg.BacklogFiles == 0 && g.cfg.BacklogAge == 0 {
		return nil
	}
	stats, err := g.inbox.Stats()
	if err != nil {
		g.uncounted.Do(func() { g.log.Warn("backlog not counted", "err", err) })
		return nil // the disk is in order, see find
	}
	waiting := stats.Waiting()
	age := waiting.Age(g.now())
	switch {
	case g.cfg.BacklogFiles > 0 && int64(waiting.Files) > g.cfg.BacklogFiles:
		return refuse(codeBacklog, "%d files wait to be loaded; at most %d may", waiting.Files, g.cfg.BacklogFiles).later(
			g.cfg.RetryAfter)
	case g.cfg.BacklogAge > 0 && age > g.cfg.BacklogAge:
		return refuse(codeBacklog, "the oldest file has waited %v to be loaded; at most %v are allowed",
			age.Round(time.Second), g.cfg.BacklogAge).later(g.cfg.RetryAfter)
	}
	return nil
}

// failed closes the gate on a commit that did not reach the disk, and is what its reports are answered.
func (g *gate) failed(err error) *problem {
	p := g.fault(err)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults++
	g.metrics.commitFailed.WithLabelValues(p.Code).Inc()
	g.log.Error("reports not stored", "code", p.Code, "err", err)
	g.set(p)
	return p
}

// stalled closes the gate while a commit hangs; with no commit hanging any more the next look decides.
func (g *gate) stalled(hangs bool) *problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stall == hangs {
		return g.closed.Load()
	}
	g.stall = hangs
	g.faults++
	if !hangs {
		return nil
	}
	p := refuse(codeStorageFault,
		"the relay's disk has not answered for %v; whether this report is stored is not known, sending it again does no harm", g.cfg.CommitTimeout).later(g.cfg.RetryAfter)
	g.metrics.commitFailed.WithLabelValues("stalled").Inc()
	g.set(p)
	return p
}

// set must be called with mu held.
func (g *gate) set(p *problem) {
	was := g.closed.Swap(p)
	switch {
	case p != nil && (was == nil || was.Code != p.Code):
		g.metrics.ready.Set(0)
		said := []any{"code", p.Code, "why", p.Detail}
		if p.cause != nil { // a disk that hangs says nothing
			said = append(said, "err", p.cause)
		}
		g.log.Error("reports are refused", said...)
	case p == nil && was != nil:
		g.metrics.ready.Set(1)
		g.log.Info("reports are taken again", "after", was.Code)
	case p == nil:
		g.metrics.ready.Set(1)
	}
}

package relay

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/inbox"
)

// putter makes a file durable: when it returns nil the file is synced, renamed and its folder synced.
type putter interface {
	Put(lane inbox.Lane, data []byte, at time.Time) (name string, err error)
}

// committer makes reports durable in groups: a writer takes whatever has arrived while it was busy, writes one file per
// lane, and answers only then. With one report waiting it writes a file of one; under load one sync serves many.
//
// A further writer joins in when as many reports wait as are under way. Where the disk is slow all clients end up waiting for it, and
// two files at a time let the file system join their syncs; where it is fast, one writer with larger files costs less.
type committer struct {
	// Constant after newCommitter.
	inbox    putter
	gate     *gate
	metrics  *metrics
	log      *slog.Logger
	now      func() time.Time
	maxBytes int64
	timeout  time.Duration
	wake     chan struct{}
	writers  []*writer

	// Guarded by mu.
	mu       sync.Mutex
	waiting  []*delivery
	underWay int // reports that writers have taken and not answered
}

func newCommitter(cfg Config, in putter, g *gate, m *metrics, log *slog.Logger, now func() time.Time) *committer {
	c := &committer{
		inbox: in, gate: g, metrics: m, log: log, now: now,
		maxBytes: cfg.MaxFileBytes, timeout: cfg.CommitTimeout, wake: make(chan struct{}, 1),
	}
	for range writers {
		c.writers = append(c.writers, &writer{committer: c})
	}
	return c
}

// deliver returns when the report is durable, or says why it is not.
func (c *committer) deliver(d *delivery) *problem {
	c.mu.Lock()
	c.waiting = append(c.waiting, d)
	due := c.due()
	c.mu.Unlock()
	if due {
		select {
		case c.wake <- struct{}{}:
		default: // a writer is about to look
		}
	}
	<-d.done
	return d.refused
}

// due says whether a writer that is free should begin a file. It must be called with mu held.
func (c *committer) due() bool { return len(c.waiting) > 0 && len(c.waiting) >= c.underWay }

// run commits until ctx is done and nothing waits.
func (c *committer) run(ctx context.Context) error {
	var group errgroup.Group
	for _, w := range c.writers {
		group.Go(func() error { return w.run(ctx) })
	}
	return group.Wait()
}

func (w *writer) run(ctx context.Context) error {
	for {
		select {
		case <-w.wake:
			runtime.Gosched() // requests that are ready to run join the file; with none there is no wait
			w.commit()
		case <-ctx.Done():
			w.commit()
			return nil
		}
	}
}

// watch gives requests up when the disk does not answer.
func (c *committer) watch(ctx context.Context) error {
	tick := time.NewTicker(min(time.Second, c.timeout/4))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.giveUp(time.Now())
		}
	}
}

// giveUp answers everybody who waits for a file that has been under way for too long. What becomes of it is not known: it may
// yet reach the disk, and then a resend is the same messages again.
func (c *committer) giveUp(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hangs := false
	for _, w := range c.writers {
		hangs = hangs || !w.since.IsZero() && now.Sub(w.since) > c.timeout
	}
	refused := c.gate.stalled(hangs)
	if !hangs {
		return
	}
	for _, d := range c.waiting {
		d.abandon(refused)
	}
	c.waiting = nil
	for _, w := range c.writers {
		for _, d := range w.inHand {
			d.abandon(refused)
		}
		w.inHand = nil
	}
}

func (d *delivery) abandon(refused *problem) {
	d.refused, d.abandoned = refused, true
	d.done <- struct{}{}
}

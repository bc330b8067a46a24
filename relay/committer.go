package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"statewire/inbox"
)

// putter makes a file durable: when it returns nil the file is synced, renamed and its folder synced.
type putter interface {
	Put(lane inbox.Lane, data []byte, at time.Time) (name string, err error)
}

// committer makes reports durable in groups: its writer takes whatever has arrived while it was busy, writes one file
// per lane, and answers only then. With one report waiting it writes a file of one; under load one sync serves many.
//
// There is one writer. A second one halves the files' sizes, and a file costs as much processor time as the reading of
// five reports.
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
	writer   *writer

	// Guarded by mu.
	mu      sync.Mutex
	waiting []*delivery
}

func newCommitter(cfg Config, in putter, g *gate, m *metrics, log *slog.Logger, now func() time.Time) *committer {
	c := &committer{
		inbox: in, gate: g, metrics: m, log: log, now: now,
		maxBytes: cfg.MaxFileBytes, timeout: cfg.CommitTimeout, wake: make(chan struct{}, 1),
	}
	c.writer = &writer{committer: c}
	return c
}

// deliver returns when the report is durable, or says why it is not.
func (c *committer) deliver(d *delivery) *problem {
	c.mu.Lock()
	c.waiting = append(c.waiting, d)
	first := len(c.waiting) == 1
	c.mu.Unlock()
	if first {
		select {
		case c.wake <- struct{}{}:
		default: // the writer has not looked since it was told of another
		}
	}
	<-d.done
	return d.refused
}

// run commits until ctx is done and nothing waits.
func (c *committer) run(ctx context.Context) error {
	for {
		select {
		case <-c.wake:
			c.writer.commit()
		case <-ctx.Done():
			c.writer.commit()
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

// giveUp answers everybody who waits for a file that has been under way for too long. What becomes of that file is not
// known: it may yet reach the disk, and then a resend is the same messages again. The reports behind it are not written
// any more.
func (c *committer) giveUp(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.writer
	hangs := !w.since.IsZero() && now.Sub(w.since) > c.timeout
	refused := c.gate.stalled(hangs)
	if !hangs {
		return
	}
	abandon(c.waiting, refused)
	abandon(w.inHand, refused)
	c.waiting, w.inHand = nil, nil
}

// abandon answers requests without their reports. The caller holds mu, so it never waits: a delivery is answered once,
// and done has room for that one answer.
func abandon(deliveries []*delivery, refused *problem) {
	for _, d := range deliveries {
		d.refused, d.abandoned = refused, true
		d.done <- struct{}{}
	}
}

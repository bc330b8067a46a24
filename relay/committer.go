package relay

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// putter makes a file durable: when it returns nil the file is synced, renamed and its folder synced.
type putter interface {
	Put(lane inbox.Lane, data []byte, at time.Time) (name string, err error)
}

// committer makes reports durable in groups: it takes whatever has arrived while it was busy, writes one file per lane,
// and answers only then. With one report waiting it writes a file of one; under load one sync serves many.
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

	// Owned by run.
	batch   []*delivery
	reports []smx.Accepted
	file    []byte

	// Guarded by mu.
	mu      sync.Mutex
	waiting []*delivery
	inHand  []*delivery // the part of batch that is not answered
	since   time.Time   // when the file being written was begun; zero when none is
}

func newCommitter(cfg Config, in putter, g *gate, m *metrics, log *slog.Logger, now func() time.Time) *committer {
	return &committer{
		inbox: in, gate: g, metrics: m, log: log, now: now,
		maxBytes: cfg.MaxFileBytes, timeout: cfg.CommitTimeout, wake: make(chan struct{}, 1),
	}
}

// deliver returns when the report is durable, or says why it is not.
func (c *committer) deliver(d *delivery) *problem {
	c.mu.Lock()
	c.waiting = append(c.waiting, d)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default: // it is awake and will look again
	}
	<-d.done
	return d.refused
}

// run commits until ctx is done and nothing waits.
func (c *committer) run(ctx context.Context) error {
	for {
		select {
		case <-c.wake:
			runtime.Gosched() // requests that are ready to run join the first file; with none there is no wait
			c.commit()
		case <-ctx.Done():
			c.commit()
			return nil
		}
	}
}

// commit writes whatever waits, and what arrives meanwhile.
func (c *committer) commit() {
	for {
		batch := c.take()
		if len(batch) == 0 {
			return
		}
		for len(batch) > 0 {
			n := c.fileLen(batch)
			c.commitFile(batch[:n], batch[n:])
			batch = batch[n:]
		}
	}
}

// take returns what waits, the high lane first.
func (c *committer) take() []*delivery {
	c.mu.Lock()
	clear(c.batch)
	c.batch, c.waiting = c.waiting, c.batch[:0]
	c.inHand = c.batch
	c.mu.Unlock()
	slices.SortStableFunc(c.batch, func(a, b *delivery) int { return int(a.lane) - int(b.lane) })
	return c.batch
}

// fileLen is how many of the reports go into the next file: those of one lane, up to the file's size.
func (c *committer) fileLen(batch []*delivery) int {
	size := int64(0)
	for i, d := range batch {
		size += int64(len(d.report.Body))
		if i > 0 && (d.lane != batch[0].lane || size > c.maxBytes) {
			return i
		}
	}
	return len(batch)
}

// commitFile makes one file durable and then answers everybody whose report is in it.
func (c *committer) commitFile(batch, rest []*delivery) {
	began := time.Now()
	c.hold(batch[:len(batch)+len(rest)], began)
	for _, d := range batch {
		c.reports = append(c.reports, d.report)
	}
	c.file = smx.AppendFile(c.file[:0], c.reports)
	name, err := c.inbox.Put(batch[0].lane, c.file, c.now())
	var refused *problem
	if err != nil {
		refused = c.gate.failed(err)
	} else {
		c.measure(began)
	}
	c.hold(rest, time.Time{})
	for _, d := range batch {
		d.finish(name, refused)
	}
	c.forget()
}

// hold names the reports that giveUp may answer, and since when their file is under way.
func (c *committer) hold(inHand []*delivery, since time.Time) {
	c.mu.Lock()
	c.inHand, c.since = inHand, since
	c.mu.Unlock()
}

// finish answers the request that waits, unless it was given up.
func (d *delivery) finish(file string, refused *problem) {
	if d.abandoned {
		return
	}
	d.file, d.refused = file, refused
	d.done <- struct{}{}
}

func (c *committer) measure(began time.Time) {
	c.metrics.commit.Observe(time.Since(began).Seconds())
	c.metrics.batch.Observe(float64(len(c.reports)))
	c.metrics.batchBytes.Observe(float64(len(c.file)))
}

// forget lets go of the reports of a file, whose buffers the requests take back.
func (c *committer) forget() {
	clear(c.reports)
	c.reports = c.reports[:0]
	if cap(c.file) > 4<<20 {
		c.file = nil
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
	hangs := !c.since.IsZero() && now.Sub(c.since) > c.timeout
	refused := c.gate.stalled(hangs)
	if !hangs {
		return
	}
	for _, d := range c.inHand {
		d.abandon(refused)
	}
	for _, d := range c.waiting {
		d.abandon(refused)
	}
	c.waiting = nil
	c.inHand = nil
}

func (d *delivery) abandon(refused *problem) {
	d.refused, d.abandoned = refused, true
	d.done <- struct{}{}
}

package inbox

import (
	"context"
	"errors"
	"time"

	"statewire/inbox/disk"
	"statewire/internal/backoff"

	"github.com/fsnotify/fsnotify"
)

// Wake returns a channel that gets a value when files may be waiting: soon after one arrives, when a postponed file is
// due, and at the latest every Config.PollInterval. It works, by polling alone, when folders can't be watched. It ends
// with ctx or the loader, without closing the channel.
func (l *Loader) Wake(ctx context.Context) <-chan struct{} {
	h := &hints{loader: l, wake: make(chan struct{}, 1), folders: l.dir.reopened.Load()}
	h.open()
	l.wakers.Go(func() { h.run(ctx) })
	return h.wake
}

// hints turns events, due times and the clock into wakes.
type hints struct {
	// Constant after Wake.
	loader *Loader
	wake   chan struct{}

	// Owned by run.
	watcher disk.Watcher // nil when folders can't be watched, until the next poll
	blind   bool         // the latest attempt to watch failed
	folders uint64       // which opening of the folders is watched
}

func (h *hints) run(ctx context.Context) {
	defer h.close()
	poll := time.NewTimer(h.pollDelay())
	defer poll.Stop()
	due := time.NewTimer(0) // looks at once whether something is due
	defer due.Stop()
	look := time.NewTicker(h.loader.dir.config.ProbeInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.loader.closed:
			return
		case e, ok := <-h.events():
			h.event(e, ok)
		case err := <-h.errors():
			h.failed(err)
		case <-poll.C:
			h.poll()
			poll.Reset(h.pollDelay())
		case <-due.C:
			h.rearm(due)
		case <-h.loader.kicked:
			h.rearm(due)
		case <-look.C:
			h.look()
		}
	}
}

func (h *hints) send() {
	select {
	case h.wake <- struct{}{}:
	default: // one that was not taken yet says the same
	}
}

func (h *hints) event(e fsnotify.Event, ok bool) {
	switch {
	case !ok:
		h.close()
	case e.Has(fsnotify.Create) || e.Has(fsnotify.Write):
		h.send()
	}
}

// failed wakes at once: whatever the watcher lost may be waiting.
func (h *hints) failed(err error) {
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		h.loader.dir.counts.add("watch_overflow", 1)
		h.send()
		return
	}
	h.loader.dir.log.Warn("watching the inbox failed; polling until it works again", "root", h.loader.dir.root, "err", err)
	h.close()
	h.send()
}

// poll looks without a hint, and tries to watch again where that failed.
func (h *hints) poll() {
	if h.watcher == nil {
		h.open()
	}
	h.send()
}

// look has folders opened anew that were moved or deleted, and watches those that are in their place.
func (h *hints) look() {
	dir := h.loader.dir
	_ = dir.inPlace() // the next claim says what is wrong
	if n := dir.reopened.Load(); n != h.folders {
		h.folders = n
		h.close()
		h.open()
		h.send()
	}
}

func (h *hints) open() {
	w, err := h.loader.watch()
	if err == nil {
		h.watcher, h.blind = w, false
		return
	}
	if !h.blind {
		h.loader.dir.log.Warn("the inbox can't be watched; polling", "root", h.loader.dir.root,
			"every", h.loader.dir.config.PollInterval, "err", err)
	}
	h.blind = true
}

func (h *hints) close() {
	if h.watcher == nil {
		return
	}
	if err := h.watcher.Close(); err != nil {
		h.loader.dir.log.Warn("closing the inbox's watch failed", "root", h.loader.dir.root, "err", err)
	}
	h.watcher = nil
}

func (h *hints) events() <-chan fsnotify.Event {
	if h.watcher == nil {
		return nil
	}
	return h.watcher.Events()
}

func (h *hints) errors() <-chan error {
	if h.watcher == nil {
		return nil
	}
	return h.watcher.Errors()
}

// pollDelay is the poll interval or a little less, so that many sites do not poll one disk together.
func (h *hints) pollDelay() time.Duration {
	interval := h.loader.dir.config.PollInterval
	return backoff.Jitter(interval-interval/10, interval/10+1)
}

// rearm wakes when something is due, and sets the timer for what will be.
func (h *hints) rearm(due *time.Timer) {
	due.Stop()
	freed, at := h.loader.takeDue()
	if at.IsZero() && !freed {
		return
	}
	wait := time.Until(at)
	if freed || wait <= 0 {
		h.send()
	}
	if wait <= 0 {
		wait = h.loader.dir.config.RetryMin // leaves time to claim what is due
	}
	if !at.IsZero() {
		due.Reset(wait)
	}
}

// takeDue tells whether a claim was given up since the last call, and when the first file is due to be tried again, or
// a look.
func (l *Loader) takeDue() (freed bool, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	freed, l.freed = l.freed, false
	due = earlier(l.firstDue(), l.look.alarm())
	for _, e := range l.undeleted {
		due = earlier(due, e.due)
	}
	return freed, due
}

// earlier is the earlier of two times that may be zero for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// kick makes Wake look at what is due.
func (l *Loader) kick() {
	select {
	case l.kicked <- struct{}{}:
	default:
	}
}

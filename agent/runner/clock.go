package runner

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
)

// mostAhead is how far the site's own word may be ahead of what a key vouched for to be believed.
const mostAhead = 24 * time.Hour

// keepTime is how much greater a time is than the one on disk before it is kept too, where this tells nothing new as
// long as the machine runs.
const keepTime = time.Minute

// Clock tells a runner the time.
type Clock struct {
	Wall func() time.Time     // only stamps what people read
	Boot func() time.Duration // never jumps, and goes on while the machine sleeps
	Run  func() string        // names the run of the machine that Boot counts; empty: it cannot be told
}

func (c Clock) orSystem() Clock {
	system := systemClock()
	if c.Wall == nil {
		c.Wall = system.Wall
	}
	if c.Boot == nil {
		c.Boot = system.Boot
	}
	if c.Run == nil {
		c.Run = system.Run
	}
	return c
}

// clock is the site's time as far as the client knows it: the greatest that a key vouched for, and what has passed
// since.
type clock struct {
	// Constant after begin.
	Clock
	store Store
	site  func() string

	stored   time.Time     // the greatest that a key vouched for and that is on disk
	signed   time.Time     // the greatest at all; zero: none was seen
	signedAt time.Duration // when, on Boot
	told     time.Time     // the site's own word; it is never kept
	toldAt   time.Duration
	known    bool // somebody said the time since the start, or the machine's clock has gone on
	of       uuid.UUID
}

// begin reads what was kept. What another site vouched for is nothing.
func (c *clock) begin(base Clock, store Store, site func() string) error {
	c.Clock, c.store, c.site = base, store, site
	kept, err := store.TaskTime()
	if err != nil {
		return fmt.Errorf("read the greatest time of tasks: %w", err)
	}
	c.of = siteID(site)
	if kept.Time.IsZero() || kept.Site != c.of {
		return nil
	}
	c.stored, c.signed, c.signedAt = kept.Time, kept.Time, c.Boot()
	if run := c.Run(); run != "" && run == kept.Boot && kept.Since <= c.signedAt {
		c.signedAt, c.known = kept.Since, true
	}
	return nil
}

// now is the time by which tasks end: what a key vouched for and has passed since, or the site's own word where that is
// later, and by no more than a day. Zero: nobody has said any.
func (c *clock) now() time.Time {
	c.follow()
	now := c.vouched()
	if c.told.IsZero() || now.IsZero() {
		return now
	}
	if told := c.told.Add(c.Boot() - c.toldAt); told.After(now) && told.Sub(now) <= mostAhead {
		return told
	}
	return now
}

func (c *clock) vouched() time.Time {
	if c.signed.IsZero() {
		return time.Time{}
	}
	return c.signed.Add(c.Boot() - c.signedAt)
}

// follow forgets the time of a site that the client has left.
func (c *clock) follow() {
	if of := siteID(c.site); of != c.of {
		c.of, c.stored, c.signed, c.told = of, time.Time{}, time.Time{}, time.Time{}
	}
}

// vouch takes a time that a key vouched for, and keeps it if it is the greatest.
func (c *clock) vouch(at time.Time) error {
	c.follow()
	c.known = true
	if !at.After(c.signed) {
		return nil
	}
	since, news := c.Boot(), at.After(c.vouched())
	if !news { // it is late: what has passed goes on to count
		since = c.signedAt + at.Sub(c.signed)
	}
	c.signed, c.signedAt = at, since
	if !news && at.Sub(c.stored) < keepTime {
		return nil
	}
	err := c.store.KeepTaskTime(cache.TaskTime{Site: c.of, Time: at, Boot: c.Run(), Since: c.signedAt})
	if err != nil {
		return fmt.Errorf("keep the greatest time of tasks: %w", err)
	}
	c.stored = at
	return nil
}

// hear takes the site's own word.
func (c *clock) hear(at time.Time) { c.told, c.toldAt, c.known = at, c.Boot(), true }

// heed takes a signed time, if a task key of the site signed it before its end.
func (r *Runner) heed(at wire.SignedTime) {
	site, err := uuid.Parse(r.d.Site())
	if err != nil {
		return
	}
	key, notAfter, ok := r.d.Trust().TaskVerifier(at.Key)
	if !ok || !at.Time.Before(notAfter) || !at.Verify(key, site) {
		r.doubt("time of the site not believed", "time", at.Time)
		return
	}
	if err := r.clock.vouch(at.Time); err != nil {
		r.warn("time of the site not kept", "err", err)
	}
}

func siteID(site func() string) uuid.UUID {
	id, _ := uuid.Parse(site()) // none is the zero one
	return id
}

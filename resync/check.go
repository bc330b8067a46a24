package resync

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

const (
	// fullInterval is the time between two checks that compare the states of every client; those between compare
	// clients that changed. Serials are compared of every client each time.
	fullInterval = 24 * time.Hour
	// heldRows is how many held clients a result names.
	heldRows = 1000
)

// Check makes one gap check, as the hourly job does: it finds what is missing, and asks the clients that may be asked.
// Only one check runs at a time.
func (s *Service) Check(ctx context.Context, o CheckOptions) (Result, error) {
	if err := s.enter(ctx); err != nil {
		return Result{}, err
	}
	defer s.leave()
	return s.check(ctx, o)
}

// enter waits until nothing else changes what the service knows.
func (s *Service) enter(ctx context.Context) error {
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the gap check that runs: %w", ctx.Err())
	}
}

func (s *Service) leave() { <-s.busy }

// check counts what checkOnce does.
func (s *Service) check(ctx context.Context, o CheckOptions) (Result, error) {
	began := time.Now()
	r, err := s.checkOnce(ctx, o)
	r.Took = time.Since(began)
	s.metrics.check(r, err)
	if err != nil || r.DryRun {
		return r, err
	}
	if o.refill && r.stopped {
		r.Waiting = max(r.Waiting, s.waiting-r.IssuedTotal, 1)
	}
	s.waiting = r.Waiting
	if !o.refill {
		s.metrics.holds(r)
	}
	if err := s.ledger.keepCheck(ctx, r); err != nil {
		return r, err
	}
	s.logCheck(ctx, r, o)
	return r, nil
}

// logCheck writes a line per check; refills that asked nobody are not news.
func (s *Service) logCheck(ctx context.Context, r Result, o CheckOptions) {
	level, text := slog.LevelInfo, "gap check"
	if o.refill {
		text = "free places of resyncs looked at"
	}
	if o.refill && r.IssuedTotal == 0 {
		level = slog.LevelDebug
	}
	attrs := []any{"kind", r.Kind, "compared", r.Gaps.Compared, "looked_at", r.Gaps.Looked, "clients", r.Gaps.Clients,
		"ranges", r.Gaps.Ranges, "messages", r.Gaps.Messages, "opened", r.Gaps.Opened, "closed", r.Gaps.Closed,
		"late", r.Gaps.Late, "postponed", r.Gaps.Postponed, "conflicts", r.Gaps.Conflicts, "differs", r.Gaps.Differs,
		"issued", r.IssuedTotal, "outstanding", r.Outstanding, "waiting", r.Waiting}
	for _, hold := range holds {
		if n := r.HeldTotals[hold]; n > 0 {
			attrs = append(attrs, "held_"+hold, n)
		}
	}
	if r.UnreadReason != "" {
		attrs = append(attrs, "unread", r.UnreadReason)
	}
	s.log.Log(ctx, level, text, append(attrs, "took", r.Took)...)
}

// checkOnce keeps an order on which the hold rests: claims first, then the list of unread reports, then the search for
// gaps. A report that was on disk before the list was made is in the list, or its messages are visible to the search.
func (s *Service) checkOnce(ctx context.Context, o CheckOptions) (Result, error) {
	now, line, err := s.prepare(ctx, o.At)
	if err != nil {
		return Result{}, err
	}
	full := o.Full || !o.At.IsZero() || s.lastFull.IsZero() || now.Sub(s.lastFull) >= fullInterval
	r := Result{At: now, Kind: kindIncremental, DryRun: o.DryRun}
	if full {
		r.Kind = kindFull
	}
	unread, err := s.find(ctx, &r, scan{at: now, dry: o.DryRun, full: full, anew: o.Full, rows: o.Rows})
	if err != nil {
		return r, err
	}
	if err := s.ask(ctx, &r, line, unread, o); err != nil || o.DryRun {
		return r, err
	}
	s.lastRound = s.now().UTC()
	if !o.At.IsZero() {
		return r, nil // a person's clock leaves no trace in the site's own
	}
	if full {
		s.lastFull = now
	}
	return r, s.keepClock(ctx, now)
}

// find lists the unread reports and then searches for gaps. No claim is stored meanwhile: one that came after the list
// may be of a report that came after it, too, and would open a range that was never missing.
func (s *Service) find(ctx context.Context, r *Result, q scan) (gaps.Unread, error) {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	q.unread = s.listUnread(ctx)
	var err error
	r.Gaps, err = s.ledger.find(ctx, q)
	return q.unread, err
}

// prepare reads what the service remembers, makes claims and pickups visible, and says what time it is.
func (s *Service) prepare(ctx context.Context, at time.Time) (time.Time, timeline, error) {
	if err := s.load(ctx); err != nil {
		return at, timeline{}, err
	}
	if err := s.flush(ctx); err != nil {
		return at, timeline{}, err
	}
	if !at.IsZero() {
		return at.UTC(), timeline{}, nil
	}
	return s.now().UTC(), s.line, nil
}

// listUnread lists whose reports wait. What cannot be listed may be anybody's.
func (s *Service) listUnread(ctx context.Context) gaps.Unread {
	unread, err := s.unread(ctx)
	if err != nil {
		s.log.Warn("unread reports not listed, no resync is issued", "err", err)
		return gaps.Unread{Everybody: true, Reason: err.Error()}
	}
	return unread
}

// ask runs one round: whoever is to be asked is taken in order until the places are filled. unread was listed before
// the search for gaps.
func (s *Service) ask(ctx context.Context, r *Result, line timeline, unread gaps.Unread, o CheckOptions) error {
	cfg := *s.cfg.Load()
	owing, err := s.owingAt(ctx, r.At, line)
	if err != nil {
		return err
	}
	round := newRound(r.At, line, cfg, unread, owing)
	query := wantQuery{now: r.At, line: line, cfg: cfg, all: !o.refill, dry: o.DryRun}
	for _, source := range []wantSource{s.ledger.requests, s.ledger.wants} {
		if err := source(ctx, query, r.taker(round, o.refill)); err != nil {
			return err
		}
	}
	if unread.Everybody {
		r.UnreadReason = unread.Reason
	}
	if !r.DryRun {
		if err := s.issue(ctx, round); err != nil {
			return err
		}
	}
	r.report(round, o)
	return nil
}

// owingAt is who owes an answer: by the service's own clock, and then the offers learn of it, or by a clock that a
// person set.
func (s *Service) owingAt(ctx context.Context, now time.Time, line timeline) (owing, error) {
	if line != (timeline{}) {
		return s.refresh(ctx, now)
	}
	owing, _, err := s.ledger.owing(ctx, time.Unix(0, 0), now)
	maps.DeleteFunc(owing, func(_ smx.ClientID, r resync) bool { return r.expired })
	return owing, err
}

// wantSource yields clients to ask in the order in which they are served, until take answers false.
type wantSource func(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error

// taker lets the round decide about wants. A refill stops when the places are filled: it counts nobody.
func (r *Result) taker(round *round, refill bool) func(gaps.Candidate) bool {
	return func(w gaps.Candidate) bool {
		if hold := round.take(w); hold != "" && len(r.Held) < heldRows {
			r.Held = append(r.Held, Held{Client: w.Client.UUID(), Reason: w.Reason, Since: w.Since, Hold: hold})
		}
		r.stopped = refill && round.full()
		return !r.stopped
	}
}

// issue makes a round's resyncs durable, then offers them to the relay: no client learns of a request that the site
// could forget.
func (s *Service) issue(ctx context.Context, r *round) error {
	if len(r.issue) == 0 {
		return nil
	}
	if err := s.expire(ctx, r.givenUp(), r.now); err != nil {
		return err
	}
	if err := s.ledger.issue(ctx, r.issue); err != nil {
		return err
	}
	s.offers.add(r.issue)
	s.tellOffered()
	for _, one := range r.issue {
		s.metrics.issued.Inc()
		s.metrics.issuedBy.WithLabelValues(one.reason).Inc()
	}
	return nil
}

// report writes what a round decided into the result.
func (r *Result) report(round *round, o CheckOptions) {
	r.IssuedTotal, r.Outstanding, r.HeldTotals = len(round.issue), round.outstanding, round.held
	r.Waiting = round.held[heldUnread] + round.held[heldUnknown] + round.held[heldBound]
	for i, one := range round.issue {
		if o.Rows >= 0 && i >= o.Rows {
			break
		}
		r.Issued = append(r.Issued, one.public())
	}
}

func (one resync) public() Issued {
	return Issued{Client: one.client.UUID(), Number: one.number, Reason: one.reason, By: one.by, NextSerial: one.next,
		Time: one.issued}
}

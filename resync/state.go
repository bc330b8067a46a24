package resync

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// load reads what the service remembers; once is enough.
func (s *Service) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	row, err := s.ledger.clock(ctx)
	if err != nil {
		return err
	}
	s.clockRow = row
	s.line = timeline{epoch: row.epoch, before: row.before}.follow(row.checked, s.began)
	if s.line.epoch != row.epoch {
		s.log.Warn("the last gap check lies in the future or long ago; what is missing counts from now on",
			"last_check", row.checked, "now", s.began)
	}
	// A check by a given clock must not write what expired by this one: the first check of the site's own clock does.
	if _, err := s.look(ctx, s.now().UTC(),
		func(context.Context, []resync, time.Time) error { return nil }); err != nil {
		return err
	}
	s.lastLook = time.Time{}
	open, err := s.ledger.recorded(ctx)
	if err != nil {
		return err
	}
	s.metrics.found(open, s.now())
	if err := s.tellChecked(ctx); err != nil {
		return err
	}
	s.offers.open()
	s.tellOffered()
	s.loaded = true
	return nil
}

// refresh reads who owes an answer, writes down whose time is over, counts who completed since the last look, and
// returns those who still owe.
func (s *Service) refresh(ctx context.Context, now time.Time) (owing, error) {
	return s.look(ctx, now, s.expire)
}

// look is refresh with what is done with those whose time is over.
func (s *Service) look(ctx context.Context, now time.Time,
	expire func(context.Context, []resync, time.Time) error) (owing, error) {
	cfg := s.cfg.Load()
	window := cfg.offeredFor()
	looked, before := s.lastLook, s.lastWindow
	owed, picked, err := s.ledger.owing(ctx, s.lookBack(now, window), now)
	if err != nil {
		s.lastLook, s.lastWindow = looked, before
		return nil, err
	}
	late := owing{}
	var news []resync
	for client, r := range owed {
		if !r.expired && s.line.askedFor(r.issued, now) < window {
			continue
		}
		late[client] = r
		delete(owed, client)
		if !r.expired {
			news = append(news, r)
		}
	}
	if err := expire(ctx, news, now); err != nil {
		s.lastLook, s.lastWindow = looked, before
		return nil, err
	}
	gone := s.offers.replace(owed, picked)
	s.tellOffered() // what another process asked
	for client := range gone {
		_, again := owed[client] // asked by another process, which counts what became of this one
		if _, expired := late[client]; !again && !expired {
			s.metrics.completed.Inc()
		}
	}
	s.metrics.outstanding.Set(float64(owed.within(cfg.MergeInterval, s.line, now)))
	return owed, nil
}

// keepClock notes that a check ran, for the next process.
func (s *Service) keepClock(ctx context.Context, now time.Time) error {
	if s.line == (timeline{}) {
		return nil
	}
	row := clockRow{number: s.clockRow.number + 1, checked: now, epoch: s.line.epoch, before: s.line.before}
	if err := s.ledger.keepClock(ctx, row); err != nil {
		return err
	}
	s.clockRow = row
	return nil
}

// flush makes claims and pickups durable; whatever was said before the call is when it returns nil. What could not be
// stored is kept for the next time.
func (s *Service) flush(ctx context.Context) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	claims, pickups := s.offers.take()
	if len(claims) == 0 && len(pickups) == 0 {
		return nil
	}
	if err := s.ledger.note(ctx, claims, pickups); err != nil {
		dropped := s.offers.giveBack(claims, pickups)
		s.metrics.recordsDropped.Add(float64(dropped))
		return fmt.Errorf("store what clients said when they asked for their policy: %w", err)
	}
	s.offers.stored()
	return nil
}

// step is one look of Run: a check when it is due; else, while clients wait to be asked, a search among what changed
// since, so that free places are filled; else a look at who completed.
func (s *Service) step(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return nil
	}
	defer s.leave()
	if err := s.load(ctx); err != nil {
		return err
	}
	now := s.now().UTC()
	if now.Sub(s.lastCheck) >= s.cfg.Load().CheckInterval || s.lastCheck.IsZero() {
		return errors.Join(s.eraseLate(ctx, time.Unix(0, 0)), s.dueCheck(ctx, now), s.retireSilent(ctx, now),
			s.tellChecked(ctx))
	}
	if err := s.eraseLate(ctx, now.Add(-eraseWatch)); err != nil {
		return err
	}
	owed, err := s.refresh(ctx, now)
	if err != nil {
		return err
	}
	if s.waiting > 0 && s.worth(s.free(owed, now), now) {
		_, err = s.check(ctx, CheckOptions{refill: true})
	}
	return err
}

// dueCheck is the hourly one; one that fails is due again at the next look.
func (s *Service) dueCheck(ctx context.Context, now time.Time) error {
	_, err := s.check(ctx, CheckOptions{})
	if err == nil {
		s.lastCheck = now
	}
	return err
}

// eraseLate removes what came late of clients erased since a time; nothing where nobody erases.
func (s *Service) eraseLate(ctx context.Context, since time.Time) error {
	if s.denier == nil {
		return nil
	}
	return s.eraseAgain(ctx, since)
}

// retireWait is how long a site runs before it retires anybody: after a pause of its own everybody was silent.
const retireWait = 4 * time.Hour

// retireSilent retires clients that were silent for as long as the configuration says, by a clock that is trusted.
func (s *Service) retireSilent(ctx context.Context, now time.Time) error {
	if s.retirer == nil || now.Sub(s.began) < retireWait {
		return nil
	}
	after := s.retirer.RetireAfter()
	if after == 0 {
		return nil
	}
	_, err := s.retirer.RetireSilent(ctx, s.line.issuedSince(now, after), after)
	return err
}

// worth says whether filling so many free places is worth a search for gaps: a twentieth of all, or some after a while.
func (s *Service) worth(free int, now time.Time) bool {
	return free > 0 && (free*20 >= s.cfg.Load().MaxOutstanding || now.Sub(s.lastRound) >= refillWait)
}

// free is how many more clients may be asked.
func (s *Service) free(owed owing, now time.Time) int {
	cfg := s.cfg.Load()
	return cfg.MaxOutstanding - owed.within(cfg.MergeInterval, s.line, now)
}

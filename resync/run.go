package resync

import (
	"context"
	"time"

	"statewire/internal/backoff"

	"golang.org/x/sync/errgroup"
)

const (
	// lookInterval is the time between two looks at what is to be done: a check that is due, or places that became
	// free.
	lookInterval = time.Minute
	// refillWait is how long a few free places may wait for more.
	refillWait = 10 * time.Minute
	// flushInterval is how long a claim or a pickup may wait for the store.
	flushInterval = 5 * time.Second
	// stopTimeout bounds the last flush.
	stopTimeout = 5 * time.Second
)

// Run checks at start and then every check interval, wakes the clients that are asked, and stores what clients say when
// they ask for their policy, until ctx is done. What fails is logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return s.every(ctx, lookInterval, s.wake, "gap check failed", s.step) })
	g.Go(func() error {
		err := s.every(ctx, flushInterval, nil, "claims and pickups not stored yet", s.flush)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := s.flush(last); err != nil {
			s.log.Warn("claims and pickups not stored before the stop; clients repeat them", "err", err)
		}
		return err
	})
	g.Go(func() error { return s.every(ctx, lookInterval, s.offered, "clients not woken yet", s.wakeOffered) })
	return g.Wait()
}

// every calls step at once, then at each wake and about each interval.
func (s *Service) every(ctx context.Context, interval time.Duration, wake <-chan struct{}, failed string,
	step func(context.Context) error) error {
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
		if err := step(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn(failed, "err", err, "retry_in", interval)
		}
		tick.Reset(backoff.Jitter(interval*95/100, interval/10)) // sites and retries must not keep step
	}
}

package resync

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// A request that nobody completes in time expires, once and for all: that it did, when, and by which interval is a row
// of its own, and no later setting, request or answer changes it.

// expirySlack is for how long a look reaches back behind the requests on offer.
const expirySlack = time.Hour

// lookBack is how far back requests are looked at, so that none expires unseen: to the last look, with the settings of
// then.
func (s *Service) lookBack(now time.Time, window time.Duration) time.Time {
	since := time.Unix(0, 0)
	if !s.lastLook.IsZero() {
		since = s.line.issuedSince(now, max(window, s.lastWindow)+max(now.Sub(s.lastLook), 0)+expirySlack)
	}
	s.lastLook, s.lastWindow = now, window
	return since
}

// expire writes down which of the requests were not completed in time.
func (s *Service) expire(ctx context.Context, list []resync, now time.Time) error {
	if len(list) == 0 {
		return nil
	}
	if err := s.ledger.expire(ctx, list, now, s.cfg.Load().MergeInterval); err != nil {
		return err
	}
	s.metrics.expired.Add(float64(len(list)))
	return nil
}

// givenUp are the requests that were not completed within the merge interval and that new ones take the place of. While
// the interval is below an hour they may be on offer still.
func (r *round) givenUp() (list []resync) {
	for _, one := range r.issue {
		before, owes := r.owing[one.client]
		late := r.line.askedFor(before.issued, r.now) >= r.cfg.MergeInterval
		if owes && !before.expired && before.number < one.number && late {
			list = append(list, before)
		}
	}
	return list
}

func (l *storeLedger) expire(ctx context.Context, list []resync, at time.Time, interval time.Duration) error {
	n := len(list)
	clients, numbers, times, intervals := make([]uuid.UUID, n), make([]uint32, n), make([]time.Time, n),
		make([]uint64, n)
	for i, r := range list {
		clients[i], numbers[i], times[i], intervals[i] = uuid.UUID(r.client), r.number, at, uint64(interval/time.Second)
	}
	err := l.store.Insert(ctx, `INSERT INTO resync_expiries (client_id, number, expired_time, interval_s)`, clients,
		numbers, times, intervals)
	return wrap(err, "store which resyncs expired")
}

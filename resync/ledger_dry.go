package resync

import (
	"context"
	"maps"
	"slices"
	"time"

	"statewire/smx"
)

// dryWants yields who would be asked had the scan before been written: the store still says what the last real one found.
func (l *storeLedger) dryWants(ctx context.Context, q wantQuery, take func(want) bool) error {
	open := make(map[smx.ClientID]time.Time)
	for _, g := range l.unwritten {
		if since, ok := open[g.Client]; !ok || g.Detected.Before(since) {
			open[g.Client] = g.Detected
		}
	}
	more := true
	err := l.finder.candidates(ctx, candidateOptions{At: q.now}, func(c candidate) bool {
		since, missing := open[c.Client]
		delete(open, c.Client)
		w := want{client: c.Client, reason: c.Reason, since: c.Since, next: c.NextSerial, number: c.Number, asked: c.Asked}
		if c.Reason == reasonMissing {
			w.since = since
			if !missing {
				return true // the gap is closed since
			}
		}
		more = take(w)
		return more
	})
	if err != nil || !more {
		return err
	}
	return l.newWants(ctx, open, take)
}

// newWants yields clients with gaps that no check has written yet.
func (l *storeLedger) newWants(ctx context.Context, open map[smx.ClientID]time.Time, take func(want) bool) error {
	more := true
	return l.known(ctx, slices.Collect(maps.Keys(open)), false, func(part []want, _ []smx.ClientID) error {
		for _, w := range part {
			w.reason, w.since = reasonMissing, open[w.client]
			more = more && take(w)
		}
		return nil
	})
}

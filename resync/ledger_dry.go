package resync

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"statewire/smx"
)

// dryWants yields who would be asked had the scan before been written: the store still says what the last real one found.
func (l *storeLedger) dryWants(ctx context.Context, q wantQuery, take func(want) bool) error {
	open, news := make(map[smx.ClientID]time.Time), make(map[smx.ClientID]bool)
	for _, g := range l.unwritten {
		news[g.Client] = news[g.Client] || !g.Jump || !g.Detected.Before(q.now) // a jump that was known is asked for once
		if since, ok := open[g.Client]; !ok || g.Detected.Before(since) {
			open[g.Client] = g.Detected
		}
	}
	more := true
	err := l.finder.candidates(ctx, candidateOptions{At: q.now}, func(c candidate) bool {
		since, missing := open[c.Client]
		delete(open, c.Client)
		w := c.want()
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
	maps.DeleteFunc(open, func(client smx.ClientID, _ time.Time) bool { return !news[client] })
	return l.newWants(ctx, open, take)
}

// newWants yields clients with gaps that no check has written yet, in the store's order.
func (l *storeLedger) newWants(ctx context.Context, open map[smx.ClientID]time.Time, take func(want) bool) error {
	var wants []want
	err := l.known(ctx, slices.Collect(maps.Keys(open)), false, func(part []want, _ []smx.ClientID) error {
		wants = append(wants, part...)
		return nil
	})
	for i := range wants {
		wants[i].reason, wants[i].since = reasonMissing, open[wants[i].client]
	}
	slices.SortFunc(wants, func(a, b want) int { return cmp.Or(a.since.Compare(b.since), compareStored(a.client, b.client)) })
	for i := 0; err == nil && i < len(wants) && take(wants[i]); i++ {
	}
	return err
}

// compareStored compares clients as the store orders its UUIDs: by the second half first.
func compareStored(a, b smx.ClientID) int {
	return cmp.Or(bytes.Compare(a[8:], b[8:]), bytes.Compare(a[:8], b[:8]))
}

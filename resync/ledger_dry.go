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

// urgencies are the reasons of a check, the most urgent first.
var urgencies = [...]string{reasonConflict, reasonDiffers, reasonMissing}

func (w want) urgency() int { return slices.Index(urgencies[:], w.reason) }

// dryWants yields who would be asked had the scan before been written: the store still says what the last real one found.
func (l *storeLedger) dryWants(ctx context.Context, q wantQuery, take func(want) bool) error {
	d := dryWants{wants: map[smx.ClientID]want{}, known: map[smx.ClientID]want{}}
	err := l.finder.candidates(ctx, candidateOptions{At: q.now}, func(c candidate) bool { d.stored(c.want()); return true })
	if err != nil {
		return err
	}
	settled, err := l.settledOf(ctx)
	if err != nil {
		return err
	}
	d.foresee(l, settled, q.now.UTC().Truncate(time.Microsecond))
	if err := d.complete(ctx, l); err != nil {
		return err
	}
	for _, w := range slices.SortedFunc(maps.Values(d.wants), compareWants) {
		if !take(w) {
			return nil
		}
	}
	return nil
}

// compareWants is the order in which the store yields them.
func compareWants(a, b want) int {
	return cmp.Or(cmp.Compare(a.urgency(), b.urgency()), a.since.Compare(b.since), compareStored(a.client, b.client))
}

// dryWants gathers whom a check would ask.
type dryWants struct {
	wants map[smx.ClientID]want // each client's most urgent reason, since it first held
	known map[smx.ClientID]want // what else the store knows of clients
}

// stored takes what the last real check left. What is missing is known better.
func (d *dryWants) stored(w want) {
	if d.known[w.client] = w; w.reason != reasonMissing {
		d.wants[w.client] = w
	}
}

// foresee adds what the dry scan found, and takes away what it found to be over.
func (d *dryWants) foresee(l *storeLedger, settled map[smx.ClientID]time.Time, now time.Time) {
	f := &l.unwritten.foreseen
	for _, client := range f.unmarked {
		if d.wants[client].reason == reasonDiffers {
			delete(d.wants, client)
		}
	}
	for _, client := range f.conflicts {
		d.note(client, reasonConflict, now)
	}
	for client, checked := range f.marked {
		if !settled[client].After(checked) {
			d.note(client, reasonDiffers, now)
		}
	}
	for client, since := range l.countingGaps(settled) {
		d.note(client, reasonMissing, since)
	}
}

// note adds a reason to ask a client, unless a more urgent or older one is there.
func (d *dryWants) note(client smx.ClientID, reason string, since time.Time) {
	w := want{client: client, reason: reason, since: since}
	if have, ok := d.wants[client]; !ok || compareWants(w, have) < 0 {
		d.wants[client] = w
	}
}

// complete fills in the serial to continue from and the latest resync.
func (d *dryWants) complete(ctx context.Context, l *storeLedger) error {
	var unknown []smx.ClientID
	for client := range d.wants {
		if _, known := d.known[client]; !known {
			unknown = append(unknown, client)
		}
	}
	err := l.known(ctx, distinct(unknown), false, func(part []want, _ []smx.ClientID) error {
		for _, w := range part {
			d.known[w.client] = w
		}
		return nil
	})
	for client, w := range d.wants {
		k := d.known[client]
		w.next, w.number, w.asked = k.next, k.number, k.asked
		d.wants[client] = w
	}
	return err
}

// compareStored compares clients as the store orders its UUIDs: by the second half first.
func compareStored(a, b smx.ClientID) int {
	return cmp.Or(bytes.Compare(a[8:], b[8:]), bytes.Compare(a[:8], b[:8]))
}

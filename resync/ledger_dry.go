package resync

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/store"
)

// urgencies are the reasons of a check, the most urgent first.
var urgencies = [...]string{gaps.Conflict, gaps.Differs, gaps.Missing}

func urgency(w gaps.Candidate) int { return slices.Index(urgencies[:], w.Reason) }

// dryWants yields who would be asked had the scan before been written: the store still says what the last real one
// found.
func (l *storeLedger) dryWants(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error {
	d := dryWants{wants: map[smx.ClientID]gaps.Candidate{}, known: map[smx.ClientID]gaps.Candidate{}}
	err := l.finder.Candidates(ctx, gaps.CandidateOptions{At: q.now},
		func(w gaps.Candidate) bool { d.stored(w); return true })
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
func compareWants(a, b gaps.Candidate) int {
	return cmp.Or(cmp.Compare(urgency(a), urgency(b)), a.Since.Compare(b.Since), store.CompareUUIDs(a.Client, b.Client))
}

// dryWants gathers whom a check would ask.
type dryWants struct {
	wants map[smx.ClientID]gaps.Candidate // each client's most urgent reason, since it first held
	known map[smx.ClientID]gaps.Candidate // what else the store knows of clients
}

// stored takes what the last real check left. What is missing is known better.
func (d *dryWants) stored(w gaps.Candidate) {
	d.known[w.Client] = w
	if w.Reason != gaps.Missing {
		d.wants[w.Client] = w
	}
}

// foresee adds what the dry scan found, and takes away what it found to be over.
func (d *dryWants) foresee(l *storeLedger, settled map[smx.ClientID]time.Time, now time.Time) {
	f := &l.unwritten.Foreseen
	for _, client := range f.Unmarked {
		if d.wants[client].Reason == gaps.Differs {
			delete(d.wants, client)
		}
	}
	for _, client := range f.Conflicts {
		d.note(client, gaps.Conflict, now)
	}
	for client, checked := range f.Marked {
		if !settled[client].After(checked) {
			d.note(client, gaps.Differs, now)
		}
	}
	for client, since := range l.countingGaps(settled) {
		d.note(client, gaps.Missing, since)
	}
}

// note adds a reason to ask a client, unless a more urgent or older one is there.
func (d *dryWants) note(client smx.ClientID, reason string, since time.Time) {
	w := gaps.Candidate{Client: client, Reason: reason, Since: since}
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
	err := l.known(ctx, distinct(unknown), false, func(part []gaps.Candidate, _ []smx.ClientID) error {
		for _, w := range part {
			d.known[w.Client] = w
		}
		return nil
	})
	for client, w := range d.wants {
		k := d.known[client]
		w.NextSerial, w.Number, w.Asked = k.NextSerial, k.Number, k.Asked
		d.wants[client] = w
	}
	return err
}

// countingGaps are the clients that would be asked for what is missing, and since when it is. What lies below a jump of
// their serials counts until they complete a resync: another would not close it.
func (l *storeLedger) countingGaps(settled map[smx.ClientID]time.Time) map[smx.ClientID]time.Time {
	out := map[smx.ClientID]time.Time{}
	for _, g := range l.unwritten.Rows { // the oldest first
		client := smx.ClientID(g.Client)
		if _, older := out[client]; !older && !(g.Jump && settled[client].After(g.Detected)) {
			out[client] = g.Detected
		}
	}
	return out
}

// settledOf is when those completed a resync of whom that decides whether they are asked.
func (l *storeLedger) settledOf(ctx context.Context) (map[smx.ClientID]time.Time, error) {
	clients := slices.Collect(maps.Keys(l.unwritten.Foreseen.Marked))
	for _, g := range l.unwritten.Rows {
		if g.Jump {
			clients = append(clients, smx.ClientID(g.Client))
		}
	}
	return l.finder.Settled(ctx, distinct(clients))
}

// distinct are the clients in the order of the store, each once.
func distinct(clients []smx.ClientID) []smx.ClientID {
	slices.SortFunc(clients, store.CompareUUIDs)
	return slices.Compact(clients)
}

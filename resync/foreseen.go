package resync

import (
	"cmp"
	"context"
	_ "embed"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

var (
	//go:embed sql/settled.sql
	settledSQL string
	//go:embed sql/conflicts_of.sql
	conflictsOfSQL string
)

// foreseen is what a search that writes nothing leaves to whoever asks what the check would do, beside the open ranges.
type foreseen struct {
	rows      conflictRows               // conflicts that are not stored
	conflicts []smx.ClientID             // whose conflicts would be open that are not
	marked    map[smx.ClientID]time.Time // whose mark would be set, and when it would say that they were compared
	unmarked  []smx.ClientID             // whose mark would be taken away
}

func (f *foreseen) mark(d *differing) {
	client := smx.ClientID(d.client)
	if d.marked == 0 {
		f.unmarked = append(f.unmarked, client)
		return
	}
	if f.marked == nil {
		f.marked = map[smx.ClientID]time.Time{}
	}
	f.marked[client] = time.UnixMicro(d.checked)
}

// incomplete are the clients with an open range, by a search that wrote none; one that writes need not ask.
func (f *found) incomplete(dry bool) map[smx.ClientID]bool {
	if !dry {
		return nil
	}
	out := map[smx.ClientID]bool{}
	for _, g := range f.Gaps {
		out[g.Client] = true
	}
	return out
}

// conflictKey names what open_conflicts has a row of.
type conflictKey struct {
	client uuid.UUID
	serial uint64
	kind   string
}

// foreseeConflicts adds those that would be open, had they been written: no completion has settled them, and none of their kind is
// open under that serial already.
func (f *finder) foreseeConflicts(ctx context.Context, out *found) error {
	rows := &out.foreseen.rows
	if len(rows.clients) == 0 {
		return nil
	}
	clients := make([]smx.ClientID, len(rows.clients))
	for i, client := range rows.clients {
		clients[i] = smx.ClientID(client)
	}
	clients = distinct(clients)
	settled, err := f.settled(ctx, clients)
	if err != nil {
		return err
	}
	open := map[conflictKey]bool{}
	err = f.eachOf(ctx, conflictsOfSQL, clients, func(scan func(...any) error) error {
		var k conflictKey
		err := scan(&k.client, &k.serial, &k.kind)
		open[k] = true
		return err
	})
	for i, client := range rows.clients {
		k := conflictKey{client, rows.serials[i], rows.kinds[i]}
		if open[k] || !rows.received[i].After(settled[smx.ClientID(client)]) {
			continue
		}
		open[k] = true
		out.Conflicts++
		out.foreseen.conflicts = append(out.foreseen.conflicts, smx.ClientID(client))
	}
	return err
}

// settled is when clients last completed a resync or were given a baseline; those that never did are left out.
func (f *finder) settled(ctx context.Context, clients []smx.ClientID) (map[smx.ClientID]time.Time, error) {
	out := map[smx.ClientID]time.Time{}
	err := f.eachOf(ctx, settledSQL, clients, func(scan func(...any) error) error {
		var client uuid.UUID
		var at time.Time
		if err := scan(&client, &at); err != nil {
			return err
		}
		out[smx.ClientID(client)] = at
		return nil
	})
	return out, wrap(err, "read when clients last completed a resync")
}

// eachOf runs a query about clients, part by part.
func (f *finder) eachOf(ctx context.Context, sql string, clients []smx.ClientID, take func(scan func(...any) error) error) error {
	for some := range slices.Chunk(clients, clientsPerQuery) {
		if err := eachRow(listed(ctx), f.store.Conn(), sql, []any{clientsArg(some)}, take); err != nil {
			return err
		}
	}
	return nil
}

// distinct are the clients in order, each once.
func distinct(clients []smx.ClientID) []smx.ClientID {
	slices.SortFunc(clients, compareStored)
	return slices.Compact(clients)
}

// compareGaps puts the oldest first, as the store does.
func compareGaps(a, b gap) int {
	return cmp.Or(a.Detected.Compare(b.Detected), compareStored(a.Client, b.Client), cmp.Compare(a.First, b.First))
}

// countingGaps are the clients that would be asked for what is missing, and since when it is. What lies below a jump of their serials
// counts until they complete a resync: another would not close it.
func (l *storeLedger) countingGaps(settled map[smx.ClientID]time.Time) map[smx.ClientID]time.Time {
	out := map[smx.ClientID]time.Time{}
	for _, g := range l.unwritten.Gaps { // the oldest first
		if _, older := out[g.Client]; !older && !(g.Jump && settled[g.Client].After(g.Detected)) {
			out[g.Client] = g.Detected
		}
	}
	return out
}

// settledOf is when those completed a resync of whom that decides whether they are asked.
func (l *storeLedger) settledOf(ctx context.Context) (map[smx.ClientID]time.Time, error) {
	clients := slices.Collect(maps.Keys(l.unwritten.foreseen.marked))
	for _, g := range l.unwritten.Gaps {
		if g.Jump {
			clients = append(clients, g.Client)
		}
	}
	return l.finder.settled(ctx, distinct(clients))
}

package gaps

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

var (
	//go:embed sql/settled.sql
	settledSQL string
	//go:embed sql/conflicts_of.sql
	conflictsOfSQL string
)

// Foreseen is what a search that writes nothing leaves to whoever asks what the check would do, beside the open ranges.
type Foreseen struct {
	Conflicts []smx.ClientID             // whose conflicts would be open that are not
	Marked    map[smx.ClientID]time.Time // whose mark would be set, and when it would say that they were compared
	Unmarked  []smx.ClientID             // whose mark would be taken away

	rows conflictRows // conflicts that are not stored
}

func (f *Foreseen) mark(d *differing) {
	client := smx.ClientID(d.client)
	if d.marked == 0 {
		f.Unmarked = append(f.Unmarked, client)
		return
	}
	if f.Marked == nil {
		f.Marked = map[smx.ClientID]time.Time{}
	}
	f.Marked[client] = time.UnixMicro(d.checked)
}

// incomplete are the clients with an open range, by a search that wrote none; one that writes need not ask.
func (f *Outcome) incomplete(dry bool) map[smx.ClientID]bool {
	if !dry {
		return nil
	}
	out := map[smx.ClientID]bool{}
	for _, g := range f.Rows {
		out[smx.ClientID(g.Client)] = true
	}
	return out
}

// conflictKey names what open_conflicts has a row of.
type conflictKey struct {
	client uuid.UUID
	serial uint64
	kind   string
}

// foreseeConflicts adds those that would be open, had they been written: no completion has settled them, and none of
// their kind is open under that serial already.
func (f *Finder) foreseeConflicts(ctx context.Context, out *Outcome) error {
	rows := &out.Foreseen.rows
	if len(rows.clients) == 0 {
		return nil
	}
	clients := make([]smx.ClientID, len(rows.clients))
	for i, client := range rows.clients {
		clients[i] = smx.ClientID(client)
	}
	slices.SortFunc(clients, store.CompareUUIDs)
	clients = slices.Compact(clients)
	settled, err := f.Settled(ctx, clients)
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
		out.Foreseen.Conflicts = append(out.Foreseen.Conflicts, smx.ClientID(client))
	}
	return err
}

// Settled is when clients last completed a resync or were given a baseline; those that never did are left out.
func (f *Finder) Settled(ctx context.Context, clients []smx.ClientID) (map[smx.ClientID]time.Time, error) {
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
	if err != nil {
		return nil, fmt.Errorf("read when clients last completed a resync: %w", err)
	}
	return out, nil
}

// eachOf runs a query about clients, part by part.
func (f *Finder) eachOf(ctx context.Context, sql string, clients []smx.ClientID,
	take func(scan func(...any) error) error) error {
	for some := range slices.Chunk(clients, namedPerQuery) {
		if err := f.store.EachRow(listed(ctx), sql, []any{store.UUIDsArg("clients", some)}, take); err != nil {
			return err
		}
	}
	return nil
}

// compareGaps puts the oldest first, as the store does.
func compareGaps(a, b Gap) int {
	return cmp.Or(a.Detected.Compare(b.Detected), store.CompareUUIDs(a.Client, b.Client), cmp.Compare(a.First, b.First))
}

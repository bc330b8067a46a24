package gaps

import (
	"context"
	_ "embed"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

//go:embed sql/differs_find.sql
var differsSQL string

//go:embed sql/differs_marked.sql
var markedSQL string

// findDiffering marks the clients that hold other states than the site, and takes the mark from those that hold the
// same again. A client that cannot be compared at the moment keeps its mark.
func (f *Finder) findDiffering(ctx context.Context, opt Options, out *Outcome) error {
	var polled bool
	if err := f.store.Conn().QueryRow(ctx, markedSQL).Scan(&out.Differs, &polled); err != nil || !polled {
		return err
	}
	rows, err := f.store.Conn().Query(ctx, differsSQL, f.since(opt), store.FlagArg("full", opt.Full),
		store.FlagArg("dry", opt.DryRun))
	if err != nil {
		return err
	}
	defer rows.Close()
	changed, incomplete := differingRows{store: f.store}, out.incomplete(opt.DryRun)
	for rows.Next() {
		var d differing
		if err := rows.Scan(&d.client, &d.clientStates, &d.clientDigest, &d.siteStates, &d.siteDigest, &d.marked,
			&d.detected, &d.checked); err != nil {
			return err
		}
		if _, waits := opt.Unread.Clients[smx.ClientID(d.client)]; waits || opt.Unread.Partly {
			continue
		}
		if incomplete[smx.ClientID(d.client)] {
			continue
		}
		d.turn(opt.At, out)
		if opt.DryRun {
			out.Foreseen.mark(&d)
			continue
		}
		if err := changed.add(ctx, &d); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return changed.flush(ctx)
}

// differing is a client whose mark is wrong.
type differing struct {
	client                     uuid.UUID
	clientStates, clientDigest uint64
	siteStates, siteDigest     uint64
	marked                     uint8
	detected                   time.Time
	checked                    int64 // version of the mark, in microseconds
}

// turn sets or takes the mark.
func (d *differing) turn(at time.Time, out *Outcome) {
	d.checked = max(at.UnixMicro(), d.checked+1)
	d.marked = 1 - d.marked
	if d.marked == 0 {
		out.Differs--
		return
	}
	out.Differs++
	d.detected = at
}

// differingRows are rows of differing_clients on their way.
type differingRows struct {
	store                      *store.Store
	clients                    []uuid.UUID
	marked                     []uint8
	detected, checked          []time.Time
	clientStates, clientDigest []uint64
	siteStates, siteDigest     []uint64
}

func (r *differingRows) add(ctx context.Context, d *differing) error {
	r.clients, r.marked = append(r.clients, d.client), append(r.marked, d.marked)
	r.detected, r.checked = append(r.detected, d.detected), append(r.checked, time.UnixMicro(d.checked))
	r.clientStates, r.clientDigest = append(r.clientStates, d.clientStates), append(r.clientDigest, d.clientDigest)
	r.siteStates, r.siteDigest = append(r.siteStates, d.siteStates), append(r.siteDigest, d.siteDigest)
	if len(r.clients) < rowsPerInsert {
		return nil
	}
	return r.flush(ctx)
}

func (r *differingRows) flush(ctx context.Context) error {
	const sql = `INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states,
		client_digest, site_states, site_digest)`
	err := r.store.Insert(ctx, sql, r.clients, r.marked, r.detected, r.checked, r.clientStates, r.clientDigest,
		r.siteStates, r.siteDigest)
	*r = differingRows{store: r.store}
	return err
}

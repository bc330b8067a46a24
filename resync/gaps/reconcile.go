package gaps

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/serials"
	"statewire/store"
)

// openRange is a missing range with the time in microseconds when a search first saw it.
type openRange struct {
	serials.Run
	detected int64
	jump     bool // the serial above it jumped: counted apart
}

// reconcile gives what is missing its detection times: a range keeps the earliest of the open ranges that it has
// serials in common with, a new one gets at. Both lists are in order of their first serials; open ranges may overlap.
func reconcile(missing []serials.Run, open []openRange, at int64) []openRange {
	want := make([]openRange, len(missing))
	for i, m := range missing {
		want[i] = openRange{Run: m, detected: at}
		for len(open) > 0 && open[0].Last < m.First {
			open = open[1:]
		}
		known := false
		for _, o := range open {
			if o.First > m.Last {
				break
			}
			if o.Last >= m.First && (!known || o.detected < want[i].detected) {
				want[i].detected, known = o.detected, true
			}
		}
	}
	return want
}

// differences are the ranges to open and those to close so that open becomes want.
func differences(open, want []openRange) (opened, closed []openRange) {
	have := make(map[serials.Run]openRange, len(open))
	for _, o := range open {
		have[o.Run] = o
	}
	for _, w := range want {
		if had, ok := have[w.Run]; !ok || had != w {
			opened = append(opened, w)
		}
		delete(have, w.Run)
	}
	for _, o := range open {
		if _, left := have[o.Run]; left {
			closed = append(closed, o)
		}
	}
	return opened, closed
}

// runs are open ranges without their times.
func runs(open []openRange) []serials.Run {
	out := make([]serials.Run, len(open))
	for i, o := range open {
		out[i] = o.Run
	}
	return out
}

// parted are the ranges that count, and those below serials that jumped.
func parted(open []openRange) (lost, apart []serials.Run) {
	for _, o := range open {
		if o.jump {
			apart = append(apart, o.Run)
		} else {
			lost = append(lost, o.Run)
		}
	}
	return lost, apart
}

// rowsPerInsert bounds what a check holds in memory; a client's rows are never parted.
const rowsPerInsert = 50_000

// rangeRows are rows of missing_ranges on their way.
type rangeRows struct {
	store             *store.Store
	dry               bool
	clients           []uuid.UUID
	first, last       []uint64
	detected, checked []time.Time
	closed, jumps     []uint8
}

func (r *rangeRows) len() int { return len(r.clients) }

// add appends a client's ranges; version replaces older rows of the same ranges.
func (r *rangeRows) add(client uuid.UUID, version int64, ranges []openRange, closed uint8) {
	for _, o := range ranges {
		r.clients, r.closed, r.jumps = append(r.clients, client), append(r.closed, closed),
			append(r.jumps, store.Flag(o.jump))
		r.first, r.last = append(r.first, o.First), append(r.last, o.Last)
		r.detected, r.checked = append(r.detected, time.UnixMicro(o.detected)),
			append(r.checked, time.UnixMicro(version))
	}
}

// flush stores the rows as one block, unless nothing is to be written.
func (r *rangeRows) flush(ctx context.Context) error {
	if r.dry {
		*r = rangeRows{store: r.store, dry: true}
		return nil
	}
	const sql = `INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time,
		closed, jump)`
	if err := r.store.Insert(ctx, sql, r.clients, r.first, r.last, r.detected, r.checked, r.closed,
		r.jumps); err != nil {
		return err
	}
	*r = rangeRows{store: r.store, clients: r.clients[:0], first: r.first[:0], last: r.last[:0],
		detected: r.detected[:0], checked: r.checked[:0], closed: slices.Delete(r.closed, 0, len(r.closed)),
		jumps: r.jumps[:0]}
	return nil
}

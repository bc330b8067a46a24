package resync

import (
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/store"
)

// span is a run of serials, both ends included.
type span struct{ first, last uint64 }

// openSpan is a missing range with the time in microseconds when a check first saw it.
type openSpan struct {
	span
	detected int64
	jump     bool // the serial above it jumped: counted apart
}

// reconcile gives what is missing its detection times: a range keeps the earliest of the open ranges that it has serials in
// common with, a new one gets at. Both lists are in order of their first serials; open ranges may overlap.
func reconcile(missing []span, open []openSpan, at int64) []openSpan {
	want := make([]openSpan, len(missing))
	for i, m := range missing {
		want[i] = openSpan{span: m, detected: at}
		for len(open) > 0 && open[0].last < m.first {
			open = open[1:]
		}
		known := false
		for _, o := range open {
			if o.first > m.last {
				break
			}
			if o.last >= m.first && (!known || o.detected < want[i].detected) {
				want[i].detected, known = o.detected, true
			}
		}
	}
	return want
}

// differences are the ranges to open and those to close so that open becomes want.
func differences(open, want []openSpan) (opened, closed []openSpan) {
	have := make(map[span]openSpan, len(open))
	for _, o := range open {
		have[o.span] = o
	}
	for _, w := range want {
		if had, ok := have[w.span]; !ok || had != w {
			opened = append(opened, w)
		}
		delete(have, w.span)
	}
	for _, o := range open {
		if _, left := have[o.span]; left {
			closed = append(closed, o)
		}
	}
	return opened, closed
}

// spans are open ranges without their times.
func spans(open []openSpan) []span {
	out := make([]span, len(open))
	for i, o := range open {
		out[i] = o.span
	}
	return out
}

// parted are the ranges that count, and those below serials that jumped.
func parted(open []openSpan) (lost, apart []span) {
	for _, o := range open {
		if o.jump {
			apart = append(apart, o.span)
		} else {
			lost = append(lost, o.span)
		}
	}
	return lost, apart
}

// total counts the serials; a single gap may have 2^62 of them.
func total(spans []span) *big.Int {
	sum, n := new(big.Int), new(big.Int)
	for _, s := range spans {
		sum.Add(sum, n.SetUint64(s.last-s.first+1))
	}
	return sum
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
func (r *rangeRows) add(client uuid.UUID, version int64, ranges []openSpan, closed uint8) {
	for _, o := range ranges {
		r.clients, r.closed, r.jumps = append(r.clients, client), append(r.closed, closed), append(r.jumps, flag(o.jump))
		r.first, r.last = append(r.first, o.first), append(r.last, o.last)
		r.detected, r.checked = append(r.detected, time.UnixMicro(o.detected)), append(r.checked, time.UnixMicro(version))
	}
}

// flush stores the rows as one block, unless nothing is to be written.
func (r *rangeRows) flush(ctx context.Context) error {
	if r.dry {
		*r = rangeRows{store: r.store, dry: true}
		return nil
	}
	const sql = `INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed, jump)`
	if err := r.store.Insert(ctx, sql, r.clients, r.first, r.last, r.detected, r.checked, r.closed, r.jumps); err != nil {
		return err
	}
	*r = rangeRows{store: r.store, clients: r.clients[:0], first: r.first[:0], last: r.last[:0], detected: r.detected[:0],
		checked: r.checked[:0], closed: slices.Delete(r.closed, 0, len(r.closed)), jumps: r.jumps[:0]}
	return nil
}

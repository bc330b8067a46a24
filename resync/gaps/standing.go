package gaps

import (
	"context"
	"time"

	"github.com/google/uuid"

	"statewire/store"
)

// standing is how a client stands when a check compares it: the hash of what arrived, the greatest serial of it, the
// greatest one claimed, the floor, and the newest version of its ranges.
type standing struct {
	client                            uuid.UUID
	fingerprint, last, claimed, floor uint64
	checked                           int64 // in microseconds
}

// same is whether a look at the client saw what the comparison saw.
func (s *standing) same(r *clientRanges) bool {
	return r.last == s.last && r.claimed == s.claimed && r.floor == s.floor && r.checked == s.checked
}

// standings are some clients in the order of the store, column by column as it gives them: of a slice they are many.
type standings struct {
	clients                             []uuid.UUID
	fingerprints, lasts, claims, floors []uint64
	checked                             []int64
}

func (s *standings) at(i int) standing {
	return standing{s.clients[i], s.fingerprints[i], s.lasts[i], s.claims[i], s.floors[i], s.checked[i]}
}

func (s *standings) len() int { return len(s.clients) }

// take takes the first n away and adds them to others, in memory of their own.
func (s *standings) take(n int, others *standings) {
	others.clients, s.clients = append(others.clients, s.clients[:n]...), s.clients[n:]
	others.fingerprints, s.fingerprints = append(others.fingerprints, s.fingerprints[:n]...), s.fingerprints[n:]
	others.lasts, s.lasts = append(others.lasts, s.lasts[:n]...), s.lasts[n:]
	others.claims, s.claims = append(others.claims, s.claims[:n]...), s.claims[n:]
	others.floors, s.floors = append(others.floors, s.floors[:n]...), s.floors[n:]
	others.checked, s.checked = append(others.checked, s.checked[:n]...), s.checked[n:]
}

// lookRows are rows of gap_looks on their way.
type lookRows struct {
	store                               *store.Store
	dry                                 bool
	clients                             []uuid.UUID
	fingerprints, lasts, claims, floors []uint64
	checked                             []time.Time
}

func (r *lookRows) add(s standing) {
	r.clients, r.fingerprints, r.lasts = append(r.clients, s.client), append(r.fingerprints, s.fingerprint),
		append(r.lasts, s.last)
	r.claims, r.floors, r.checked = append(r.claims, s.claimed), append(r.floors, s.floor),
		append(r.checked, time.UnixMicro(s.checked))
}

func (r *lookRows) flush(ctx context.Context) error {
	const sql = `INSERT INTO gap_looks (client_id, fingerprint, last_serial, claimed, floor, checked_time)`
	if r.dry || len(r.clients) == 0 {
		*r = lookRows{store: r.store, dry: r.dry}
		return nil
	}
	if err := r.store.Insert(ctx, sql, r.clients, r.fingerprints, r.lasts, r.claims, r.floors, r.checked); err != nil {
		return err
	}
	*r = lookRows{store: r.store}
	return nil
}

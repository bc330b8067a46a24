package resync

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

// Polled are the clients that have asked for their policy since a time, as far as the store and this process know.
func (s *Service) Polled(ctx context.Context, since time.Time) ([]uuid.UUID, error) {
	polled := map[uuid.UUID]struct{}{}
	for _, client := range s.offers.polled(since) { // before the store is read: a claim leaves when it is stored
		polled[uuid.UUID(client)] = struct{}{}
	}
	err := s.store.store.EachRow(ctx, `SELECT client_id FROM client_claims GROUP BY client_id `+
		`HAVING max(client_claims.claimed_time) >= {since:DateTime64(6, 'UTC')}`, []any{store.TimeArg("since", since)},
		func(scan func(...any) error) error {
			var id uuid.UUID
			err := scan(&id)
			polled[id] = struct{}{}
			return err
		})
	return slices.Collect(maps.Keys(polled)), wrap(err, "read which clients have polled")
}

// polled are the clients whose polls since a time may not be in the store yet.
func (o *offers) polled(since time.Time) (clients []smx.ClientID) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, claims := range []map[smx.ClientID]claim{o.claims, o.storing} {
		for client, c := range claims {
			if !c.at.Before(since) {
				clients = append(clients, client)
			}
		}
	}
	return clients
}

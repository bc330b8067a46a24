package resync

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

// note stores what clients said when they asked for their policy. Storing it again changes nothing.
func (l *storeLedger) note(ctx context.Context, claims map[smx.ClientID]claim, pickups []pickup) error {
	return errors.Join(l.noteClaims(ctx, claims), l.notePickups(ctx, pickups))
}

func (l *storeLedger) noteClaims(ctx context.Context, claims map[smx.ClientID]claim) error {
	var (
		clients        = make([]uuid.UUID, 0, len(claims))
		last, digests  = make([]uint64, 0, len(claims)), make([]uint64, 0, len(claims))
		states, unsent = make([]uint32, 0, len(claims)), make([]uint32, 0, len(claims))
		times          = make([]time.Time, 0, len(claims))
	)
	for client, c := range claims {
		clients, last, times = append(clients, uuid.UUID(client)), append(last, c.LastSerial), append(times, c.at)
		states, digests, unsent = append(states, c.States), append(digests, c.Digest), append(unsent, c.Unsent)
	}
	err := l.store.Insert(ctx, `INSERT INTO client_claims (client_id, last_serial, claimed_time)`, clients, last, times)
	return errors.Join(err, l.store.Insert(ctx, `INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time)`,
		clients, last, states, digests, unsent, times))
}

var (
	//go:embed sql/claims_ahead.sql
	claimsAheadSQL string
	//go:embed sql/forget_claims.sql
	forgetClaimsSQL string
)

// forgetClaims forgets what clients said they hold when a clock was ahead: the store takes it for newer than what they say now.
// They repeat it at their next poll.
func (l *storeLedger) forgetClaims(ctx context.Context, now time.Time) error {
	var ahead uint64
	if err := l.store.Conn().QueryRow(ctx, claimsAheadSQL, latestArg(now)).Scan(&ahead); err != nil || ahead == 0 {
		return wrap(err, "look for claims of a clock that was ahead")
	}
	l.log.Warn("claims of a clock that was ahead are forgotten, clients repeat them", "clients", ahead)
	return wrap(l.store.Conn().Exec(ctx, forgetClaimsSQL, latestArg(now)), "forget claims of a clock that was ahead")
}

func (l *storeLedger) notePickups(ctx context.Context, pickups []pickup) error {
	n := len(pickups)
	clients, numbers, times := make([]uuid.UUID, n), make([]uint32, n), make([]time.Time, n)
	for i, p := range pickups {
		clients[i], numbers[i], times[i] = uuid.UUID(p.client), p.number, p.at
	}
	return l.store.Insert(ctx, `INSERT INTO resync_pickups (client_id, number, picked_up_time)`, clients, numbers, times)
}

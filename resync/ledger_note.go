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

var (
	//go:embed sql/claims_ahead.sql
	claimsAheadSQL string
	//go:embed sql/forget_claims.sql
	forgetClaimsSQL string
)

// forgetClaims forgets what clients said they hold when a clock was ahead: the store takes it for newer than what they
// say now. They repeat it at their next poll.
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
	return l.store.Insert(ctx, `INSERT INTO resync_pickups (client_id, number, picked_up_time)`, clients, numbers,
		times)
}

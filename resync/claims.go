package resync

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/internal/serials"
	"statewire/smx"
	"statewire/store"
)

var (
	//go:embed sql/claims_measure.sql
	claimsMeasureSQL string
	//go:embed sql/claims_aside.sql
	claimsAsideSQL string
)

// noteClaims stores what clients say of themselves. A claim that jumps is nothing but noted: a client, or whoever
// speaks in its name, may say any number, and the site would ask the client to continue behind it.
func (l *storeLedger) noteClaims(ctx context.Context, claims map[smx.ClientID]claim) error {
	known, err := l.measure(ctx, claims)
	if err != nil {
		return err
	}
	var believed, polled claimRows
	var aside asideRows
	for client, c := range claims {
		greatest := known[client]
		high := claim{Poll: smx.Poll{Client: client, LastSerial: c.high}, at: c.highAt}
		if serials.Jumps(c.high, greatest) {
			aside.add(high, greatest)
		} else if c.high > 0 {
			polled.add(high)
		}
		if serials.Jumps(c.LastSerial, greatest) {
			aside.add(c, greatest)
			c.LastSerial = 0 // it polled: that much is believed
			polled.add(c)
			continue
		}
		believed.add(c)
	}
	if err := l.noteAside(ctx, aside); err != nil {
		return err
	}
	polled.clients, polled.last = append(polled.clients, believed.clients...), append(polled.last, believed.last...)
	polled.times = append(polled.times, believed.times...)
	err = l.store.Insert(ctx, `INSERT INTO client_claims (client_id, last_serial, claimed_time)`, polled.clients,
		polled.last, polled.times)
	return errors.Join(err, l.store.Insert(ctx,
		`INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time)`, believed.clients,
		believed.last, believed.states, believed.digests, believed.unsent, believed.times))
}

// claimRows are claims as columns.
type claimRows struct {
	clients        []uuid.UUID
	last, digests  []uint64
	states, unsent []uint32
	times          []time.Time
}

func (r *claimRows) add(c claim) {
	r.clients, r.last, r.times = append(r.clients, uuid.UUID(c.Client)), append(r.last, c.LastSerial),
		append(r.times, c.at)
	r.states, r.digests, r.unsent = append(r.states, c.States), append(r.digests, c.Digest), append(r.unsent, c.Unsent)
}

// asideRows are rows of claims_aside.
type asideRows struct {
	clients    []uuid.UUID
	last, seen []uint64
	times      []time.Time
}

func (r *asideRows) add(c claim, seen uint64) {
	r.clients, r.last, r.seen = append(r.clients, uuid.UUID(c.Client)), append(r.last, c.LastSerial),
		append(r.seen, seen)
	r.times = append(r.times, c.at)
}

// measure reads what claims are measured by. Those up to a jump above nothing need none.
func (l *storeLedger) measure(ctx context.Context, claims map[smx.ClientID]claim) (map[smx.ClientID]uint64, error) {
	var high []smx.ClientID
	for client, c := range claims {
		if max(c.LastSerial, c.high) > serials.Jump {
			high = append(high, client)
		}
	}
	known := make(map[smx.ClientID]uint64, len(high))
	for some := range slices.Chunk(high, clientsPerQuery) {
		err := l.store.EachRow(ctx, claimsMeasureSQL, []any{store.UUIDsArg("clients", some)},
			func(scan func(...any) error) error {
				var client uuid.UUID
				var greatest uint64
				err := scan(&client, &greatest)
				known[smx.ClientID(client)] = greatest
				return err
			})
		if err != nil {
			return nil, wrap(err, "read what clients sent, to measure their claims")
		}
	}
	return known, nil
}

// noteAside stores claims that jump. A client that repeats its claim is one line of the log per process.
func (l *storeLedger) noteAside(ctx context.Context, rows asideRows) error {
	if len(rows.clients) == 0 {
		return nil
	}
	for i, client := range rows.clients {
		if _, told := l.aside[client]; !told && len(l.aside) < heldRows {
			l.aside[client] = struct{}{}
			l.log.Warn("claim kept aside: it is far above all that was received", "client", client.String(),
				"claimed", rows.last[i], "received", rows.seen[i])
		}
	}
	return wrap(l.store.Insert(ctx, `INSERT INTO claims_aside (client_id, last_serial, seen_serial, claimed_time)`,
		rows.clients, rows.last, rows.seen, rows.times), "keep claims aside")
}

// asideClaim is a claim that is kept aside.
type asideClaim struct {
	client uuid.UUID
	serial uint64
	at     time.Time
}

// claimsAside are the claims of clients that are kept aside; those of everybody when none is named.
func (l *storeLedger) claimsAside(ctx context.Context, clients []smx.ClientID) (list []asideClaim, err error) {
	err = l.eachAside(ctx, clients, func(c asideClaim) { list = append(list, c) })
	return list, err
}

// eachAside goes over them without holding them all: anybody may claim in the name of a million clients.
func (l *storeLedger) eachAside(ctx context.Context, clients []smx.ClientID, take func(asideClaim)) error {
	err := l.store.EachRow(ctx, claimsAsideSQL,
		[]any{store.UUIDsArg("clients", clients), store.UintArg("jump", serials.Jump)},
		func(scan func(...any) error) error {
			var c asideClaim
			err := scan(&c.client, &c.serial, &c.at)
			take(c)
			return err
		})
	return wrap(err, "list the claims that are kept aside")
}

// acceptClaims believes the claims of clients that are kept aside, from now on: policies name what comes after them. It
// closes nothing.
func (s *Service) acceptClaims(ctx context.Context, target Target, clients []smx.ClientID, o AcceptOptions,
	now time.Time) (out AcceptResult, err error) {
	out.DryRun = o.DryRun
	for some := range slices.Chunk(clients, clientsPerQuery) {
		claims, err := s.store.claimsAside(ctx, some)
		if err != nil {
			return out, err
		}
		out.Clients, out.Claims = out.Clients+len(claims), out.Claims+len(claims)
		if o.DryRun || len(claims) == 0 {
			continue
		}
		if err := s.store.believe(ctx, claims, o.By, now); err != nil {
			return out, err
		}
		if len(target.Clients) > 0 {
			if err := s.store.putAccepted(ctx, claims, o.By, now); err != nil {
				return out, err
			}
		}
		for _, c := range claims {
			s.log.Info("claim accepted", "by", o.By, "client", c.client.String(), "claimed", c.serial)
		}
	}
	if out.Claims == 0 {
		return out, control.Invalid("no claim of %s is kept aside; "+
			"`statewire report serial-jumps` lists those that are", countClients(len(clients)))
	}
	if o.DryRun {
		return out, nil
	}
	return out, s.settle(ctx, now)
}

func countClients(n int) string {
	if n == 1 {
		return "this client"
	}
	return fmt.Sprintf("these %d clients", n)
}

// believe stores that claims were accepted, then the claims: a repeat changes nothing.
func (l *storeLedger) believe(ctx context.Context, claims []asideClaim, by string, now time.Time) error {
	n := len(claims)
	clients, serials, times := make([]uuid.UUID, n), make([]uint64, n), make([]time.Time, n)
	accepted, who := make([]time.Time, n), make([]string, n)
	for i, c := range claims {
		clients[i], serials[i], times[i], accepted[i], who[i] = c.client, c.serial, c.at, now, by
	}
	// The claim first: what is listed as accepted is in force.
	err := l.store.Insert(ctx, `INSERT INTO client_claims (client_id, last_serial, claimed_time)`, clients, serials,
		times)
	if err != nil {
		return wrap(err, "store the accepted claims")
	}
	err = l.store.Insert(ctx, `INSERT INTO accepted_claims (client_id, last_serial, accepted_time, accepted_by)`,
		clients, serials, accepted, who)
	return wrap(err, "store who accepted the claims")
}

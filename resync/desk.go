package resync

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"statewire/smx"
	"statewire/smx/policy"
)

// claimsKept bounds the claims that wait for a store that is away; a client repeats its own at the next poll.
const claimsKept = 1_000_000

// desk answers policy polls from memory: requests that are owed, and the policies of collections. What clients say waits here for
// the store.
type desk struct {
	mu      sync.RWMutex
	loaded  bool                    // Guarded by mu, as all that follows.
	owing   owing                   // requests on offer
	picked  map[smx.ClientID]uint32 // number of the request that the client was given
	rules   []rule                  // policies by priority
	claims  map[smx.ClientID]claim
	pickups []pickup
}

func newDesk() *desk {
	return &desk{owing: owing{}, picked: map[smx.ClientID]uint32{}, claims: map[smx.ClientID]claim{}}
}

// Policy answers a client's poll from memory: the resync asked of it, if any, and what its collections say, with an ETag that is
// quoted already. It notes what the client claims, and that a resync was picked up; both reach the store within seconds, and
// before the next check looks. It fails with ErrNotReady while the store cannot be read at the start.
func (s *Service) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	if poll.LastSerial > smx.MaxSerial {
		s.metrics.polls.WithLabelValues("failed").Inc()
		return nil, "", invalid("the claimed serial is above 2^62")
	}
	p, err := s.desk.answer(poll, s.now().UTC())
	if err != nil {
		s.metrics.polls.WithLabelValues("failed").Inc()
		return nil, "", err
	}
	s.metrics.polls.WithLabelValues(policyKind(p)).Inc()
	document = policy.Encode(p)
	return document, fmt.Sprintf(`"%016x"`, xxhash.Sum64(document)), nil
}

func policyKind(p policy.Document) string {
	switch {
	case p.Resync != nil:
		return "resync"
	case p.SendInterval > 0 || p.PolicyInterval > 0 || len(p.Topics) > 0 || p.Relay != "" || p.Notifier != "":
		return "settings"
	}
	return "nothing"
}

// answer is the policy of the client that polls; what the poll says is noted.
func (d *desk) answer(poll smx.Poll, now time.Time) (policy.Document, error) {
	p := policy.Document{Client: poll.Client}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.loaded {
		return p, ErrNotReady
	}
	if before, again := d.claims[poll.Client]; again || len(d.claims) < claimsKept {
		d.claims[poll.Client] = claim{Poll: poll, at: now}.after(before)
	}
	if asked, ok := d.owing[poll.Client]; ok {
		p.Resync = &policy.Resync{Number: asked.number, NextSerial: asked.next, Issued: asked.issued.Truncate(time.Second), Reason: asked.reason}
		d.pick(asked, now)
	}
	for _, r := range d.rules {
		r.apply(&p)
	}
	return p, nil
}

// pick notes that a client was given its request, the first time.
func (d *desk) pick(asked resync, now time.Time) {
	if d.picked[asked.client] == asked.number {
		return
	}
	d.picked[asked.client] = asked.number
	d.pickups = append(d.pickups, pickup{asked.client, asked.number, now})
}

// open lets polls be answered.
func (d *desk) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loaded = true
}

// add offers new requests.
func (d *desk) add(list []resync) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range list {
		d.owing[one.client] = one
	}
}

// count says how many of the clients have a request on offer.
func (d *desk) count(clients []smx.ClientID) (n int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, client := range clients {
		if _, ok := d.owing[client]; ok {
			n++
		}
	}
	return n
}

// drop takes requests back and returns how many there were.
func (d *desk) drop(clients []smx.ClientID) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.owing)
	for _, client := range clients {
		delete(d.owing, client)
	}
	return before - len(d.owing)
}

// replace offers what the store says is owed, and returns the requests that are on offer no more. Pickups that have not reached
// the store yet stay known.
func (d *desk) replace(owed owing, picked map[smx.ClientID]uint32) owing {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := owing{}
	for client, before := range d.owing {
		if after, ok := owed[client]; !ok || after.number != before.number {
			gone[client] = before
		}
	}
	for client, number := range d.picked {
		if after, ok := owed[client]; ok && after.number == number {
			picked[client] = number
		}
	}
	d.owing, d.picked = maps.Clone(owed), picked
	return gone
}

// members are the members of the collections whose policies are in force.
func (d *desk) members() map[string][]smx.ClientID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make(map[string][]smx.ClientID, len(d.rules))
	for _, r := range d.rules {
		out[r.collection] = r.members
	}
	return out
}

// setRules puts policies in force.
func (d *desk) setRules(rules []rule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = rules
}

// take hands out what waits for the store.
func (d *desk) take() (map[smx.ClientID]claim, []pickup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	claims, pickups := d.claims, d.pickups
	d.claims, d.pickups = make(map[smx.ClientID]claim, min(len(claims), 1024)), nil
	return claims, pickups
}

// giveBack keeps what could not be stored, behind what was said since, and returns how many claims found no place.
func (d *desk) giveBack(claims map[smx.ClientID]claim, pickups []pickup) (dropped int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for client, c := range claims {
		switch now, newer := d.claims[client]; {
		case newer:
			d.claims[client] = now.after(c)
		case len(d.claims) >= claimsKept:
			dropped++
		default:
			d.claims[client] = c
		}
	}
	d.pickups = append(pickups, d.pickups...)
	return dropped
}

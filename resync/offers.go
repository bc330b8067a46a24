package resync

import (
	"maps"
	"slices"
	"sync"
	"time"

	"statewire/smx"
	"statewire/smx/policy"
)

// claimsKept bounds the claims that wait for a store that is away; a client repeats its own at the next poll.
const claimsKept = 1_000_000

// offers holds, in memory, the requests that are on offer to clients, and what clients say when they poll until it is
// stored.
type offers struct {
	mu      sync.RWMutex
	loaded  bool                    // Guarded by mu, as all that follows.
	owing   owing                   // requests on offer
	picked  map[smx.ClientID]uint32 // number of the request that the client was given
	woken   map[smx.ClientID]told   // the request that the client was woken for
	claims  map[smx.ClientID]claim
	storing map[smx.ClientID]claim // handed out by take, and not stored yet
	pickups []pickup
}

func newOffers() *offers {
	return &offers{owing: owing{}, picked: map[smx.ClientID]uint32{}, woken: map[smx.ClientID]told{},
		claims: map[smx.ClientID]claim{}}
}

// Asked notes what a client says of itself, and returns the resync that is asked of it; nil when there is none. That it
// was told is noted, too; both reach the store within seconds, and before the next check looks. It fails with
// ErrNotReady while the store cannot be read at the start.
func (s *Service) Asked(poll smx.Poll) (*policy.Resync, error) {
	asked, err := s.offers.answer(poll, s.now().UTC())
	if err != nil || asked == nil {
		return nil, err
	}
	return &policy.Resync{Number: asked.number, NextSerial: asked.next, Issued: asked.issued.Truncate(time.Second),
		Reason: asked.reason, Accepted: asked.accepted}, nil
}

// answer is the request on offer to the client that polls, nil when there is none; what the poll says is noted.
func (o *offers) answer(poll smx.Poll, now time.Time) (*resync, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.loaded {
		return nil, ErrNotReady
	}
	before, again := o.claims[poll.Client]
	if again || len(o.claims) < claimsKept {
		o.claims[poll.Client] = claim{Poll: poll, at: now}.after(before)
	}
	asked, ok := o.owing[poll.Client]
	if !ok {
		return nil, nil
	}
	o.pick(asked, now)
	return &asked, nil
}

// pick notes that a client was given its request, the first time.
func (o *offers) pick(asked resync, now time.Time) {
	if o.picked[asked.client] == asked.number {
		return
	}
	o.picked[asked.client] = asked.number
	o.pickups = append(o.pickups, pickup{asked.client, asked.number, now})
}

// open lets polls be answered.
func (o *offers) open() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.loaded = true
}

// add offers new requests.
func (o *offers) add(list []resync) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range list {
		o.owing[one.client] = one
	}
}

// count says how many of the clients have a request on offer.
func (o *offers) count(clients []smx.ClientID) (n int) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, client := range clients {
		if _, ok := o.owing[client]; ok {
			n++
		}
	}
	return n
}

// drop takes requests back and returns how many there were.
func (o *offers) drop(clients []smx.ClientID) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.owing)
	for _, client := range clients {
		delete(o.owing, client)
	}
	return before - len(o.owing)
}

// replace offers what the store says is owed, and returns the requests that are on offer no more. Pickups that have not
// reached the store yet stay known.
func (o *offers) replace(owed owing, picked map[smx.ClientID]uint32) owing {
	o.mu.Lock()
	defer o.mu.Unlock()
	gone := owing{}
	for client, before := range o.owing {
		if after, ok := owed[client]; !ok || after.number != before.number {
			gone[client] = before
		}
	}
	for client, number := range o.picked {
		if after, ok := owed[client]; ok && after.number == number {
			picked[client] = number
		}
	}
	o.owing, o.picked = maps.Clone(owed), picked
	return gone
}

// take hands out what waits for the store.
func (o *offers) take() (map[smx.ClientID]claim, []pickup) {
	o.mu.Lock()
	defer o.mu.Unlock()
	claims, pickups := o.claims, o.pickups
	o.storing = claims
	o.claims, o.pickups = make(map[smx.ClientID]claim, min(len(claims), 1024)), nil
	return claims, pickups
}

// giveBack keeps what could not be stored, behind what was said since, and returns how many claims found no place.
func (o *offers) giveBack(claims map[smx.ClientID]claim, pickups []pickup) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for client, c := range claims {
		switch now, newer := o.claims[client]; {
		case newer:
			o.claims[client] = now.after(c)
		case len(o.claims) >= claimsKept:
			dropped++
		default:
			o.claims[client] = c
		}
	}
	o.pickups = append(pickups, o.pickups...)
	o.storing = nil
	return dropped
}

// forget drops all that concerns a client.
func (o *offers) forget(client smx.ClientID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.owing, client)
	delete(o.picked, client)
	delete(o.woken, client)
	delete(o.claims, client)
	o.pickups = slices.DeleteFunc(o.pickups, func(p pickup) bool { return p.client == client })
}

// stored says that what was handed out is in the store.
func (o *offers) stored() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.storing = nil
}

// claimed are the serials that a client claimed and that may not be in the store yet, and whether it polled.
func (o *offers) claimed(client smx.ClientID) (serials []uint64, polled bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, claims := range []map[smx.ClientID]claim{o.claims, o.storing} {
		if c, ok := claims[client]; ok {
			serials, polled = append(serials, c.LastSerial, c.high), true
		}
	}
	return serials, polled
}

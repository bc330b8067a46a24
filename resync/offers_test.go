package resync

import (
	"testing"

	"statewire/smx"
)

func TestWhatCouldNotBeStoredIsKept(t *testing.T) {
	o := newOffers()
	o.open()
	o.add([]resync{{client: client(1), number: 3}})
	for n := range 3 {
		if _, err := o.answer(smx.Poll{Client: client(n), LastSerial: 5}, today); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.answer(smx.Poll{Client: client(3), LastSerial: 5_000_000}, today); err != nil {
		t.Fatal(err)
	}
	claims, pickups := o.take()
	for _, c := range []int{2, 3} {
		if _, err := o.answer(smx.Poll{Client: client(c), LastSerial: 6}, today); err != nil {
			t.Fatal(err)
		}
	}
	if dropped := o.giveBack(claims, pickups); dropped != 0 {
		t.Errorf("dropped %d", dropped)
	}
	claims, pickups = o.take()
	if c := claims[client(3)]; c.LastSerial != 6 || c.high != 5_000_000 {
		t.Errorf("the claim after a greater one is %+v", c)
	}
	if len(claims) != 4 || claims[client(2)].LastSerial != 6 || len(pickups) != 1 || pickups[0].number != 3 {
		t.Errorf("claims %v, pickups %v", claims, pickups)
	}
}

func TestNothingIsAnsweredBeforeTheStoreWasRead(t *testing.T) {
	if _, err := newOffers().answer(smx.Poll{Client: client(1)}, today); err != ErrNotReady {
		t.Errorf("answered: %v", err)
	}
}

// Each request that a client is given is noted once, not only its first.
func TestEveryPickupIsNotedOnce(t *testing.T) {
	o := newOffers()
	o.open()
	for number := uint32(1); number <= 2; number++ {
		o.add([]resync{{client: client(1), number: number}})
		for range 3 {
			if _, err := o.answer(smx.Poll{Client: client(1), LastSerial: 5}, today); err != nil {
				t.Fatal(err)
			}
		}
		if _, pickups := o.take(); len(pickups) != 1 || pickups[0].number != number {
			t.Errorf("of request %d the pickups %v are noted", number, pickups)
		}
	}
}

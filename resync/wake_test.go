package resync

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

// bell is a waker that remembers whom it woke.
type bell struct {
	fail   error
	during func() // runs while somebody is woken

	mu   sync.Mutex
	rung [][]uuid.UUID // Guarded by mu.
}

func (b *bell) Wake(_ context.Context, clients []uuid.UUID) error {
	if b.during != nil {
		b.during()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung = append(b.rung, clients)
	return b.fail
}

// rungFor is for which clients it rang last, and how often it rang.
func (b *bell) rungFor() ([]uuid.UUID, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rung) == 0 {
		return nil, 0
	}
	return b.rung[len(b.rung)-1], len(b.rung)
}

func TestWhoIsToBeWoken(t *testing.T) {
	o := newOffers()
	o.open()
	is := func(what string, want ...int) {
		t.Helper()
		list := o.untold()
		for _, n := range want {
			if _, ok := list[client(n)]; !ok {
				t.Errorf("%s: client %d is not", what, n)
			}
		}
		if len(list) != len(want) {
			t.Errorf("%s: %d clients, want %d", what, len(list), len(want))
		}
	}
	o.add([]resync{{client: client(1), number: 3}, {client: client(2), number: 1}})
	is("newly on offer", 1, 2)
	is("it did not get through", 1, 2)
	o.told(o.untold())
	is("who was woken is not woken again")
	o.add([]resync{{client: client(1), number: 4}})
	is("a new request", 1)
	if _, err := o.answer(smx.Poll{Client: client(1)}, today); err != nil {
		t.Fatal(err)
	}
	is("who picked it up by itself knows")
	o.replace(owing{client(1): {client: client(1), number: 4, accepted: true}}, map[smx.ClientID]uint32{client(1): 4})
	is("one that may be taken now", 1)
	o.told(o.untold())
	o.replace(owing{client(3): {client: client(3), number: 1}, client(4): {client: client(4), number: 9}},
		map[smx.ClientID]uint32{client(4): 9})
	is("what another process asked, and was not picked up", 3)
	if len(o.woken) != 1 {
		t.Errorf("%d wakes are remembered of clients that owe nothing", len(o.woken))
	}
	o.forget(client(3))
	is("a client that was erased")
}

// A request of a person wakes its client at once. Nothing is held meanwhile that a check needs, and what does not get
// through fails nothing: it is tried again.
func TestARequestWakesItsClient(t *testing.T) {
	b := newBench(t, DefaultConfig())
	ring := &bell{fail: errors.New("no manager answers"), during: func() { b.check(CheckOptions{}) }}
	b.waker = ring
	b.arrive(client(1), 1, 5)
	b.arrive(client(2), 1, 5)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	until := func(what string, holds func(last []uuid.UUID, times int) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !holds(ring.rungFor()); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never: %s", what)
			}
		}
	}
	request := func(n int) {
		t.Helper()
		out, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{client(n)}}, RequestOptions{By: "a test"})
		if err != nil || out.IssuedTotal != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	request(1)
	one, two := uuid.UUID(client(1)), uuid.UUID(client(2))
	until("client 1 is woken", func(last []uuid.UUID, _ int) bool { return slices.Equal(last, []uuid.UUID{one}) })
	request(2)
	until("both, for the first wake failed", func(last []uuid.UUID, _ int) bool {
		return len(last) == 2 && slices.Contains(last, one) && slices.Contains(last, two)
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The next process does not know who was woken: who picked its request up is not.
	next := newBenchOn(t, b.db, DefaultConfig(), b.now)
	again := &bell{}
	next.waker = again
	next.check(CheckOptions{})
	next.poll(client(2), 5)
	if len(next.offered) != 1 {
		t.Error("nobody looks whom to wake after a start")
	}
	for range 2 { // once is enough
		if err := next.wakeOffered(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if last, times := again.rungFor(); times != 1 || !slices.Equal(last, []uuid.UUID{one}) {
		t.Errorf("woken after a start: %v", last)
	}
}

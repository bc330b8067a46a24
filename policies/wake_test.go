package policies

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store/storetest"
)

// bell is a waker that tells whom it woke.
type bell struct {
	fail error
	rung chan []uuid.UUID
}

func (b *bell) Wake(_ context.Context, clients []uuid.UUID) error {
	slices.SortFunc(clients, func(x, y uuid.UUID) int { return smx.ClientID(x).Compare(smx.ClientID(y)) })
	b.rung <- clients
	return b.fail
}

func clients(ns ...int) (list []smx.ClientID) {
	for _, n := range ns {
		list = append(list, client(n))
	}
	return list
}

func TestWhomAChangeConcerns(t *testing.T) {
	hour, minute := Settings{SendInterval: time.Hour}, Settings{SendInterval: time.Minute}
	topics := Settings{SendInterval: time.Hour, Topics: []policy.Topic{{Type: 500}}}
	of := func(name string, p Settings, ns ...int) rule { return rule{p, name, clients(ns...)} }
	for _, tc := range []struct {
		name          string
		before, after []rule
		want          []int
	}{
		{"nothing changed", []rule{of("a", hour, 1, 2)}, []rule{of("a", hour, 1, 2)}, nil},
		{"a new policy", nil, []rule{of("a", hour, 1, 2)}, []int{1, 2}},
		{"a policy that is gone", []rule{of("a", hour, 1, 2), of("b", hour, 3)}, []rule{of("b", hour, 3)}, []int{1, 2}},
		{"other settings: who is in it and who was", []rule{of("a", hour, 1, 2)}, []rule{of("a", minute, 2, 3)},
			[]int{1, 2, 3}},
		{"another topic", []rule{of("a", hour, 1)}, []rule{of("a", topics, 1)}, []int{1}},
		{"who came and who left", []rule{of("a", hour, 1, 2, 4, 6)}, []rule{of("a", hour, 2, 3, 4)}, []int{1, 3, 6}},
		{"another order says the same", []rule{of("a", hour, 1), of("b", minute, 2)},
			[]rule{of("b", minute, 2), of("a", hour, 1)}, nil},
	} {
		got := concerned(tc.before, tc.after)
		slices.SortFunc(got, smx.ClientID.Compare)
		if got = slices.Compact(got); !slices.Equal(got, clients(tc.want...)) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	for name, other := range map[string]Settings{"priority": {Priority: 1}, "policy interval": {PolicyInterval: 1},
		"relay": {Relay: "x"}, "notifier": {Notifier: "x"}, "send interval": {SendInterval: 1}} {
		if other.equal(Settings{}) {
			t.Errorf("another %s is none", name)
		}
	}
}

// A change wakes whom it concerns: who is in the collection and who was; everybody when the site itself changes. What a
// start says wakes nobody.
func TestAChangeOfPolicyWakesItsClients(t *testing.T) {
	db, log := storetest.New(t), slog.New(slog.DiscardHandler)
	ring := &bell{rung: make(chan []uuid.UUID, 10)}
	sets := collections.New(db, log, time.Now)
	s := New(Deps{Store: db, Collections: sets, Resyncs: asked{}, Log: log, Waker: ring})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wakes := func(what string, ns ...int) {
		t.Helper()
		select {
		case got := <-ring.rung:
			want := clients(ns...)
			if !slices.EqualFunc(got, want, func(a uuid.UUID, b smx.ClientID) bool { return smx.ClientID(a) == b }) {
				t.Errorf("%s wakes %v, want %v", what, got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s wakes nobody", what)
		}
	}
	make := func(name string, ns ...int) {
		t.Helper()
		_, err := sets.Create(ctx, collections.Spec{Name: name, Clients: clients(ns...), Replace: true})
		must(err)
	}
	set := func(name string, p Settings) {
		t.Helper()
		_, err := s.Set(ctx, name, p)
		must(err)
	}
	make("a", 1, 2)
	must(s.Reload(ctx))
	s.Believe(&policy.Trust{CA: []byte("one")})
	s.NotifierAt(":10200")
	if p, err := s.answer(smx.Poll{Client: client(9)}); err != nil || p.Notifier != ":10200" {
		t.Errorf("%+v, %v", p, err)
	}
	set("a", Settings{SendInterval: time.Hour, Notifier: "push.example:10123"})
	wakes("the first policy", 1, 2)
	if p, err := s.answer(smx.Poll{Client: client(1)}); err != nil || p.Notifier != "push.example:10123" {
		t.Errorf("an assigned notifier gives way: %+v, %v", p, err)
	}
	make("a", 2, 3)
	wakes("another member", 1, 3)
	must(sets.Delete(ctx, "a"))
	wakes("a collection that is gone", 2, 3)
	for n := range 4 {
		id, at := []uuid.UUID{uuid.UUID(client(n))}, []time.Time{today}
		if n > 0 {
			must(db.Insert(ctx, `INSERT INTO clients_seen (client_id, first_report_time, last_report_time, loaded_time)`,
				id, at, at, at))
		}
		must(db.Insert(ctx, `INSERT INTO client_claims (client_id, last_serial, claimed_time, loaded_time)`, id, []uint64{1},
			at, at))
	}
	_, err := sets.Retire(ctx, clients(3), collections.RetireOptions{Reason: "gone"})
	must(err)
	s.Believe(&policy.Trust{CA: []byte("two")})
	wakes("another trust", 0, 1, 2)
	s.NotifierAt(":10200")
	s.NotifierAt("")
	wakes("another address", 0, 1, 2)
	stop()
	must(<-done)
	// What did not get through is not lost.
	ring.fail = errors.New("no manager answers")
	s.changes.add(clients(7), false)
	if s.wakeChanged(t.Context()) == nil {
		t.Error("no failure")
	}
	wakes("the first try", 7)
	ring.fail = nil
	must(s.wakeChanged(t.Context()))
	wakes("the second", 7)
	if len(ring.rung) != 0 {
		t.Errorf("%d wakes too many", len(ring.rung))
	}
}

package identity

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
)

// polls is when clients asked for their policy.
type polls struct {
	at  map[uuid.UUID]time.Time
	err error
}

func (p *polls) Polled(_ context.Context, since time.Time) (clients []uuid.UUID, err error) {
	for id, at := range p.at {
		if !at.Before(since) {
			clients = append(clients, id)
		}
	}
	return clients, p.err
}

// Before the authority changes the site says whom that locks out: clients that do not know the next one.
func TestAChangeOfTheAuthoritySaysWhomItLocksOut(t *testing.T) {
	s, p := newSite(t), &polls{at: map[uuid.UUID]time.Time{}}
	s.deps.Polls = p
	enrol := func() uuid.UUID { return s.enrolled(t, uuid.New()).Client }
	untold := func(clients, want int) {
		t.Helper()
		got, err := s.Staged(t.Context())
		if err != nil || got.NotPolled == nil || *got.NotPolled != want || got.Clients != clients {
			t.Errorf("%+v, %v; want %d of %d clients", got, err, want, clients)
		}
	}
	a, b, gone := enrol(), enrol(), enrol()
	if err := s.Revoke(t.Context(), clientKey(gone), "sold"); err != nil {
		t.Fatal(err)
	}
	p.at[a] = s.clock.now()
	s.clock.add(time.Second)
	if _, err := s.StageCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	untold(2, 2)
	p.at[a] = s.clock.now().Add(time.Second) // it may have been answered without the next authority
	untold(2, 2)
	s.clock.add(time.Minute)
	p.at[a], p.at[uuid.New()] = s.clock.now(), s.clock.now()
	untold(2, 1)
	enrol() // it is given both
	untold(3, 1)
	p.at[b] = s.clock.now()
	untold(3, 0)
	delete(p.at, b)

	p.err = errors.New("away")
	if got, err := s.Staged(t.Context()); err != nil || got.NotPolled != nil || got.Clients != 3 {
		t.Errorf("while nobody knows: %+v, %v", got, err)
	}
	p.err = nil
	if got, err := s.SwitchCA(t.Context()); err != nil || got.NotPolled == nil || *got.NotPolled != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	s.clock.add(roleLife + DefaultConfig().RenewGrace + time.Hour)
	if _, err := s.StageCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	untold(0, 0) // their certificates ended long ago
}

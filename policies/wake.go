package policies

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/internal/backoff"
	"statewire/smx"
)

// wakeRetry is the pause after clients could not be woken.
const wakeRetry = time.Minute

// waker has clients ask for their policy soon; whoever is away does it when it is back.
type waker interface {
	Wake(ctx context.Context, clients []uuid.UUID) error
}

// changes are the clients whose policy changed and who were not woken yet.
type changes struct {
	news chan struct{} // a change came

	mu        sync.Mutex
	clients   map[smx.ClientID]struct{} // Guarded by mu.
	everybody bool                      // Guarded by mu.
}

func newChanges() *changes {
	return &changes{news: make(chan struct{}, 1), clients: map[smx.ClientID]struct{}{}}
}

// add never waits: it is called while collections are changed.
func (c *changes) add(clients []smx.ClientID, everybody bool) {
	if len(clients) == 0 && !everybody {
		return
	}
	c.mu.Lock()
	c.everybody = c.everybody || everybody
	for _, client := range clients {
		c.clients[client] = struct{}{}
	}
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default: // somebody is about to look
	}
}

// take hands out what came.
func (c *changes) take() (clients []smx.ClientID, everybody bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for client := range c.clients {
		clients = append(clients, client)
	}
	everybody = c.everybody
	c.clients, c.everybody = map[smx.ClientID]struct{}{}, false
	return clients, everybody
}

// Run wakes the clients whose policy changed, until ctx is done. Who cannot be woken now is woken later; a client asks
// by itself, too, every policy interval.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.changes.news:
		}
		if err := s.wakeChanged(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("clients whose policy changed not woken yet", "err", err, "retry_in", wakeRetry)
			_ = backoff.Sleep(ctx, backoff.Jitter(wakeRetry*95/100, wakeRetry/10)) // a stop ends the loop
		}
	}
}

func (s *Service) wakeChanged(ctx context.Context) (err error) {
	if s.waker == nil {
		return nil
	}
	clients, everybody := s.changes.take()
	defer func() {
		if err != nil {
			s.changes.add(clients, everybody)
		}
	}()
	ids := make([]uuid.UUID, len(clients))
	for i, client := range clients {
		ids[i] = uuid.UUID(client)
	}
	if everybody {
		if ids, err = s.everybody(ctx); err != nil {
			return err
		}
	}
	if err = s.waker.Wake(ctx, ids); err != nil {
		return fmt.Errorf("wake %d clients: %w", len(ids), err)
	}
	return nil
}

//go:embed sql/everybody.sql
var everybodySQL string

// everybody is every client that the site knows and that is not retired.
func (s *Service) everybody(ctx context.Context) (ids []uuid.UUID, err error) {
	err = s.store.EachRow(ctx, everybodySQL, nil, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the clients: %w", err)
	}
	return ids, nil
}

// concerned are the clients for whom rules that give way to others say something else than those.
func concerned(before, after []rule) (clients []smx.ClientID) {
	for _, old := range before {
		at := slices.IndexFunc(after, func(r rule) bool { return r.collection == old.collection })
		if at >= 0 && after[at].Settings.equal(old.Settings) {
			clients = append(clients, differing(old.members, after[at].members)...)
			continue
		}
		clients = append(clients, old.members...)
		if at >= 0 {
			clients = append(clients, after[at].members...)
		}
	}
	for _, now := range after {
		if !slices.ContainsFunc(before, func(r rule) bool { return r.collection == now.collection }) {
			clients = append(clients, now.members...)
		}
	}
	return clients
}

// differing are those that are in one of two ascending lists only.
func differing(a, b []smx.ClientID) (clients []smx.ClientID) {
	for len(a) > 0 && len(b) > 0 {
		switch order := a[0].Compare(b[0]); {
		case order < 0:
			clients, a = append(clients, a[0]), a[1:]
		case order > 0:
			clients, b = append(clients, b[0]), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return append(append(clients, a...), b...)
}

package manager

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Wake has clients ask for their policy: one that is connected at once, by the server that holds it, another one when
// it signs in. A client that waits for its wake is woken once, however often that is asked for.
func (m *Manager) Wake(_ context.Context, clients []uuid.UUID) error {
	err := m.update(func(c *change) error {
		number, dropped := m.wakeNumber, 0
		for _, id := range clients {
			one, waits := m.clients[id], false
			if _, waits = m.wakes[id]; !waits && (one == nil || !one.online()) && len(m.wakes)+len(c.wakes) >= m.maxWakes {
				dropped++
				continue
			}
			number++
			c.wakes[id] = number
		}
		if dropped > 0 {
			m.metrics.wakesDropped.Add(float64(dropped))
			m.log.Warn("too many clients wait to be woken; the others ask for their policy by themselves", "dropped", dropped)
		}
		c.then = append(c.then, func() {
			m.wakeNumber = number
			for id, n := range c.wakes {
				m.route(id, n)
			}
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep that %d clients are to be woken: %w", len(clients), err)
	}
	return nil
}

// route puts a wake where its client is connected, and nowhere when it is not. m.mu is held.
func (m *Manager) route(id uuid.UUID, number uint64) {
	one := m.clients[id]
	for server, q := range m.queues {
		if one == nil || !one.online() || one.Server != server {
			delete(q.wakes, id)
		}
	}
	if one == nil || !one.online() {
		return
	}
	q := m.queue(one.Server)
	q.wakes[id] = number
	q.ring()
}

// Revoked takes clients whose certificates are refused: they are offline until they sign in with a newer one.
func (m *Manager) Revoked(_ context.Context, clients []uuid.UUID) error {
	err := m.update(func(c *change) error {
		for _, id := range clients {
			if one := c.client(id); one != nil && one.Verdict != revoked {
				c.decide(id, revoked)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep that %d clients are revoked: %w", len(clients), err)
	}
	return nil
}

// Forget drops all that is known of clients that are erased, once their certificates are refused and before their rows
// go from the tables, which it does not touch.
func (m *Manager) Forget(_ context.Context, clients []uuid.UUID) error {
	err := m.update(func(c *change) error {
		for _, id := range clients {
			if one := c.client(id); one != nil {
				c.clients[id] = nil
				c.then = append(c.then, func() { m.forgotten[id] = one.Certificate })
			}
			if _, waits := m.wakes[id]; waits {
				c.wakes[id] = 0
			}
			if err := c.forgetTasks(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget %d clients: %w", len(clients), err)
	}
	return nil
}

package manager

import (
	"fmt"
	"time"

	"statewire/notifier/wire"
)

// resumed notices that this process did not run for a while: what a server did not send meanwhile says nothing of it.
func (m *Manager) resumed(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if gap := now.Sub(m.box.looked); gap > stoppedAfter || gap < 0 || m.running.IsZero() {
		m.running = now
	}
	m.box.looked = now
}

// silence puts the clients offline whose server has sent no file for two intervals.
func (m *Manager) silence(now time.Time) error {
	m.mu.RLock()
	running := m.running
	var silent []*server
	for _, s := range m.servers {
		since := m.heard[s.ID]
		if since.Before(running) || since.After(now) {
			since = running
		}
		if !s.Silent && now.Sub(since) >= 2*m.cfg.PresenceInterval {
			silent = append(silent, s)
		}
	}
	m.mu.RUnlock()
	for _, s := range silent {
		if err := m.lose(s, now); err != nil {
			return fmt.Errorf("note that server %s is silent: %w", s.Name, err)
		}
	}
	return nil
}

func (m *Manager) lose(s *server, now time.Time) error {
	lostNow := 0
	err := m.update(func(c *change) error {
		next := c.server(s.ID, s.Name)
		next.Silent, next.Owes = true, true
		c.askFull(next)
		for id, one := range m.clients {
			if one.Server == s.ID && one.online() {
				c.decide(id, lost)
				lostNow++
			}
		}
		c.tell(wire.ComponentMessage{Component: wire.ManagerComponent, ID: wire.ServerSilent, Time: now,
			Text: fmt.Sprintf("The notification server %s has sent no presence file for %v: its clients count as offline. "+
				"See whether it runs and can write to %s.", s.Name, 2*m.cfg.PresenceInterval, m.cfg.Box)})
		return nil
	})
	if err == nil {
		m.log.Error("a notification server is silent; its clients count as offline", "server", s.Name, "clients", lostNow)
	}
	return err
}

package manager

import (
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// change is what is done in one step: in the file first, whole or not at all, and then in memory. While it is made,
// what it changed counts and nobody else sees it.
type change struct {
	m        *Manager
	now      time.Time
	counter  uint64
	clients  map[uuid.UUID]*client // nil: forgotten
	servers  map[uint32]*server
	history  []connected
	messages []wire.ComponentMessage
	told     map[string]time.Time
	untold   []string
	wakes    map[uuid.UUID]uint64 // 0: no more
	then     []func()             // in memory, once it is durable. m.mu is held
	rows     map[string]int       // by result
	results  map[string]int       // of tasks, by what became of them

	changedTasks
}

// update makes a change. An error leaves everything as it was.
func (m *Manager) update(do func(*change) error) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	c := &change{m: m, now: m.now(), counter: m.counter, clients: map[uuid.UUID]*client{}, servers: map[uint32]*server{},
		told: map[string]time.Time{}, wakes: map[uuid.UUID]uint64{}, rows: map[string]int{},
		results: map[string]int{}, changedTasks: newChangedTasks()}
	if err := do(c); err != nil {
		return err
	}
	if c.changes() {
		if err := m.write(c); err != nil {
			return err
		}
	}
	m.mu.Lock()
	c.install()
	m.mu.Unlock()
	for result, n := range c.rows {
		m.metrics.rows.WithLabelValues(result).Add(float64(n))
	}
	for result, n := range c.results {
		m.metrics.results.WithLabelValues(result).Add(float64(n))
	}
	if len(c.clients)+len(c.history)+len(c.messages)+len(c.servers) > 0 || c.changedTasks.any() {
		m.wakeMirror()
	}
	return nil
}

func (c *change) changes() bool {
	return len(c.clients)+len(c.servers)+len(c.history)+len(c.messages)+len(c.untold)+len(c.wakes) > 0 ||
		c.changedTasks.any()
}

// install makes the change seen.
func (c *change) install() {
	m := c.m
	m.counter = c.counter
	for id, s := range c.servers {
		m.servers[id] = s
	}
	for id, one := range c.clients {
		if one == nil {
			delete(m.clients, id)
			delete(m.unmirrored, id)
			delete(m.seen, id)
			continue
		}
		m.clients[id] = one
		m.unmirrored[id] = struct{}{}
	}
	if len(m.unmirrored) > 0 && m.behindSince.IsZero() {
		m.behindSince = c.now
	}
	for key, at := range c.told {
		m.told[key] = at
	}
	for _, key := range c.untold {
		delete(m.told, key)
	}
	for id, n := range c.wakes {
		if n == 0 {
			delete(m.wakes, id)
		} else {
			m.wakes[id] = n
		}
	}
	c.installTasks()
	for _, do := range c.then {
		do()
	}
	for id := range c.clients {
		if n, ok := m.wakes[id]; ok {
			m.route(id, n)
		}
		m.offerClient(id)
	}
}

// client is what is known of a client at this point of the change; nil where nothing is.
func (c *change) client(id uuid.UUID) *client {
	if one, ok := c.clients[id]; ok {
		return one
	}
	return c.m.clients[id]
}

// server is a server at this point of the change, to be changed; a new one where none is known.
func (c *change) server(id uint32, name string) *server {
	if s, ok := c.servers[id]; ok {
		return s
	}
	s := &server{ID: id, Name: name}
	if known := c.m.servers[id]; known != nil {
		*s = *known
		s.Name = name
	}
	c.servers[id] = s
	return s
}

// set gives a client another state, with the next version, and keeps the time at which it was connected where that is
// over.
func (c *change) set(id uuid.UUID, one client) {
	old := c.client(id)
	c.counter++
	one.Version = c.counter
	c.clients[id] = &one
	c.keepHistory(id, old, &one)
}

// keepHistory writes down that a connection ended, where one did. That the manager lost sight of a client ends it, too;
// how it really ended replaces that when it is learned.
func (c *change) keepHistory(id uuid.UUID, old, one *client) {
	switch {
	case old != nil && old.Online && old.continues(one):
		if !one.online() && (old.online() || !one.Online) {
			reason, at := one.why()
			c.over(id, old, at, reason)
		}
		return
	case old != nil && old.Online:
		c.over(id, old, one.Since, replaced)
	}
	if !one.Online && (old == nil || old.Session != one.Session || old.Server != one.Server) {
		unseen := *one // it came and went between two reports: when it came is not told
		unseen.Since = min(one.Since, one.Last)
		c.over(id, &unseen, max(one.Since, one.Last), one.Reason)
	}
}

// replaced is why a connection ended whose client came elsewhere, or again.
const replaced = "replaced"

// continues says whether another state is of the same connection. A server that raises the session of a connection
// leaves its beginning.
func (c *client) continues(one *client) bool {
	return c.Server == one.Server && (c.Session == one.Session || c.Since == one.Since)
}

func (c *change) over(id uuid.UUID, one *client, to int64, reason string) {
	c.counter++
	c.history = append(c.history, connected{Client: id, Server: one.Server, Channel: one.Channel, Session: one.Session,
		From: one.Since, To: max(to, one.Since), Reason: reason, Version: c.counter})
}

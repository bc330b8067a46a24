package manager

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// queue is what one server is to do. What was handed out comes again until the server says that it has it.
type queue struct {
	epoch  uint64 // of the server that asks
	number uint64 // of the last work handed out
	out    *wire.Work
	handed map[uuid.UUID]uint64 // which wakes are in it
	waking []waking             // work that the server has, and whose wakes it has not handed out
	wakes  map[uuid.UUID]uint64 // those that wait, with their numbers
	raise  map[uuid.UUID]uint64
	end    map[uuid.UUID]uint64
	asked  time.Time // when a full report was last asked for
	full   bool
	more   chan struct{} // closed when something comes

	lines     []*line           // clients that wait for tasks
	unwritten map[uint64]*open  // pushes that are handed out, and that the server has not written
	cancels   map[stepKey]*task // that clients are to be told of
	timed     time.Time         // when it was last given a signed time
}

// waking is wakes that a server has to hand out still: one that is started anew is given them again.
type waking struct {
	number uint64 // of the work that they came with
	wakes  map[uuid.UUID]uint64
}

// queue is the queue of a server. m.mu is held.
func (m *Manager) queue(id uint32) *queue {
	q := m.queues[id]
	if q == nil {
		q = &queue{wakes: map[uuid.UUID]uint64{}, raise: map[uuid.UUID]uint64{}, end: map[uuid.UUID]uint64{},
			more: make(chan struct{}), unwritten: map[uint64]*open{}, cancels: map[stepKey]*task{}}
		m.queues[id] = q
	}
	return q
}

// ring tells whoever waits that there is something.
func (q *queue) ring() {
	close(q.more)
	q.more = make(chan struct{})
}

// Work answers what a server is to do, as soon as there is something, or nothing after fifty seconds. What is answered
// is answered again until a question's Got confirms it.
func (m *Manager) Work(ctx context.Context, ask wire.Ask) (wire.Work, error) {
	if err := m.mine(ask.Server, ask.ServerID); err != nil {
		return wire.Work{}, err
	}
	if err := m.hear(ask); err != nil {
		return wire.Work{}, fmt.Errorf("keep what server %s says: %w", ask.Server, err)
	}
	hold := time.NewTimer(holdFor)
	defer hold.Stop()
	clearing, end := m.clearBeside(ctx)
	defer end()
	for {
		look, err := m.look(ask)
		if err != nil {
			return wire.Work{}, fmt.Errorf("look for work of server %s: %w", ask.Server, err)
		}
		if look.some {
			return look.work, nil
		}
		gone, cleared := ctx.Done(), (<-chan struct{})(nil)
		if len(look.unclear) > 0 {
			gone, cleared = nil, clearing(look.unclear) // mostly the answer is there at once
		}
		again := time.NewTimer(look.wait)
		select {
		case <-gone:
			err = ctx.Err()
		case <-cleared:
		case <-hold.C:
			again.Stop()
			return wire.Work{Number: ask.Got, Stopped: look.work.Stopped}, nil
		case <-again.C:
		case <-look.more:
		}
		again.Stop()
		if err != nil {
			return wire.Work{}, err
		}
	}
}

// looked is what one look for a server's work found.
type looked struct {
	work    wire.Work
	some    bool          // there is work
	unclear []*live       // whose creators are to be asked for
	wait    time.Duration // when to look again
	more    <-chan struct{}
}

// look looks once for the work of a server.
func (m *Manager) look(ask wire.Ask) (out looked, err error) {
	if err := m.reservePushes(); err != nil {
		return out, err
	}
	now := m.now()
	signer := m.signer(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue(ask.ServerID)
	p := &picking{m: m, q: q, server: ask.ServerID, now: now, signer: signer, wait: holdFor}
	out.work, out.some = q.take(p, ask)
	out.wait, out.more = p.wait, q.more
	if out.some {
		return out, nil // the next question asks
	}
	out.unclear = p.unclear
	for _, l := range p.unclear {
		l.asking, l.asked = true, now
	}
	return out, nil
}

// take is the work that waits: what was not confirmed, or what came since.
func (q *queue) take(p *picking, ask wire.Ask) (wire.Work, bool) {
	got, now, stopped := ask.Got, p.now, p.m.stop.Stopped
	if q.out != nil {
		again := *q.out
		again.Stopped = stopped
		return again, true
	}
	w := wire.Work{Full: q.full, Raise: sessions(q.raise), End: sessions(q.end)}
	handed, most := map[uuid.UUID]uint64{}, maxWorkWakes
	for _, at := range q.waking {
		most -= len(at.wakes)
	}
	for id, n := range q.wakes {
		if len(w.Wakes) >= most {
			break
		}
		if !q.has(id, n) {
			w.Wakes, handed[id] = append(w.Wakes, id), n
		}
	}
	p.tasks(&w)
	w.Stopped = stopped
	if w.Empty() && stopped == ask.Stopped {
		return wire.Work{Number: got, Stopped: stopped}, false
	}
	if w.Full {
		q.asked = now
	}
	q.number = max(q.number, got) + 1 // a manager that began anew counts on from what the server has
	w.Number = q.number
	q.full = false
	clear(q.raise)
	clear(q.end)
	q.out, q.handed = &w, handed
	return w, true
}

// has says whether the server has a wake that it did not hand out yet.
func (q *queue) has(id uuid.UUID, number uint64) bool {
	for _, at := range q.waking {
		if at.wakes[id] == number {
			return true
		}
	}
	return false
}

func sessions(of map[uuid.UUID]uint64) (out []wire.SessionOf) {
	for id, n := range of {
		out = append(out, wire.SessionOf{Client: id, Session: n})
	}
	return out
}

// hear takes what a question says: what the server has, its messages, its epoch, and how far its reports are. Those of
// a server that speaks are the true ones, whatever its files said.
func (m *Manager) hear(ask wire.Ask) error {
	return m.update(func(c *change) error {
		for _, message := range ask.Messages[:min(len(ask.Messages), maxMessages)] {
			c.tell(message)
		}
		known := m.servers[ask.ServerID]
		switch {
		case known == nil:
			s := c.server(ask.ServerID, ask.Server)
			s.Owes = true
		case known.countsAnew(ask):
			s := c.server(ask.ServerID, ask.Server)
			s.Epoch, s.Version, s.Full, s.Owes = ask.Epoch, 0, 0, true
			m.log.Warn("a notification server counts anew; it is asked for a full report", "server", ask.Server,
				"epoch", ask.Epoch, "was", known.Epoch, "version", ask.Version, "version_was", known.Version)
		case known.Epoch == ask.Epoch && known.Name == ask.Server:
		case !known.Owes:
			s := c.server(ask.ServerID, ask.Server)
			s.Owes = true
		}
		m.confirmed(c, ask)
		c.then = append(c.then, func() {
			if q := m.queue(ask.ServerID); q.epoch != ask.Epoch {
				// What another start of the server was asked for is gone.
				q.epoch, q.asked, q.waking = ask.Epoch, time.Time{}, nil
				m.startedAnew(q)
			}
		})
		if s := c.servers[ask.ServerID]; s != nil && s.Owes {
			c.askFull(s)
		} else if s == nil && known.Owes {
			c.askFull(known)
		}
		return nil
	})
}

// confirmed drops the work that a server has, and the wakes that it has handed out.
func (m *Manager) confirmed(c *change, ask wire.Ask) {
	m.mu.RLock()
	q := m.queues[ask.ServerID]
	var has bool
	var waits, done []waking // nothing changes their wakes once they were handed out
	if q != nil {
		has = q.out != nil && ask.Got >= q.out.Number
		all := slices.Clone(q.waking)
		if has {
			all = append(all, waking{q.out.Number, q.handed})
		}
		for _, at := range all {
			if at.number <= ask.Woken {
				done = append(done, at)
			} else {
				waits = append(waits, at)
			}
		}
	}
	m.mu.RUnlock()
	if !has && len(done) == 0 {
		return
	}
	for _, at := range done {
		for id, n := range at.wakes {
			one := c.client(id) // one that left meanwhile is woken when it is back
			if m.wakes[id] == n && one != nil && one.online() && one.Server == ask.ServerID {
				c.wakes[id] = 0
			}
		}
	}
	c.then = append(c.then, func() {
		for _, at := range done {
			for id := range at.wakes {
				if _, again := m.wakes[id]; !again {
					delete(q.wakes, id)
				}
			}
		}
		q.waking = waits
		if has {
			q.out, q.handed = nil, nil
		}
	})
}

// askFull asks a server for a full report, unless it was asked just now.
func (c *change) askFull(s *server) {
	c.then = append(c.then, func() {
		q := c.m.queue(s.ID)
		if since := c.now.Sub(q.asked); q.full || !q.asked.IsZero() && since >= 0 && since < askFullAgain {
			return
		}
		q.full = true
		q.ring()
	})
}

func (c *change) raise(server uint32, id uuid.UUID, session uint64) {
	c.then = append(c.then, func() {
		q := c.m.queue(server)
		q.raise[id] = max(q.raise[id], session)
		q.ring()
	})
}

func (c *change) end(server uint32, id uuid.UUID, session uint64) {
	c.then = append(c.then, func() {
		q := c.m.queue(server)
		q.end[id] = max(q.end[id], session)
		q.ring()
	})
}

// Seen takes what a server tells of presence at once. Its next file tells it again.
func (m *Manager) Seen(_ context.Context, seen wire.Seen) error {
	if err := m.mine(seen.Server, seen.ServerID); err != nil {
		return err
	}
	err := m.update(func(c *change) error {
		by := teller{server: seen.ServerID, epoch: seen.Epoch}
		if m.servers[seen.ServerID] == nil {
			c.server(seen.ServerID, seen.Server).Owes = true
		}
		for _, r := range seen.Rows {
			if r.Client == uuid.Nil {
				c.rows[rowBad]++
				continue
			}
			c.row(by, r)
		}
		c.then = append(c.then, func() {
			for _, r := range seen.Rows {
				if one := m.clients[r.Client]; one != nil && one.Server == seen.ServerID {
					m.seen[r.Client] = atOnce{server: seen.ServerID}
				}
			}
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep the presence of %d clients: %w", len(seen.Rows), err)
	}
	return nil
}

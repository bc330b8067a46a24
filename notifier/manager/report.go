package manager

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// turn is where a report stands among those of its server.
type turn uint8

const (
	next     turn = iota
	tooEarly      // one before it, or a part, is not there
	late          // its place was before one that is loaded
)

// turnOf says whether it is a report's turn. A server that started anew counts its reports on, or from 1; one that
// could not write a report leaves out its version and builds on the one before.
func (m *Manager) turnOf(p parts) turn {
	m.mu.RLock()
	s := m.servers[p.head().ServerID]
	m.mu.RUnlock()
	r := p.head()
	switch {
	case s == nil || s.Epoch == 0 || s.Version == 0 && s.Epoch == r.Epoch:
	case r.Epoch < s.Epoch, r.Epoch == s.Epoch && r.Version <= s.Version:
		return late
	case r.Version == s.Version+1, r.Epoch > s.Epoch && r.Version == 1, r.Epoch == s.Epoch && r.Base == s.Version:
	default:
		return tooEarly
	}
	if !p.whole() {
		return tooEarly
	}
	return next
}

// heardOf notes that a file of a server is there.
func (m *Manager) heardOf(id uint32, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard[id] = now
}

// loadReport takes the rows of a report, in one step.
func (m *Manager) loadReport(p parts, turn turn) error {
	head := p.head()
	return m.update(func(c *change) error {
		by := teller{server: head.ServerID, epoch: head.Epoch, late: turn == late,
			full: turn != late && head.Full && p.whole()}
		if s := m.servers[head.ServerID]; by.late {
			by.stale = head.Epoch < s.Epoch || head.Version < s.Full
		}
		named := map[uuid.UUID]struct{}{}
		for _, f := range p {
			for _, r := range f.report.Rows {
				c.row(by, r)
				named[r.Client] = struct{}{}
			}
			if len(f.bad) > 0 {
				c.rows[rowBad] += len(f.bad)
				c.tellBadRows(head)
			}
		}
		if turn == late {
			return nil
		}
		c.account(p, by, turn, named)
		return nil
	})
}

// account draws what follows from a report beyond its rows.
func (c *change) account(p parts, by teller, turn turn, named map[uuid.UUID]struct{}) {
	head, whole := p.head(), p.whole()
	s := c.server(head.ServerID, head.Server)
	if turn == tooEarly {
		c.tell(wire.ComponentMessage{Component: wire.ManagerComponent, ID: wire.VersionMissed, Time: c.now,
			Text: fmt.Sprintf("The presence report before %d of the notification server %s did not come, or a part of it; the "+
				"server is asked for all its clients.", head.Version, head.Server)})
	}
	if whole {
		c.doubted(s.ID, named)
	}
	switch {
	case by.full:
		c.absent(s.ID, named)
		s.Owes, s.Full = false, head.Version
	case !whole, s.Epoch != head.Epoch, s.Version != head.Base:
		s.Owes = true
	}
	if s.Epoch != head.Epoch && !by.full {
		s.Full = 0
	}
	s.Epoch, s.Version, s.Reported, s.Silent = head.Epoch, head.Version, c.now.Round(time.Millisecond), false
	if s.Owes {
		c.askFull(s)
	}
	c.then = append(c.then, func() {
		for id := range named {
			if c.m.seen[id].server == s.ID {
				delete(c.m.seen, id)
			}
		}
	})
}

func (c *change) tellBadRows(head wire.Report) {
	c.tell(wire.ComponentMessage{Component: wire.ManagerComponent, ID: wire.BadFile, Time: c.now,
		Text: fmt.Sprintf("Rows of a presence file of the notification server %s cannot be read and are left out; they "+
			"lie in "+
			"%s, each with the reason.", head.Server, c.m.box.bad)})
}

package manager

import (
	"fmt"
	"time"

	"statewire/notifier/wire"
)

// sweep ends what has waited too long: tasks that did not begin in time, and those of which nobody heard any more.
func (m *Manager) sweep(now time.Time) error {
	if since := now.Sub(m.swept); since >= 0 && since < sweepEvery {
		return nil
	}
	m.swept = now
	m.offerMissed()
	if err := m.cancelRest(); err != nil {
		return err
	}
	for ends := m.allOverdue(now); len(ends) > 0; ends = m.allOverdue(now) {
		if err := m.endAll(ends); err != nil {
			return err
		}
	}
	return nil
}

// cancelRest goes on with tasks that were being cancelled when the process before this one ended.
func (m *Manager) cancelRest() error {
	var rest []uint64
	m.mu.RLock()
	for number, l := range m.tasks {
		if l.task.State != TaskCancelled {
			continue
		}
		for i := range l.steps {
			if l.steps[i].toCancel() {
				rest = append(rest, number)
				break
			}
		}
	}
	m.mu.RUnlock()
	for _, number := range rest {
		if err := m.cancelTask(number, ""); err != nil {
			return err
		}
	}
	return nil
}

// allOverdue are some of those whose time is over.
func (m *Manager) allOverdue(now time.Time) (ends []ending) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, l := range m.tasks {
		if ends = m.overdue(l, now, ends); len(ends) >= maxSwept {
			break
		}
	}
	return ends
}

func (m *Manager) endAll(ends []ending) error {
	err := m.update(func(c *change) error {
		for _, e := range ends {
			if err := c.waitNoLonger(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note that %d clients did not come to an end of a task in time: %w", len(ends), err)
	}
	return nil
}

// ending is a step that the site waits for no longer.
type ending struct {
	key stepKey
	was int // the rank on which that was decided
}

// overdue adds the clients of a task whose time is over. m.mu is held.
func (m *Manager) overdue(l *live, now time.Time, ends []ending) []ending {
	t := l.task
	if t.State == TaskWaits {
		if now.Sub(t.Created) <= approveWithin {
			return ends
		}
	} else if !now.After(t.NotAfter) && t.Counts.Received+t.Counts.Running == 0 {
		return ends
	}
	for i := range l.steps {
		if o := &l.steps[i]; o.rank > 0 && m.isOver(o, now) {
			if ends = append(ends, ending{o.key(), int(o.rank)}); len(ends) >= maxSwept {
				break
			}
		}
	}
	return ends
}

// isOver says whether the site waits no longer for a client. m.mu is held.
func (m *Manager) isOver(o *open, now time.Time) bool {
	t := o.of.task
	if int(o.rank) <= wire.StepPushed.Rank() {
		return t.State == TaskWaits || now.After(t.NotAfter)
	}
	c := m.clients[o.client]
	if c == nil || !c.online() {
		since := o.at
		if c != nil {
			_, at := c.why()
			since = max(since, at)
		}
		return now.Sub(fromMicro(since)) > offlineUnknown
	}
	return now.Sub(fromMicro(max(o.at, c.Since))) > t.delay(o.index)+t.Timeout+silentUnknown
}

// waitNoLonger ends a step, unless it moved on.
func (c *change) waitNoLonger(e ending) error {
	old, err := c.step(e.key)
	if err != nil || old == nil || old.Step.Rank() != e.was {
		return err
	}
	t, err := c.task(e.key.task)
	if err != nil || t == nil {
		return err
	}
	next := *old
	next.At, next.Cancel = c.now.UnixMicro(), false
	switch {
	case e.was > wire.StepPushed.Rank():
		next.Step = wire.StepUnknown
	case old.Cancel:
		next.Step = wire.StepCancelled // it was never received
	case t.State == TaskWaits || t.Why == whyUnapproved:
		next.Step = wire.StepCancelled
		t.State, t.Why = TaskCancelled, whyUnapproved
	default:
		next.Step = wire.StepExpired
		if old.Step == wire.StepQueued {
			t.Unpushed++
			c.unreached(t)
		}
	}
	return c.setStep(e.key, next)
}

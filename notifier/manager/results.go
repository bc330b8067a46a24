package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/notifier/wire"
)

// What became of a result, as counted.
const (
	resultTaken       = "taken"
	resultSame        = "same" // known already, or something further is
	resultLate        = "late"
	resultUnsolicited = "unsolicited"
	resultBad         = "bad"
)

// Results takes what a server tells of tasks, at once or in a file. It may come in any order, and again: a step only
// goes on. It returns once all of it is on the disk.
func (m *Manager) Results(ctx context.Context, told wire.Results) error {
	if err := m.mine(told.Server, told.ServerID); err != nil {
		return err
	}
	var strange []wire.Result
	err := m.update(func(c *change) error {
		for i := range told.Results {
			r := &told.Results[i]
			result, err := c.result(told, r)
			if err != nil {
				return err
			}
			if c.results[result]++; result == resultUnsolicited {
				strange = append(strange, *r)
			}
		}
		for _, d := range told.Dropped {
			if err := c.dropped(told.ServerID, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep %d results of server %s: %w", len(told.Results), told.Server, err)
	}
	m.auditStrange(ctx, strange)
	return nil
}

// dropped takes that a server does not have a push any more, and that its frame was not written. The task is handed out
// again when the client signs in anew, or soon where its connection had no room; one that was taken back meanwhile
// never reached it.
func (c *change) dropped(server uint32, d wire.Dropped) error {
	c.m.mu.RLock()
	var o *open
	if q := c.m.queues[server]; q != nil {
		o = q.unwritten[d.Push]
	}
	c.m.mu.RUnlock()
	if o == nil {
		return nil
	}
	c.then = append(c.then, func() {
		if c.m.written(o); d.Why == wire.DroppedUnwritten {
			c.m.missed[o] = struct{}{}
		}
	})
	old, err := c.step(o.key())
	if err != nil || old == nil || old.Step != wire.StepQueued || !old.Cancel || d.Why == wire.DroppedUnwritten {
		return err
	}
	next := *old
	next.Step, next.At, next.Cancel, next.Reason = wire.StepCancelled, c.now.UnixMicro(), false, ""
	return c.setStep(o.key(), next)
}

// result takes one result, and says what became of it.
func (c *change) result(told wire.Results, r *wire.Result) (string, error) {
	if r.Client == uuid.Nil || r.Task == uuid.Nil || !r.Step.Known() || r.Step == wire.StepQueued {
		return resultBad, nil
	}
	number, err := c.numberOf(r.Task)
	if err != nil {
		return "", err
	}
	if number == 0 {
		return c.stranger(told, r)
	}
	key := stepKey{number, r.Client}
	old, err := c.step(key)
	if err != nil {
		return "", err
	}
	if old == nil || old.Unsolicited {
		return c.unsolicited(key, old, told, r)
	}
	next := *old
	result := next.take(told, r, c.now)
	c.handedFor(key, &next, r)
	if c.same(old, &next) {
		return result, nil
	}
	c.keepOutput(key, &next, old, r)
	return result, c.setStep(key, next)
}

// numberOf is the number of a task; 0 where there is none.
func (c *change) numberOf(id uuid.UUID) (uint64, error) {
	if number, ok := c.m.taskIDs[id]; ok {
		return number, nil
	}
	return c.m.taskNumberOf(id)
}

// take moves a step on as far as a result says. What is further already stays, and so does the first last word.
func (s *step) take(told wire.Results, r *wire.Result, now time.Time) (result string) {
	result = resultSame
	s.delivered(told.ServerID, r)
	order := r.Step.Rank() - s.Step.Rank()
	late := s.Step.Final() && !s.Step.Told()
	switch {
	case order <= 0:
		return result
	case late && r.Step == wire.StepRefused && s.Step != wire.StepUnknown:
		return result // it says that nothing ran
	case late:
		s.Late, s.Was, result = true, s.Step, resultLate
	default:
		result = resultTaken
	}
	s.Step, s.Server = r.Step, told.ServerID
	s.Reason, s.Detail, s.ExitCode = r.Code, r.Detail, r.ExitCode
	s.At = micro(stepTime(told, r, now))
	s.Size, s.Truncated = r.Output.Size, r.Output.Truncated
	if s.Step.Final() || s.Step == wire.StepRunning {
		s.Cancel = false // it is done, or too late
	}
	for _, t := range []struct {
		to   *int64
		from time.Time
	}{{&s.Received, r.Received}, {&s.Started, r.Started}, {&s.Finished, r.Finished}} {
		if !t.from.IsZero() {
			*t.to = micro(t.from)
		}
	}
	return result
}

// delivered counts the frames that were written.
func (s *step) delivered(server uint32, r *wire.Result) {
	if r.Push == 0 || r.Pushed.IsZero() && r.Step != wire.StepPushed {
		return
	}
	have := s.By[server]
	n := max(have, r.Pushes)
	if r.Push > s.Push {
		n = max(n, have+1)
	}
	if n > have {
		by := map[uint32]uint64{server: n}
		for id, pushes := range s.By {
			if id != server {
				by[id] = pushes
			}
		}
		s.By = by
	}
	if r.Push > s.Push {
		s.Push, s.Pushed = r.Push, micro(r.Pushed)
		if !s.Step.Final() {
			s.Server = server
		}
	}
}

// stepTime is the time of a result's step, by the site's clock.
func stepTime(told wire.Results, r *wire.Result, now time.Time) time.Time {
	at := told.Time
	switch {
	case r.Step == wire.StepPushed && !r.Pushed.IsZero():
		at = r.Pushed
	case r.Step == wire.StepReceived && !r.Received.IsZero():
		at = r.Received
	}
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// handedFor keeps for which connection a frame was written, as far as this process knows.
func (c *change) handedFor(key stepKey, s *step, r *wire.Result) {
	c.m.mu.RLock()
	defer c.m.mu.RUnlock()
	if o := c.m.find(key); o != nil && o.push != 0 && o.push == r.Push {
		s.Conn, s.Server = o.conn, o.handed
	}
}

// same says whether nothing changes.
func (c *change) same(a, b *step) bool {
	return a.Step == b.Step && a.Push == b.Push && a.pushes() == b.pushes() && a.Conn == b.Conn && a.Server == b.Server
}

// keepOutput keeps what a task wrote.
func (c *change) keepOutput(key stepKey, s, old *step, r *wire.Result) {
	if s.Step != old.Step && r.Output != (wire.Output{}) {
		c.outputs[key] = r.Output
	}
}

// unsolicited keeps a result of a client that nobody asked: it counts nowhere else.
func (c *change) unsolicited(key stepKey, old *step, told wire.Results, r *wire.Result) (string, error) {
	next := step{Unsolicited: true}
	if old != nil {
		next = *old
	}
	if result := next.take(told, r, c.now); result == resultSame {
		return result, nil
	}
	next.Late, next.Was, next.Unsolicited = false, "", true
	if err := c.setStep(key, next); err != nil {
		return "", err
	}
	if old != nil {
		return resultSame, nil
	}
	return resultUnsolicited, nil
}

// stranger keeps a result of a task that the site does not know.
func (c *change) stranger(told wire.Results, r *wire.Result) (string, error) {
	who := stranger{r.Task, r.Client}
	each, all := c.m.strangers[r.Client]+c.strangers[r.Client], c.m.strange+len(c.strange)
	if _, now := c.strange[who]; now || each >= maxStrangersEach || all >= maxStrangers {
		return resultSame, nil
	}
	known := false
	err := c.m.db.View(func(tx *bbolt.Tx) error {
		known = tx.Bucket(bucketUnsolicited).Get(who.bytes()) != nil
		return nil
	})
	if err != nil || known {
		return resultSame, err
	}
	s := step{Unsolicited: true}
	s.take(told, r, c.now)
	c.strange[who] = &s
	c.strangers[r.Client]++
	return resultUnsolicited, nil
}

// auditStrange notes results that nobody asked for: a client lies, or a site was put back.
func (m *Manager) auditStrange(ctx context.Context, results []wire.Result) {
	if m.deps.Audit == nil {
		return
	}
	for i, r := range results {
		if i == maxAuditStrange {
			m.log.Warn("too many results that nobody asked for; the others are not in the audit log", "count", len(results)-i)
			return
		}
		finish, err := m.deps.Audit.Begin(context.WithoutCancel(ctx), audit.Action{
			Actor: "client:GUID:" + upper(r.Client), Action: "task.unsolicited", Object: "task:" + r.Task.String(), Targets: 1})
		if err != nil {
			m.log.Error("a result that nobody asked for is not in the audit log", "client", r.Client, "task", r.Task, "err", err)
			return
		}
		finish(audit.Done, string(r.Step))
	}
}

package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/identity"
	"statewire/notifier/wire"
)

// Cancel takes a task back: from clients that wait at once, from those that may have it as soon as they confirm. What
// runs goes on.
func (m *Manager) Cancel(ctx context.Context, by By, id, reason string) (TaskStatus, error) {
	return m.act(ctx, by, id, action{name: "task.cancel", needs: identity.MayTaskCancel, reason: reason},
		func(t *task) error {
			if !t.open() {
				return refuse(codeEnded, http.StatusConflict, "task %d has ended: there is nothing to cancel", t.Number)
			}
			return m.cancelTask(t.Number, whyAsked)
		})
}

// Approve lets a task begin that waits for a second person: another one than who made it. Its time counts from now.
func (m *Manager) Approve(ctx context.Context, by By, id string) (TaskStatus, error) {
	return m.act(ctx, by, id, action{name: "task.approve", needs: identity.MayTaskApprove, all: true},
		func(t *task) error { return m.approve(t.Number, by) },
		func(t *task) error { return m.mayApprove(ctx, by, t) })
}

// SetRate changes how many clients a second a task reaches; 0 is what the throttle allows.
func (m *Manager) SetRate(ctx context.Context, by By, id string, rate int) (TaskStatus, error) {
	if rate < 0 || rate > maxRate {
		return TaskStatus{}, refuse(codeBadOrder, http.StatusBadRequest,
			"the rate is %d clients a second; allowed are 1 to %d, "+
				"and 0 for what notifier.throttle allows", rate, maxRate)
	}
	return m.act(ctx, by, id, action{name: "task.rate", class: true, params: rate},
		func(t *task) error { return m.setRate(t.Number, rate) })
}

// action is what somebody does to a task.
type action struct {
	name   string
	needs  identity.Permission
	class  bool // it needs the right to push the task's class
	all    bool // it may be another's task, as far as its clients are the caller's
	reason string
	params any
}

// act does something to a task, once that is in the audit log.
func (m *Manager) act(ctx context.Context, by By, id string, a action, do func(*task) error,
	checks ...func(*task) error) (TaskStatus, error) {
	if len(a.reason) > maxReasonBytes {
		return TaskStatus{}, refuse(codeBadOrder, http.StatusBadRequest, "the reason has %d bytes; allowed are %d",
			len(a.reason), maxReasonBytes)
	}
	if a.needs != "" {
		if err := by.Permit(a.needs); err != nil {
			return TaskStatus{}, err
		}
	}
	t, err := m.meant(ctx, by, id, a)
	if err != nil {
		return TaskStatus{}, err
	}
	for _, check := range checks {
		if err := check(t); err != nil {
			return TaskStatus{}, err
		}
	}
	params, err := json.Marshal(a.params)
	if err != nil {
		return TaskStatus{}, err
	}
	err = m.recorded(ctx, by, audit.Action{Action: a.name, Object: "task:" + t.ID.String(), Targets: t.Counts.Targets,
		Params: params, Reason: a.reason}, func() (string, error) { return fmt.Sprintf("task %d", t.Number), do(t) })
	if err != nil {
		return TaskStatus{}, err
	}
	if t, err = m.readTask(t.Number); err != nil {
		return TaskStatus{}, err
	}
	return m.statusOf(t), nil
}

// meant is the task that somebody means, where it is one for that caller.
func (m *Manager) meant(ctx context.Context, by By, id string, a action) (*task, error) {
	seen := by
	if a.all {
		seen.Collections = nil
	}
	t, err := m.lookup(seen, id)
	if err == nil && a.class {
		err = by.Permit(permissionOf(t.Class))
	}
	if err == nil && a.all {
		err = m.taskInScope(ctx, by, t)
	}
	return t, err
}

// taskInScope refuses a task with clients outside of the caller's collections.
func (m *Manager) taskInScope(ctx context.Context, by By, t *task) error {
	if !by.Scoped() {
		return nil
	}
	var targets []uuid.UUID
	err := m.db.View(func(tx *bbolt.Tx) error {
		return eachStep(tx, t.Number, func(key stepKey, s *step) error {
			if !s.Unsolicited {
				targets = append(targets, key.client)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("read the clients of task %s: %w", t.ID, err)
	}
	return m.inScope(ctx, by, targets)
}

func (m *Manager) readTask(number uint64) (*task, error) {
	var t task
	err := m.db.View(func(tx *bbolt.Tx) (err error) {
		t, err = get[task](tx, bucketTasks, numberKey(number))
		return err
	})
	return &t, err
}

// cancelTask takes a task back: from now on it is handed out to nobody. Of a great one, servers may ask for work while
// it is taken from one client after the other.
func (m *Manager) cancelTask(number uint64, why string) error {
	for done := false; !done; {
		err := m.update(func(c *change) (err error) {
			done, err = c.cancelSome(number, why)
			return err
		})
		if err != nil {
			return fmt.Errorf("cancel task %d: %w", number, err)
		}
	}
	return nil
}

// cancelSome takes a task back from some clients, and says whether those were all.
func (c *change) cancelSome(number uint64, why string) (done bool, err error) {
	l := c.m.tasks[number]
	if l == nil {
		return true, nil // it ended meanwhile
	}
	t, err := c.task(number)
	if err != nil {
		return true, err
	}
	if t.State != TaskCancelled {
		t.State, t.Why = TaskCancelled, why
	}
	for i, n := 0, 0; i < len(l.steps); i++ {
		if o := &l.steps[i]; o.toCancel() {
			if n++; n > maxSwept {
				return false, nil
			}
			if err := c.cancel(o, t.Handed); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

// toCancel says whether a task that was taken back is still to be taken from the client.
func (o *open) toCancel() bool {
	return o.rank > 0 && !o.cancel && int(o.rank) < wire.StepRunning.Rank()
}

// cancel takes a task back from one client. Whoever may have it is told, and says what became of it; a server that has
// it still in its queue is told, too.
func (c *change) cancel(o *open, handed bool) error {
	old, err := c.step(o.key())
	if err != nil || old == nil || old.Step.Final() || old.Step == wire.StepRunning {
		return err
	}
	next := *old
	one := c.m.clients[o.client]
	c.m.mu.RLock()
	atServer := o.push != 0
	c.m.mu.RUnlock()
	switch reachable := one != nil && one.online(); {
	case old.Step == wire.StepQueued && (!handed || !reachable && !atServer):
		next.Step, next.At, next.Reason = wire.StepCancelled, c.now.UnixMicro(), ""
		if handed && one != nil {
			server := one.Server
			c.then = append(c.then, func() { c.m.takeBack(server, o) })
		}
	case old.Cancel:
		return nil
	default:
		next.Cancel = true
	}
	return c.setStep(o.key(), next)
}

// mayApprove refuses whoever made the task, and a task that waits for nobody.
func (m *Manager) mayApprove(ctx context.Context, by By, t *task) error {
	if t.State != TaskWaits {
		return refuse(codeNotWaiting, http.StatusConflict, "task %d waits for no second person: it is %s", t.Number, t.State)
	}
	if by.Actor == t.Actor {
		return refuse(codeOwnTask, http.StatusForbidden, "whoever made a task cannot approve it: another person has to agree")
	}
	if err := by.Permit(permissionOf(t.Class)); err != nil {
		return err
	}
	err := m.still(ctx, t.Actor)
	var revoked *identity.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked) && !revoked.Retry:
		if err := m.cancelRevoked(ctx, t); err != nil {
			return err
		}
		return refuse(whyRevoked, http.StatusConflict, "%s made the task and may not push any more: the task is cancelled",
			t.Actor)
	}
	return refuse(codeUnavailable, http.StatusServiceUnavailable,
		"nobody can say whether %s may still push (%v): try again",
		t.Actor, err)
}

func (m *Manager) approve(number uint64, by By) error {
	err := m.update(func(c *change) error {
		t, err := c.task(number)
		if err != nil {
			return err
		}
		if t == nil || t.State != TaskWaits {
			return refuse(codeNotWaiting, http.StatusConflict, "task %d waits for no second person any more", number)
		}
		t.State, t.Approver = TaskActive, by.Actor
		t.issue(c.now)
		c.then = append(c.then, func() {
			if l := m.tasks[number]; l != nil {
				m.offerAll(l)
			}
		})
		return nil
	})
	return coded(err, "approve task %d", number)
}

// coded says what was being done, but for a refusal, which says everything itself.
func coded(err error, doing string, args ...any) error {
	var refused *identity.Refusal
	if err == nil || errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf(doing+": %w", append(args, err)...)
}

func (m *Manager) setRate(number uint64, rate int) error {
	err := m.update(func(c *change) error {
		t, err := c.task(number)
		if err != nil {
			return err
		}
		if t == nil || !t.open() {
			return refuse(codeEnded, http.StatusConflict, "task %d has ended", number)
		}
		t.Rate = rate
		c.then = append(c.then, func() {
			m.tasks[number].limit(c.now)
			m.ringAll()
		})
		return nil
	})
	return coded(err, "change the rate of task %d", number)
}

// Stop has every server push nothing, until somebody resumes.
func (m *Manager) Stop(ctx context.Context, by By, reason string) error {
	return m.setStop(ctx, by, "notify.stop", identity.MayNotifyStop, true, reason)
}

// Resume has servers push again.
func (m *Manager) Resume(ctx context.Context, by By, reason string) error {
	return m.setStop(ctx, by, "notify.resume", identity.MayNotifyResume, false, reason)
}

// Stopped says whether nothing is pushed, who stopped it, and why.
func (m *Manager) Stopped() (stopped bool, actor, reason string, at time.Time) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.stop.Stopped, m.stop.Actor, m.stop.Reason, m.stop.At
}

func (m *Manager) setStop(ctx context.Context, by By, name string, needs identity.Permission, stopped bool,
	reason string) error {
	if err := by.Permit(needs); err != nil {
		return err
	}
	if by.Scoped() {
		return refuse("out_of_scope", http.StatusForbidden, "pushes are stopped for the whole site, and the caller has "+
			"collections of its own")
	}
	if len(reason) > maxReasonBytes {
		return refuse(codeBadOrder, http.StatusBadRequest, "the reason has %d bytes; allowed are %d", len(reason),
			maxReasonBytes)
	}
	return m.recorded(ctx, by, audit.Action{Action: name, Object: "site", Reason: reason}, func() (string, error) {
		if stopped {
			m.stopAtOnce()
		}
		err := m.update(func(c *change) error {
			c.stop = &Stop{Stopped: stopped, Actor: by.Actor, Reason: reason, At: c.now.UTC()}
			return nil
		})
		return "", coded(err, "keep that pushes are stopped or go on")
	})
}

// stopAtOnce has servers stop before that is in the file: a great change that is being written does not keep them
// pushing.
func (m *Manager) stopAtOnce() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop.Stopped = true
	m.ringAll()
}

package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/identity"
	"statewire/notifier/wire"
	"statewire/packs"
)

// Why a task was cancelled.
const (
	whyAsked      = "asked"
	whyRevoked    = "creator_revoked"
	whyUnapproved = "not_approved"
)

// upper is how the site writes a client's id.
func upper(id uuid.UUID) string { return strings.ToUpper(id.String()) }

// Create queues a task for every target, once that is in the audit log: whole, or not at all.
func (m *Manager) Create(ctx context.Context, by By, o Order) (TaskStatus, error) {
	in, err := m.ordered(ctx, by, o)
	if err != nil {
		return TaskStatus{}, err
	}
	if err := m.confirmedTargets(in); err != nil {
		return TaskStatus{}, err
	}
	params, err := json.Marshal(o)
	if err != nil {
		return TaskStatus{}, err
	}
	id := uuid.New()
	act := audit.Action{Action: "task.push", Object: "task:" + id.String(), Targets: len(in.targets), Params: params,
		Reason: o.Reason}
	var made *task
	err = m.recorded(ctx, by, act, func() (string, error) {
		if made, err = m.make(by, in, id); err != nil {
			return "", err
		}
		return fmt.Sprintf("task %d, %s", made.Number, made.State), nil
	})
	if err != nil {
		return TaskStatus{}, err
	}
	m.metrics.created.WithLabelValues(made.Class).Inc()
	m.log.Info("task created", "task", made.ID, "name", made.Name, "targets", made.Counts.Targets, "actor", made.Actor,
		"state", made.State)
	return m.statusOf(made), nil
}

// confirmedTargets refuses an order for more, or other, clients than whoever gives it counts on.
func (m *Manager) confirmedTargets(in ordered) error {
	n, expect, above := len(in.targets), in.order.Expect, m.settings.Load().Tasks.ConfirmAbove
	switch {
	case expect != 0 && expect != n:
		return refuse(codeConfirm, http.StatusConflict, "the order is for %d targets, not %d", n, expect)
	case expect == 0 && n > above:
		return refuse(codeConfirm, http.StatusConflict,
			"the order is for %d targets; above %d (tasks.confirm_above) it has to "+
				"name their number: --targets %d, or the member targets", n, above, n)
	}
	return nil
}

// recorded does something once it is in the audit log, in the name of whoever asks.
func (m *Manager) recorded(ctx context.Context, by By, act audit.Action, do func() (detail string, err error)) error {
	act.Actor, act.Role, act.From = by.Actor, string(by.Role), by.From
	if m.deps.Audit == nil {
		return refuse(identity.CodeAudit, http.StatusServiceUnavailable, "no audit log takes the action, so it was not done")
	}
	finish, err := m.deps.Audit.Begin(ctx, act)
	if err != nil {
		m.log.Error("nothing is done that cannot be noted in the audit log", "action", act.Action, "err", err)
		r := refuse(identity.CodeAudit, http.StatusServiceUnavailable,
			"the audit log does not take the action, so it was not done: the site's log says why")
		r.After = time.Minute
		return r
	}
	detail, err := do()
	if err != nil {
		finish(audit.Outcome(err))
		return err
	}
	finish(audit.Done, detail)
	return nil
}

// make writes a new task.
func (m *Manager) make(by By, in ordered, id uuid.UUID) (*task, error) {
	live := m.settings.Load()
	t := &task{ID: id, Type: typeOf(in.task), Name: in.task.ID, Pack: in.pack.ID, PackVersion: in.pack.Version.String(),
		PackHash: in.pack.Hash, Class: string(in.task.Class), Parameters: in.values, For: in.of, Actor: by.Actor,
		Reason: in.order.Reason, State: TaskActive, Lasting: in.order.Lasting, Rate: in.order.Rate, Spread: in.order.Spread,
		Validity: in.order.validity(live.Validity), Timeout: in.task.Timeout,
		Counts: Counts{Targets: len(in.targets), Queued: len(in.targets)}}
	if live.Tasks.second(in) {
		t.State = TaskWaits
	}
	err := m.update(func(c *change) error {
		if m.openSteps+len(in.targets) > maxOpenSteps {
			return refuse(codeTooMany, http.StatusServiceUnavailable,
				"%d clients have not come to an end of a task, and at most "+
					"%d are kept; cancel tasks that nobody needs, or wait", m.openSteps, maxOpenSteps)
		}
		t.Created = c.now.UTC().Truncate(time.Microsecond)
		t.issue(c.now)
		t.Number = m.taskNumber + 1
		c.counter++
		t.Version = c.counter
		c.made = &madeTask{task: t, targets: in.targets, reasons: m.queuedReason, first: c.counter + 1}
		c.counter += uint64(len(in.targets))
		return nil
	})
	if err != nil {
		var refused *identity.Refusal
		if errors.As(err, &refused) {
			return nil, err
		}
		return nil, fmt.Errorf("queue the task: %w", err)
	}
	return t, nil
}

// issue has the task's time begin.
func (t *task) issue(now time.Time) {
	t.Issued = now.UTC().Truncate(time.Second)
	t.NotAfter = t.Issued.Add(t.Validity + t.Spread)
}

// queuedReason is why a client that is queued waits, beyond its turn. Nobody changes clients meanwhile.
func (m *Manager) queuedReason(id uuid.UUID) string {
	switch c := m.clients[id]; {
	case c == nil || !c.online():
		return reasonOffline
	case c.several():
		return reasonDuplicate
	}
	return ""
}

// Reasons of the step queued.
const (
	reasonOnline    = "online"
	reasonOffline   = "offline"
	reasonDuplicate = "duplicate"
	reasonThrottled = "throttled"
)

// typeOf is how the wire names a task: asking for the policy has a name of its own.
func typeOf(t packs.Task) uint32 {
	if t.Action.BuiltIn == "policy" {
		return wire.TypePolicy
	}
	return wire.TypePack
}

package site

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/console"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/reports/explain"
)

// tasksOf is the part of a manager that people call.
type tasksOf interface {
	Plan(context.Context, manager.By, manager.Order) (manager.Plan, error)
	Create(context.Context, manager.By, manager.Order) (manager.TaskStatus, error)
	List(context.Context, manager.By, manager.ListOptions) ([]manager.TaskStatus, error)
	Show(context.Context, manager.By, string, manager.ShowOptions,
		func(manager.StepStatus) error) (manager.TaskStatus, error)
	Output(ctx context.Context, by manager.By, id string, client uuid.UUID) (manager.StepStatus, error)
	WaitingFor(ctx context.Context, client uuid.UUID) ([]manager.ClientTask, error)
	Cancel(ctx context.Context, by manager.By, id, reason string) (manager.TaskStatus, error)
	Approve(ctx context.Context, by manager.By, id string) (manager.TaskStatus, error)
	SetRate(ctx context.Context, by manager.By, id string, rate int) (manager.TaskStatus, error)
	Stop(ctx context.Context, by manager.By, reason string) error
	Resume(ctx context.Context, by manager.By, reason string) error
	Stopping(context.Context) (manager.StopStatus, error)
}

// byOf is who asks, as the manager has it.
func byOf(by console.By) manager.By { return manager.By{Person: by.Person, From: by.From} }

// Plan says what an order of the pages would do.
func (m *managerSource) Plan(ctx context.Context, by console.By, o console.TaskOrder) (console.TaskPlan, error) {
	to, err := m.now()
	if err != nil {
		return console.TaskPlan{}, err
	}
	p, err := to.Plan(ctx, byOf(by), orderOf(o))
	out := console.TaskPlan{Task: p.Task, Pack: p.Pack, Version: p.Version, Class: p.Class, Targets: p.Targets,
		Online: p.Online, Offline: p.Offline, Duplicates: p.Duplicates, Rate: p.Rate, Seconds: p.Seconds, Second: p.Second,
		Stopped: p.Stopped, NotAfter: p.NotAfter, Servers: []console.TaskServer{}}
	for _, s := range p.Servers {
		out.Servers = append(out.Servers, console.TaskServer{Server: s.Server, ServerID: s.ServerID, Online: s.Online})
	}
	return out, err
}

// Create makes a task.
func (m *managerSource) Create(ctx context.Context, by console.By, o console.TaskOrder) (console.Task, error) {
	to, err := m.now()
	if err != nil {
		return console.Task{}, err
	}
	t, err := to.Create(ctx, byOf(by), orderOf(o))
	return taskOf(t), err
}

func orderOf(o console.TaskOrder) manager.Order {
	out := manager.Order{Name: o.Name, Clients: o.Clients, Collection: o.Collection, All: o.All, Validity: o.Validity,
		Lasting: o.Lasting, Rate: o.Rate, Spread: o.Spread, Expect: o.Expect, Reason: o.Reason}
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		out.Parameters = append(out.Parameters, wire.Parameter{Name: name, Value: o.Parameters[name]})
	}
	return out
}

// List are the tasks, the latest first.
func (m *managerSource) List(ctx context.Context, by console.By, open bool, limit int) (tasks []console.Task,
	err error) {
	to, err := m.now()
	if err != nil {
		return nil, err
	}
	list, err := to.List(ctx, byOf(by), manager.ListOptions{Open: open, Limit: limit})
	for _, t := range list {
		tasks = append(tasks, taskOf(t))
	}
	return tasks, err
}

// Show is a task, with some of its steps.
func (m *managerSource) Show(ctx context.Context, by console.By, id string, page console.StepPage) (task console.Task,
	steps []console.TaskStep, err error) {
	to, err := m.now()
	if err != nil {
		return task, nil, err
	}
	o := manager.ShowOptions{After: page.After, Limit: page.Limit}
	if page.Step != "" {
		o.Steps = []wire.Step{wire.Step(page.Step)}
	}
	var take func(manager.StepStatus) error
	var found []manager.StepStatus
	if page.Limit > 0 {
		take = func(s manager.StepStatus) error { found = append(found, s); return nil }
	}
	t, err := to.Show(ctx, byOf(by), id, o, take)
	if err != nil {
		return task, nil, err
	}
	for _, s := range found {
		if s.Output.Size > 0 { // a list of steps comes without what was written
			if s, err = to.Output(ctx, byOf(by), t.Task.String(), s.Client); err != nil {
				return task, nil, err
			}
		}
		steps = append(steps, stepOf(s))
	}
	return taskOf(t), steps, nil
}

// Cancel takes a task back.
func (m *managerSource) Cancel(ctx context.Context, by console.By, id, reason string) error {
	to, err := m.now()
	if err == nil {
		_, err = to.Cancel(ctx, byOf(by), id, reason)
	}
	return err
}

// Approve agrees to a task.
func (m *managerSource) Approve(ctx context.Context, by console.By, id string) error {
	to, err := m.now()
	if err == nil {
		_, err = to.Approve(ctx, byOf(by), id)
	}
	return err
}

// SetRate changes how many clients a second get a task.
func (m *managerSource) SetRate(ctx context.Context, by console.By, id string, rate int) error {
	to, err := m.now()
	if err == nil {
		_, err = to.SetRate(ctx, byOf(by), id, rate)
	}
	return err
}

// Stop stops all tasks.
func (m *managerSource) Stop(ctx context.Context, by console.By, reason string) error {
	to, err := m.now()
	if err == nil {
		err = to.Stop(ctx, byOf(by), reason)
	}
	return err
}

// Resume lets tasks go on.
func (m *managerSource) Resume(ctx context.Context, by console.By, reason string) error {
	to, err := m.now()
	if err == nil {
		err = to.Resume(ctx, byOf(by), reason)
	}
	return err
}

// Stopped is why nothing is sent; nil when tasks are sent.
func (m *managerSource) Stopped(ctx context.Context) (*console.TaskStop, error) {
	to, err := m.now()
	if err != nil {
		return nil, err
	}
	s, err := to.Stopping(ctx)
	if err != nil || !s.Stopped {
		return nil, err
	}
	return &console.TaskStop{Since: s.At, Actor: s.Actor, Reason: s.Reason}, nil
}

// taskOf is a task as pages and API show it.
func taskOf(t manager.TaskStatus) console.Task {
	c := t.Counts
	out := console.Task{ID: t.ID, GUID: t.Task, Name: t.Name, Pack: t.Pack, Version: t.Version, Class: t.Class, For: t.For,
		Actor: t.Actor, Approver: t.Approver, Reason: t.Reason, State: string(t.State), Why: t.Why, Lasting: t.Lasting,
		Rate: t.Rate, Spread: t.Spread.Seconds(), Created: t.Created, NotAfter: t.NotAfter, Parameters: map[string]string{},
		Counts: console.TaskCounts{Targets: c.Targets, Queued: c.Queued, Offline: c.Offline, Pushed: c.Pushed,
			Received: c.Received, Running: c.Running, Succeeded: c.Succeeded, Failed: c.Failed, Refused: c.Refused,
			Expired: c.Expired, Cancelled: c.Cancelled, Unknown: c.Unknown, Late: c.Late, Unsolicited: c.Unsolicited}}
	for _, p := range t.Parameters {
		out.Parameters[p.Name] = p.Value
	}
	return out
}

// stepOf is a client's step as pages and API show it.
func stepOf(s manager.StepStatus) console.TaskStep {
	out := console.TaskStep{Client: s.Client, Step: string(s.Step), Reason: s.Reason, Detail: s.Detail, ServerID: s.Server,
		Pushes: s.Pushes, Late: s.Late, At: s.At, Pushed: given(s.Pushed), Received: given(s.Received),
		Started: given(s.Started), Finished: given(s.Finished), Size: s.Output.Size, Truncated: s.Output.Truncated,
		Output: s.Output.Text}
	if (s.Step == wire.StepSucceeded || s.Step == wire.StepFailed) && !s.Finished.IsZero() {
		out.ExitCode = &s.ExitCode
	}
	return out
}

// given is a time, or none.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Waiting is what a client was asked to do and has not come to an end of.
func (m *managerSource) Waiting(ctx context.Context, client uuid.UUID) (explain.Tasks, error) {
	to, err := m.now()
	if err != nil {
		return explain.Tasks{}, err
	}
	return waitingFor(ctx, to, client)
}

func waitingFor(ctx context.Context, to tasksOf, client uuid.UUID) (out explain.Tasks, err error) {
	stop, err := to.Stopping(ctx)
	if err != nil {
		return out, err
	}
	list, err := to.WaitingFor(ctx, client)
	for _, t := range list {
		out.Waiting = append(out.Waiting, explain.Task{ID: t.Task.ID, Name: t.Task.Name, Actor: t.Task.Actor,
			Approval: t.Task.State == manager.TaskWaits, Step: string(t.Step.Step), Reason: t.Step.Reason,
			Detail: t.Step.Detail, At: t.Step.At, NotAfter: t.Task.NotAfter})
	}
	out.Stopped = stop.Stopped
	return out, err
}

// TasksInForce asks the site that runs on a data directory what waits for a client; nil where none runs.
func TasksInForce(data string) func(context.Context, uuid.UUID) (explain.Tasks, error) {
	if Holder(data, "ingest") == 0 {
		return nil
	}
	return func(ctx context.Context, client uuid.UUID) (explain.Tasks, error) {
		ctx, cancel := context.WithTimeout(ctx, peerTimeout)
		defer cancel()
		to := manager.Dial(ManagerSocket(data))
		defer to.Close()
		return waitingFor(ctx, to, client)
	}
}

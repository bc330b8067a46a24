package site

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/console"
	"statewire/identity"
	"statewire/internal/control"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
)

// acts is an audit log that keeps who did what.
type acts struct{ list []string }

func (a *acts) Begin(_ context.Context, act audit.Action) (func(string, string), error) {
	a.list = append(a.list, act.Actor+" "+act.Action)
	return func(string, string) {}, nil
}

// realManager is a notification manager for three clients, as its own process calls it and as another one does.
func realManager(t *testing.T) (sources map[string]*managerSource, log *acts, clients []uuid.UUID) {
	t.Helper()
	for n := byte(1); n <= 3; n++ {
		clients = append(clients, uuid.UUID{6: 0x40, 8: 0x80, 15: n})
	}
	log = &acts{}
	own, err := manager.Open(manager.Config{Dir: t.TempDir(), Box: t.TempDir(), Server: "push1", ServerID: 1,
		PresenceInterval: time.Minute, History: time.Hour},
		manager.Deps{Audit: log, Members: func(context.Context, string, bool) ([]uuid.UUID, error) { return clients, nil }})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	ln, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	own.Handle(mux)
	server := &http.Server{Handler: mux, ConnContext: control.ConnContext}
	go func() { _ = server.Serve(ln) }()
	other := manager.Dial(path)
	t.Cleanup(func() { other.Close(); server.Close(); own.Close() })
	sources = map[string]*managerSource{"one process": {}, "another process": {other: other}}
	sources["one process"].own.Store(own)
	return sources, log, clients
}

// Pages and API reach the manager in the name of their caller, in one process and across two.
func TestPagesAskTheManagerInTheNameOfTheirCaller(t *testing.T) {
	sources, log, clients := realManager(t)
	for name, m := range sources {
		ctx, n := t.Context(), len(log.list)
		by := console.By{Person: identity.Person{Actor: "token:7Q2M", Role: identity.Operator}, From: "10.0.0.5"}
		order := console.TaskOrder{Name: "TestEvent", Parameters: map[string]string{"Text": "hello"}, Collection: "pilot",
			Validity: 2 * time.Hour, Spread: time.Minute, Rate: 7, Reason: "why", Expect: 3}
		plan, err := m.Plan(ctx, by, order)
		if err != nil || plan.Task != "Statewire.Utility.TestEvent" || plan.Targets != 3 || plan.Offline != 3 ||
			plan.Class != "benign" || plan.NotAfter.IsZero() {
			t.Fatalf("%s: %+v, %v", name, plan, err)
		}
		task, err := m.Create(ctx, by, order)
		if err != nil || task.Actor != "token:7Q2M" || task.Parameters["Text"] != "hello" || task.Rate != 7 ||
			task.Spread != 60 || task.Reason != "why" || task.Counts.Offline != 3 || task.State != "active" ||
			task.NotAfter.Sub(task.Created.Truncate(time.Second)) != 2*time.Hour+time.Minute {
			t.Fatalf("%s: %+v, %v", name, task, err)
		}
		if !slices.Contains(log.list[n:], "token:7Q2M task.push") {
			t.Errorf("%s: the audit has %q", name, log.list[n:])
		}
		id := task.GUID.String()
		same, steps, err := m.Show(ctx, by, id, console.StepPage{Step: "queued", After: clients[0], Limit: 1})
		if err != nil || same.ID != task.ID || len(steps) != 1 || steps[0].Client != clients[1] ||
			steps[0].Reason != "offline" ||
			steps[0].Finished != nil || steps[0].ExitCode != nil || steps[0].At.IsZero() {
			t.Errorf("%s: %+v %+v, %v", name, same, steps, err)
		}
		if _, steps, err := m.Show(ctx, by, id, console.StepPage{}); err != nil || len(steps) != 0 {
			t.Errorf("%s: the task alone has %+v, %v", name, steps, err)
		}
		own := m.own.Load()
		if own == nil {
			own = sources["one process"].own.Load()
		}
		err = own.Results(ctx, wire.Results{Server: "push1", ServerID: 1, Time: time.Now(), Results: []wire.Result{{
			Task: task.GUID, TaskID: task.ID, Push: 1, Client: clients[2], Step: wire.StepFailed, ExitCode: 3,
			Pushed: time.Now(), Pushes: 1, Started: time.Now(), Finished: time.Now(),
			Output: wire.Output{Size: 4, Text: "said"}}}})
		_, steps, err2 := m.Show(ctx, by, id, console.StepPage{Step: "failed", Limit: 9})
		if errors.Join(err, err2) != nil || len(steps) != 1 || steps[0].ExitCode == nil || *steps[0].ExitCode != 3 ||
			steps[0].Output != "said" || steps[0].Finished == nil || steps[0].ServerID != 1 {
			t.Errorf("%s: %+v, %v", name, steps, errors.Join(err, err2))
		}
		waiting, err := m.Waiting(ctx, clients[0])
		if err != nil || len(waiting.Waiting) == 0 || waiting.Waiting[len(waiting.Waiting)-1].ID != task.ID ||
			waiting.Stopped ||
			waiting.Waiting[0].Reason != "offline" || waiting.Waiting[0].Actor != "token:7Q2M" {
			t.Errorf("%s: %+v, %v", name, waiting, err)
		}
		viewer := console.By{Person: identity.Person{Actor: "local", Role: identity.Viewer}}
		for what, err := range map[string]error{"creates": second(m.Create(ctx, viewer, order)),
			"cancels": m.Cancel(ctx, viewer, id, ""), "stops": m.Stop(ctx, viewer, ""), "approves": m.Approve(ctx, by, id),
			"changes the rate": m.SetRate(ctx, viewer, id, 1), "resumes": m.Resume(ctx, by, "")} {
			var refused *identity.Refusal
			if !errors.As(err, &refused) || refused.Code != "forbidden" {
				t.Errorf("%s: who may not %s: %v", name, what, err)
			}
		}
		admin := console.By{Person: identity.Person{Actor: "token:ADMIN", Role: identity.Admin}}
		if err := errors.Join(m.SetRate(ctx, by, id, 9), m.Stop(ctx, by, "fire")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if stop, err := m.Stopped(ctx); err != nil || stop == nil || stop.Actor != "token:7Q2M" || stop.Reason != "fire" {
			t.Errorf("%s: %+v, %v", name, stop, err)
		}
		if waiting, err := m.Waiting(ctx, clients[0]); err != nil || !waiting.Stopped {
			t.Errorf("%s: %+v, %v", name, waiting, err)
		}
		if err := errors.Join(m.Resume(ctx, admin, ""), m.Cancel(ctx, by, id, "over")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if stop, err := m.Stopped(ctx); stop != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, stop, err)
		}
		list, err := m.List(ctx, by, false, 1)
		if err != nil || len(list) != 1 || list[0].State != "cancelled" || list[0].Rate != 9 ||
			list[0].Counts.Cancelled != 2 {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }

package manager_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/agent/runner"
	"statewire/audit"
	"statewire/identity"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/trust"
)

// ledger is what the machines of a world did, as they themselves know it: how often each did each task.
type ledger struct {
	site uuid.UUID
	keys *trust.Keys

	mu    sync.Mutex
	tasks []manager.TaskStatus         // Guarded by mu, as all below.
	did   map[string]map[uuid.UUID]int // by the text that the task was given
}

// admin is who asks for tasks.
var admin = manager.By{Person: identity.Person{Actor: "local:0", Role: identity.Admin}}

func newLedger(t *testing.T, dir string) *ledger {
	t.Helper()
	l := &ledger{site: uuid.New(), did: map[string]map[uuid.UUID]int{}}
	keys, err := trust.OpenKeys(filepath.Join(dir, "trust"), trust.Options{Site: l.site.String()})
	if err != nil {
		t.Fatal(err)
	}
	l.keys = keys
	return l
}

// Begin implements the manager's audit log: everything may be done.
func (l *ledger) Begin(context.Context, audit.Action) (func(string, string), error) {
	return func(string, string) {}, nil
}

// deps are what the manager needs for tasks.
func (l *ledger) deps() manager.Deps {
	return manager.Deps{TaskKey: l.keys.TaskKey, Audit: l, Site: func() (uuid.UUID, error) { return l.site, nil }}
}

// ask has a random part of the machines do something. A manager that is just being started anew is asked next time.
func (w *world) ask(t *testing.T) {
	n := len(w.ledger.tasks)
	order := manager.Order{Name: "TestEvent", Parameters: []wire.Parameter{{Name: "Text", Value: fmt.Sprint(n)}},
		Validity: w.validity, Expect: 1 + w.random.IntN(len(w.machines)/4)}
	for _, i := range w.random.Perm(len(w.machines))[:order.Expect] {
		order.Clients = append(order.Clients, w.machines[i].id)
	}
	status, err := w.looked.Create(t.Context(), admin, order)
	if err != nil {
		t.Fatal(err)
	}
	w.ledger.tasks = append(w.ledger.tasks, status)
}

// newRunner makes what carries out a machine's tasks, over what it kept when it was stopped.
func (m *machine) newRunner() (*runner.Runner, error) {
	l := m.world.ledger
	return runner.New(runner.Deps{Client: m.id, Site: l.site.String, Store: m.sessions, Agent: acting{m},
		Log: slog.New(slog.DiscardHandler), Quiet: true,
		Rules: runner.Rules{Tasks: runner.Run, Allow: packs.Destructive},
		Trust: func() *trust.Document {
			envelope, err := l.keys.Document()
			if err != nil {
				return nil
			}
			d, _ := trust.Read(envelope)
			return d
		}})
}

// acting is a machine as its tasks see it: a test event is a line in the ledger.
type acting struct{ m *machine }

func (a acting) Raise(states ...cache.State) error {
	l := a.m.world.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range states {
		text := s.Params[0]
		if l.did[text] == nil {
			l.did[text] = map[uuid.UUID]int{}
		}
		l.did[text][a.m.id]++
	}
	return nil
}

func (acting) SendNow()      {}
func (acting) PollNow()      {}
func (acting) Resend() error { return nil }

// settle lets every machine come back, until no client has something left to do.
func (w *world) settle(t *testing.T) {
	t.Helper()
	for _, m := range w.machines {
		m.awake()
		if m.stopped() {
			m.startClient()
		}
	}
	for deadline := time.Now().Add(w.validity + time.Minute); ; time.Sleep(200 * time.Millisecond) {
		open, err := w.looked.List(t.Context(), admin, manager.ListOptions{Open: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d tasks came to no end, such as %+v", len(open), open[0])
			return
		}
	}
}

// balance holds what the manager says of each client in each task against the ledger.
func (w *world) balance(t *testing.T) {
	t.Helper()
	steps, late := map[wire.Step]int{}, 0
	for n, task := range w.ledger.tasks {
		seen := 0
		status, err := w.looked.Show(t.Context(), admin, task.Task.String(), manager.ShowOptions{},
			func(s manager.StepStatus) error {
				seen++
				w.ledger.mu.Lock()
				did := w.ledger.did[fmt.Sprint(n)][s.Client]
				w.ledger.mu.Unlock()
				if steps[s.Step]++; s.Late {
					late++
				}
				if want := map[bool]int{true: 1}[s.Step == wire.StepSucceeded]; did != want {
					t.Errorf("task %d: client %s is %s and did it %d times: %+v", n, s.Client, s.Step, did, s)
				}
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		c := status.Counts
		sum := c.Queued + c.Offline + c.Pushed + c.Received + c.Running + c.Succeeded + c.Failed + c.Refused + c.Expired +
			c.Cancelled + c.Unknown
		if seen != task.Counts.Targets || sum != seen || c.Targets != seen || c.Unsolicited != 0 {
			t.Errorf("task %d: %d clients, and the counts are %+v", n, seen, c)
		}
	}
	t.Logf("%d tasks: %v, %d of them late", len(w.ledger.tasks), steps, late)
	if steps[wire.StepSucceeded] == 0 {
		t.Error("no task was done")
	}
}

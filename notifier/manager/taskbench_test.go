package manager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/identity"
	"statewire/notifier/wire"
)

// heedless is an audit log that keeps nothing.
type heedless struct{}

func (heedless) Begin(context.Context, audit.Action) (func(string, string), error) {
	return func(string, string) {}, nil
}

// asks creates a task for clients.
func (b *bench) asks(clients ...int) *task {
	b.t.Helper()
	o := Order{Name: "Statewire.Utility.TestEvent", Parameters: []wire.Parameter{{Name: "Text", Value: "hello"}},
		Expect: len(clients)}
	for _, n := range clients {
		o.Clients = append(o.Clients, id(n))
	}
	b.deps.Audit = heedless{}
	b.deps.Members = func(context.Context, string, bool) ([]uuid.UUID, error) { return o.Clients, nil }
	s, err := b.Create(b.t.Context(), By{Person: identity.Person{Actor: "local:1", Role: identity.Admin}}, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.task(s.ID)
}

func (b *bench) task(n uint64) *task {
	b.t.Helper()
	_, tasks, err := b.waitingTasks(1 << 62)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range tasks {
		if t.Number == n {
			return &t
		}
	}
	b.t.Fatalf("task %d does not wait for its table", n)
	return nil
}

// said is what push1 tells of client n in a task.
func said(of *task, n int, step wire.Step) wire.Result {
	return wire.Result{Task: of.ID, TaskID: of.Number, Push: 7, Client: id(n), Step: step, Pushed: today, Pushes: 1}
}

// told is a result file of push1.
func told(version uint64, results ...wire.Result) wire.Results {
	return wire.Results{Server: "push1", ServerID: 1, Epoch: 1, Version: version, Time: today, Results: results}
}

func (b *bench) putResults(r wire.Results) string {
	b.t.Helper()
	return b.drop(wire.ResultsName(), r.Encode())
}

// counted is the value of a counter.
func counted(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// counts are the clients of a task by their step, in the file.
func (b *bench) counts(of *task) string {
	b.t.Helper()
	n := map[string]int{}
	err := b.db.View(func(tx *bbolt.Tx) error {
		return eachStep(tx, of.Number, func(_ stepKey, s *step) error {
			name := string(s.Step)
			if s.Late {
				name += " late"
			}
			if s.Unsolicited {
				name += " unsolicited"
			}
			n[name]++
			return nil
		})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprint(n[name], " ", name))
	}
	return strings.Join(out, ", ")
}

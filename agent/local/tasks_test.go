package local

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/runner"
)

// listing is what carries out a client's tasks.
type listing struct{ list []runner.Listed }

func (l listing) List() ([]runner.Listed, error) { return l.list, nil }
func (l listing) Counts() (held, running int)    { return 5, 2 }

var _ tasker = listing{}

// The socket lists the tasks, and the status counts them.
func TestTasksAreListed(t *testing.T) {
	o := operate(t)
	at := time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)
	id := uuid.New()
	if all, err := o.client.Tasks(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("without any: %v, %v", all, err)
	}
	o.socket.ShowTasks(listing{[]runner.Listed{{ID: id, Number: 13, Name: "Statewire.Utility.Scan", Step: "failed",
		Code: "timeout", Received: at, Started: at.Add(1), Finished: at.Add(2), NotAfter: at.Add(3)}}})
	want := []TaskReport{{TaskID: 13, TaskGUID: id.String(), Name: "Statewire.Utility.Scan", Step: "failed",
		Code:     "timeout",
		Received: at, Started: at.Add(1), Finished: at.Add(2), NotAfter: at.Add(3)}}
	if got, err := o.client.Tasks(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if s, err := o.client.Status(t.Context()); err != nil || s.TasksHeld != 5 || s.TasksRunning != 2 {
		t.Errorf("%d held, %d running, %v", s.TasksHeld, s.TasksRunning, err)
	}
}

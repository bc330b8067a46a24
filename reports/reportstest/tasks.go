package reportstest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Task is what the notification manager's mirror has of a task that still goes on.
type Task struct {
	Number  int
	Name    string
	State   string        // empty is active
	Created time.Duration // so long ago
	Steps   []TaskStep
}

// TaskStep is how far a client is with a task.
type TaskStep struct {
	Client         int
	Step, Reason   string
	At             time.Duration // so long ago
	Server         uint32
	Pushes         uint64
	Waited         string // of a late result: what it counts as
	Received       time.Duration
	Unsolicited    bool
	Output, Detail string
	Exit           int
}

// TaskID is the GUID of task n.
func TaskID(n int) uuid.UUID { return uuid.UUID{0: 0x0f, 1: 0x3e, 15: byte(n)} }

// Task stores a task as the mirror does; a later one of the same number replaces it, and its steps theirs.
func (s *Site) Task(t Task) {
	s.T.Helper()
	if t.State == "" {
		t.State = "active"
	}
	s.presenceVersion++
	s.Exec(fmt.Sprintf(`INSERT INTO tasks (task_guid, task_id, task_type, name, pack, pack_version, class, target, actor,
		state, created_time, not_after, open, updated_time, version) VALUES ('%s', %d, 15, '%s', 'Statewire.Utility', '1.0.0.0',
		'benign', 'all', 'anna', '%s', '%s', '%s', 1, now64(6), %d)`, TaskID(t.Number), t.Number, t.Name, t.State,
		s.Micros(t.Created), s.Micros(t.Created-time.Hour), s.presenceVersion))
	ranks := map[string]uint64{"queued": 1, "pushed": 2, "received": 3, "running": 4, "expired": 5, "cancelled": 5,
		"unknown": 5, "refused": 6, "failed": 6, "succeeded": 6}
	var rows []string
	for _, r := range t.Steps {
		received := "toDateTime64(0, 6)"
		if r.Received > 0 {
			received = "'" + s.Micros(r.Received) + "'"
		}
		rows = append(rows, fmt.Sprintf(
			"('%s', '%s', %d, '%s', '%s', '%s', %d, %d, %d, %t, '%s', %t, '%s', %s, '%s', %d, '%s', "+
				"%d)", TaskID(t.Number), ID(r.Client), t.Number, r.Step, r.Reason, r.Detail, r.Exit, r.Server, r.Pushes,
			r.Waited != "", r.Waited, r.Unsolicited, s.Micros(r.At), received, r.Output, len(r.Output),
			s.Micros(t.Created-time.Hour), ranks[r.Step]<<56|s.presenceVersion))
	}
	s.Exec("INSERT INTO task_steps (task_guid, client_id, task_id, step, reason, detail, exit_code, server_id, " +
		"push_count, " +
		"late, waited, unsolicited, step_time, received_time, output, output_size, not_after, version) VALUES " +
		strings.Join(rows, ", "))
}

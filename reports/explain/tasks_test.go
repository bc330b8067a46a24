package explain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// step stores how far a client is with a task.
func step(s *reportstest.Site, number, client int, name, reason string, exit int, ago time.Duration, output string) {
	rank := map[string]int{"queued": 1, "pushed": 2, "running": 4, "expired": 5, "unknown": 5, "cancelled": 5}[name]
	if rank == 0 {
		rank = 6
	}
	s.Exec(fmt.Sprintf(`INSERT INTO task_steps (task_guid, client_id, task_id, step, reason, exit_code, step_time, output,
		not_after, version) VALUES (toUUID('%s'), toUUID('%s'), %d, '%s', '%s', %d, '%s', '%s', '%s', %d)`,
		reportstest.ID(9000+number), reportstest.ID(client), number, name, reason, exit, s.Micros(ago), output,
		s.Micros(-time.Hour), rank))
}

// taskSite has a client with tasks that wait and tasks that ended.
func taskSite(t *testing.T) *reportstest.Site {
	s := reportstest.NewSite(t)
	s.Client(1, 9, 3*hour)
	for n := 1; n <= 9; n++ {
		s.Exec(fmt.Sprintf(`INSERT INTO tasks (task_guid, task_id, name, actor, state, version) VALUES
			(toUUID('%s'), %d, 'Statewire.Utility.T%d', 'local:0', 'active', 1)`, reportstest.ID(9000+n), n, n))
	}
	return s
}

// The explanation names the tasks that wait and why, as the manager says it, and how the last ones ended.
func TestTasksThatWaitAndThatEndedAreTold(t *testing.T) {
	s := taskSite(t)
	step(s, 1, 1, "succeeded", "", 0, 5*time.Hour, "all well\nmore")
	step(s, 2, 1, "failed", "", 3, 4*time.Hour, "")
	step(s, 3, 1, "refused", "denied_locally", 0, 3*time.Hour, "")
	step(s, 4, 1, "succeeded", "", 0, 8*24*time.Hour, "long ago")
	step(s, 5, 1, "queued", "", 0, time.Hour, "")
	step(s, 6, 2, "failed", "", 1, time.Hour, "of another")
	at := s.Clock()
	told := explain.Tasks{Waiting: []explain.Task{
		{ID: 11, Name: "P.A", Step: "queued", Reason: "offline", At: at, NotAfter: at.Add(time.Hour)},
		{ID: 12, Name: "P.B", Step: "queued", Reason: "throttled", At: at, NotAfter: at.Add(time.Hour)},
		{ID: 13, Name: "P.C", Step: "queued", Reason: "duplicate", At: at},
		{ID: 14, Name: "P.D", Step: "queued", Approval: true, Actor: "token:A", At: at, NotAfter: at.Add(time.Hour)},
		{ID: 15, Name: "P.E", Step: "running", At: at.Add(-time.Minute)},
		{ID: 16, Name: "P.F", Step: "queued", At: at},
	}}
	x := s.Explainer(func(d *explain.Deps) {
		d.Tasks = func(_ context.Context, id uuid.UUID) (explain.Tasks, error) {
			if id != reportstest.ID(1) {
				t.Errorf("asked for %s", id)
			}
			return told, nil
		}
	})
	until := " until " + strings.Replace(at.Add(time.Hour).UTC().Format("2006-01-02 15:04:05Z"), "T", " ", 1)
	text := sentences(t, x, 1)
	for _, want := range []string{
		"Task 11 (P.A) waits for the client to connect," + until,
		"Task 12 (P.B) waits for its turn: a server sends to so many clients a second as notifier.throttle allows," + until,
		"Task 13 (P.C) is not sent: several machines sign in with this client's identity.",
		"Task 14 (P.D) waits for a second person, who has to agree to what token:A asked for," + until,
		"Task 15 (P.E) runs on the machine since ", "1 more tasks wait.",
		"Task 1 (Statewire.Utility.T1) succeeded at ", ": all well", "exit code 3.",
		"Task 3 (Statewire.Utility.T3) was refused by the client at ", "the machine's own settings do not allow it.",
		"`statewire tasks approve 14`", "as somebody else than token:A", "`statewire tasks show ID --output --client GUID:",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"long ago", "of another", "more\n", "Task 5 ", "Task 16"} {
		if strings.Contains(text, not) {
			t.Errorf("%q in\n%s", not, text)
		}
	}
	told.Stopped = true
	if text := sentences(t, x, 1); !strings.Contains(text, "Task 11 (P.A) waits, because all tasks are stopped") ||
		!strings.Contains(text, "`statewire notify resume`") || !strings.Contains(text, "Task 14 (P.D) waits for a second") {
		t.Errorf("stopped: %s", text)
	}
	found, err := x.Find(t.Context(), explain.Question{Client: reportstest.ID(1).String()})
	if err != nil || len(found.Tasks) != 9 || found.Tasks[0].ID != 11 || found.Tasks[6].ID != 3 ||
		found.Tasks[8].Output != "all well" {
		t.Errorf("%+v, %v", found.Tasks, err)
	}
}

// While the manager is away the tables tell what waits.
func TestWithoutTheManagerTheTablesTellWhatWaits(t *testing.T) {
	s := taskSite(t)
	step(s, 5, 1, "queued", "offline", 0, time.Hour, "")
	step(s, 6, 1, "pushed", "", 0, time.Hour, "")
	step(s, 7, 1, "failed", "timeout", 0, time.Hour, "")
	step(s, 8, 1, "unknown", "", 0, 2*time.Hour, "")
	step(s, 9, 1, "succeeded", "", 0, 8*24*time.Hour, "long ago")
	for _, ask := range []func(context.Context, uuid.UUID) (explain.Tasks, error){nil,
		func(context.Context, uuid.UUID) (explain.Tasks, error) { return explain.Tasks{}, errors.New("away") }} {
		text := sentences(t, s.Explainer(func(d *explain.Deps) { d.Tasks = ask }), 1)
		for _, want := range []string{"Task 5 (Statewire.Utility.T5) waits for the client to connect",
			"Task 6 (Statewire.Utility.T6) was sent to it at ", "because its time was over", "Task 8 (Statewire.Utility.T8) has " +
				"no known end"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if strings.Contains(text, "long ago") {
			t.Errorf("what ended long ago is told:\n%s", text)
		}
	}
}

func TestNamesOfClients(t *testing.T) {
	s := taskSite(t)
	names, err := s.Explainer().Names(t.Context(), []uuid.UUID{reportstest.ID(1), reportstest.ID(77)})
	if err != nil || len(names) != 1 || names[reportstest.ID(1)] != "PC-0001" {
		t.Errorf("%v, %v", names, err)
	}
	if names, err := s.Explainer().Names(t.Context(), nil); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
}

// sentences are all that is said of a client, a line each.
func sentences(t *testing.T, x *explain.Explainer, client int) string {
	t.Helper()
	e, err := x.Explain(t.Context(), reportstest.ID(client).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range e.Facts {
		all = append(all, f.Text)
	}
	for _, n := range e.Next {
		all = append(all, n.Text)
	}
	return strings.Join(all, "\n")
}

package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/store"
	"statewire/store/storetest"
)

// taskStep is a row of task_steps as the mirror writes it.
type taskStep struct {
	task, client  int
	step, waited  string
	rank, counter uint64
	late, asked   bool
}

var stepRanks = map[string]uint64{"queued": 1, "pushed": 2, "received": 3, "running": 4, "expired": 5, "cancelled": 5,
	"unknown": 5, "refused": 6, "failed": 6, "succeeded": 6}

func taskGUID(n int) uuid.UUID { return uuid.UUID{0: 0x0f, 1: 0x3e, 15: byte(n)} }

func storeSteps(t *testing.T, s *store.Store, steps []taskStep) {
	t.Helper()
	var rows []string
	for _, r := range steps {
		rows = append(rows, fmt.Sprintf("('%s', '%s', %d, '%s', '%s', %t, %t, now64(6), now64(6), %d)", taskGUID(r.task),
			clientID(byte(r.client)), r.task, r.step, r.waited, r.late, !r.asked, r.rank<<56|r.counter))
	}
	exec(t, s, "INSERT INTO task_steps (task_guid, client_id, task_id, step, waited, late, unsolicited, step_time, "+
		"not_after, version) VALUES "+strings.Join(rows, ", "))
}

func storeTask(t *testing.T, s *store.Store, n int, open bool, version int, rest string) {
	t.Helper()
	if rest == "" {
		rest = "'active', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0"
	}
	exec(t, s, fmt.Sprintf("INSERT INTO tasks (task_guid, task_id, task_type, name, pack, pack_version, param_names, "+
		"param_values, created_time, updated_time, open, version, state, targets, queued, offline, pushed, received, "+
		"running, "+
		"succeeded, failed, refused, expired, cancelled, unknown, late, unsolicited) VALUES ('%s', %d, 15, "+
		"'Statewire.Utility.TestEvent', 'Statewire.Utility', '1.0.0.0', ['Text'], ['a <b> & \"c\"'], %s, %s, %t, %d, %s)",
		taskGUID(n), n, after(time.Hour), after(2*time.Hour), open, version, rest))
}

const actionColumns = "ActionID, TotalClients, CompletedClients, FailedClients, OfflineClients, QueuedClients, " +
	"CancelledClients, UnknownClients, RunFailedClients, LateClients"

// The counts of a task are those of a plain model of its steps, merged or not, and add up.
func TestClientOperationsCountEachClientOnce(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "SYSTEM STOP MERGES")
	r := rand.New(rand.NewPCG(7, 3))
	names := []string{"queued", "pushed", "received", "running", "expired", "cancelled", "unknown", "refused", "failed",
		"succeeded"}
	var want []string
	const tasks, clients = 4, 60
	for client := range clients {
		exec(t, s, fmt.Sprintf("INSERT INTO client_presence (client_id, online_status, version) VALUES ('%s', %d, 1)",
			clientID(byte(client)), client%2))
	}
	for task := 1; task <= tasks; task++ {
		storeTask(t, s, task, true, 1, "")
		counts := map[string]int{}
		var steps []taskStep
		for client := range clients {
			step := taskStep{task: task, client: client, asked: r.IntN(10) > 0, step: names[r.IntN(len(names))],
				counter: 1 << uint(r.IntN(50))}
			step.rank = stepRanks[step.step]
			if step.rank == 6 && r.IntN(3) == 0 {
				step.late, step.waited = true, names[4+r.IntN(3)]
			}
			steps = append(steps, step)
			for _, old := range names { // what came before, with a greater number
				if stepRanks[old] < step.rank && r.IntN(2) == 0 {
					steps = append(steps, taskStep{task: task, client: client, asked: step.asked, step: old, rank: stepRanks[old],
						counter: step.counter + 5})
				}
			}
			at := step.step
			switch {
			case !step.asked:
				continue
			case step.late:
				counts["late"]++
				at = step.waited
			case step.step == "failed":
				counts["failed"]++
			}
			counts["total"]++
			counts[map[string]string{"queued": []string{"offline", "waits"}[client%2], "pushed": "waits",
				"received": "completed", "running": "completed", "succeeded": "completed", "failed": "completed",
				"refused": "refused", "cancelled": "cancelled", "unknown": "unknown", "expired": "unknown"}[at]]++
		}
		r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		half := len(steps) / 2
		storeSteps(t, s, steps[:half])
		storeSteps(t, s, steps[half:])
		want = append(want, fmt.Sprint([]any{task, counts["total"], counts["completed"], counts["refused"],
			counts["offline"], counts["waits"], counts["cancelled"], counts["unknown"], counts["failed"], counts["late"]}))
	}
	for _, state := range []string{"not merged", "merged"} {
		got := actions(t, s, "1 = 1")
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", state, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n := count(t, s, "SELECT count() FROM SMS_ClientActionStatus WHERE TotalClients != CompletedClients + "+
			"FailedClients + OfflineClients + QueuedClients + CancelledClients + UnknownClients OR TotalClients = 0"); n > 0 {
			t.Errorf("%s: the counts of %d tasks do not add up", state, n)
		}
		if n, asked := count(t, s, "SELECT count() FROM dbo.BGB_ResTaskHistory WHERE TaskID = 1"), count(t, s,
			"SELECT toUInt64(TotalClients) FROM SMS_ClientActionStatus WHERE ActionID = 1"); n != asked {
			t.Errorf("%s: BGB_ResTaskHistory has %d clients of task 1, want %d", state, n, asked)
		}
		exec(t, s, "SYSTEM START MERGES", "OPTIMIZE TABLE task_steps FINAL", "OPTIMIZE TABLE tasks FINAL")
	}
	if n := count(t, s, "SELECT count() FROM dbo.BGB_ResTaskHistory WHERE State = 'succeeded' AND TaskID = 1"); n !=
		count(t, s, "SELECT count() FROM task_steps FINAL WHERE step = 'succeeded' AND unsolicited = 0 AND task_id = 1") {
		t.Errorf("%d clients of task 1 succeeded in BGB_ResTaskHistory", n)
	}
}

func actions(t *testing.T, s *store.Store, where string) (out []string) {
	t.Helper()
	err := s.EachRow(t.Context(), "SELECT toString(["+actionColumns+
		"]) FROM dbo.SMS_ClientActionStatus WHERE "+where+" ORDER BY ActionID", nil,
		func(scan func(...any) error) error {
			var row string
			err := scan(&row)
			out = append(out, strings.ReplaceAll(row, ",", " "))
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a task came to is still there when its steps are not.
func TestTotalsOutliveTheStepsOfATask(t *testing.T) {
	s := storetest.New(t)
	steps := []taskStep{{task: 1, client: 1, asked: true, step: "succeeded", rank: 6, counter: 9},
		{task: 1, client: 2, asked: true, step: "expired", rank: 5, counter: 9},
		{task: 2, client: 1, asked: true, step: "running", rank: 4, counter: 9}}
	storeSteps(t, s, steps)
	storeTask(t, s, 1, true, 1, "")
	storeTask(t, s, 2, true, 2, "")
	storeTask(t, s, 1, false, 3, "'ended', 2, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 4")
	want := []string{"[1 2 1 0 0 0 0 1 0 0]", "[2 1 1 0 0 0 0 0 0 0]"}
	check := func(when string) {
		t.Helper()
		if got := actions(t, s, "1 = 1"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	check("as it was stored")
	exec(t, s, "ALTER TABLE task_steps DELETE WHERE task_id = 1 SETTINGS mutations_sync = 2")
	check("without the steps")
	if n := count(t, s, "SELECT toUInt64(ActionState) FROM SMS_ClientActionStatus WHERE ActionID = 1"); n != 0 {
		t.Errorf("a task that is over has ActionState %d", n)
	}
	if n := count(t, s, "SELECT toUInt64(ActionState) FROM SMS_ClientActionStatus WHERE ActionID = 2"); n != 1 {
		t.Errorf("a task that goes on has ActionState %d", n)
	}
	var param, guid string
	if err := s.Conn().QueryRow(t.Context(), "SELECT base64Decode(Param), toString(GUID) FROM dbo.BGB_Task "+
		"WHERE TaskID = 1 AND TemplateID = 15 AND CreateTime = "+after(time.Hour)).Scan(&param, &guid); err != nil {
		t.Fatal(err)
	}
	if param != `<TaskParam Pack="Statewire.Utility" PackVersion="1.0.0.0" Task="Statewire.Utility.TestEvent">`+
		`<Parameter Name="Text">a &lt;b&gt; &amp; &quot;c&quot;</Parameter></TaskParam>` || guid != taskGUID(1).String() {
		t.Errorf("%s %s", guid, param)
	}
}

// Steps go tasks.keep after their task can begin nowhere, and store.retention does not touch them.
func TestStepsOfTasksHaveALifeOfTheirOwn(t *testing.T) {
	s := storetest.New(t)
	storeSteps(t, s, []taskStep{{task: 1, client: 1, asked: true, step: "succeeded", rank: 6}})
	exec(t, s, "INSERT INTO task_steps (task_guid, client_id, step, not_after, version) VALUES ('"+taskGUID(2).String()+
		"', '"+clientID(1).String()+"', 'expired', now64(6) - 5 * 3600, 1)")
	left := func(want uint64, what string) {
		t.Helper()
		exec(t, s, "OPTIMIZE TABLE task_steps FINAL")
		if n := count(t, s, "SELECT count() FROM task_steps FINAL"); n != want {
			t.Errorf("%s: %d steps are left, want %d", what, n, want)
		}
	}
	for _, keep := range []time.Duration{90 * 24 * time.Hour, 0, 6 * time.Hour} {
		if err := s.KeepTasks(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
		left(2, keep.String())
	}
	if err := s.KeepTasks(t.Context(), 4*time.Hour+time.Minute); err != nil {
		t.Fatal(err)
	}
	left(1, "four hours")
}

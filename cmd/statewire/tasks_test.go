package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/cmd/statewire/cli"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
)

// mixed is a task whose clients are in many steps.
func mixed() *queue {
	q := asked(4)
	q.task.Counts = manager.Counts{Targets: 4, Succeeded: 1, Failed: 1, Refused: 1, Offline: 1, Late: 2, Unsolicited: 1}
	at := q.task.Created.Add(time.Minute)
	q.steps = []manager.StepStatus{
		{Client: uuid.UUID{15: 1}, Step: wire.StepSucceeded, At: at, Server: 1, Finished: at,
			Output: wire.Output{Size: 12, Text: "raised\x1b[31m\nmore"}},
		{Client: uuid.UUID{15: 2}, Step: wire.StepQueued, Reason: "offline", At: at},
		{Client: uuid.UUID{15: 3}, Step: wire.StepFailed, ExitCode: 3, At: at, Server: 1, Finished: at, Late: true},
		{Client: uuid.UUID{15: 4}, Step: wire.StepRefused, Reason: "denied_locally", Detail: "class benign", At: at,
			Server: 1},
	}
	return q
}

func show(t *testing.T, q *queue, format string, v taskView) string {
	t.Helper()
	var out bytes.Buffer
	g := &globals{Globals: cli.Globals{Format: format, Data: t.TempDir()}}
	if err := g.showTask(t.Context(), &out, q, "13", v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A task is shown with its clients, those that need somebody first.
func TestATaskIsShownFailuresFirst(t *testing.T) {
	text := show(t, mixed(), "table", taskView{})
	rest, ok := text, true
	for _, want := range []string{"task 13 ",
		"Statewire.Utility.TestEvent (benign), pack Statewire.Utility 1.0.0.0, Text=hi",
		"active, for collection pilot, by local:0 at 2026-08-01 12:00:00Z, valid until 2026-08-01 13:00:00Z",
		"4 clients: 1 succeeded, 1 failed, 1 refused, 1 offline; 2 late; 1 result from clients that were not asked",
		"failed (late)", "3", "refused: denied_locally (class benign)", "queued: offline", "succeeded", "raised"} {
		if _, rest, ok = strings.Cut(rest, want); !ok {
			t.Fatalf("no %q in its place in\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b") || strings.Contains(text, "more") {
		t.Errorf("the whole output: %q", text)
	}
	text = show(t, mixed(), "table", taskView{ShowOptions: manager.ShowOptions{Steps: []wire.Step{wire.StepFailed}}})
	if strings.Count(text, "GUID:") != 1 {
		t.Errorf("one step: %s", text)
	}
	text = show(t, mixed(), "csv", taskView{client: uuid.UUID{15: 4}})
	if strings.Count(text, "GUID:") != 1 || !strings.Contains(text, "denied_locally") {
		t.Errorf("one client: %s", text)
	}
}

func TestATaskAsJSON(t *testing.T) {
	var got struct {
		TaskID     uint64 `json:"task_id"`
		Parameters map[string]string
		Offline    int
		Clients    []struct {
			Step     string
			ExitCode *int    `json:"exit_code"`
			Pushed   *string `json:"pushed_time"`
			Output   string
		}
	}
	text := show(t, mixed(), "json", taskView{output: true})
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.TaskID != 13 || got.Parameters["Text"] != "hi" ||
		got.Offline != 1 || len(got.Clients) != 4 || *got.Clients[0].ExitCode != 3 || got.Clients[1].ExitCode != nil ||
		got.Clients[0].Pushed != nil || !strings.HasPrefix(got.Clients[3].Output, "raised") {
		t.Errorf("%v: %s", err, text)
	}
}

// --output is what the task wrote, safe for a terminal, with the client's name where there are several. Clients without
// any are left out.
func TestTheOutputIsWrittenWhole(t *testing.T) {
	text := show(t, mixed(), "table", taskView{output: true, client: uuid.UUID{15: 1}})
	if !strings.HasPrefix(text, "raised") || !strings.HasSuffix(text, "\nmore\n") || strings.Contains(text, "\x1b") ||
		strings.Contains(text, "==") {
		t.Errorf("%q", text)
	}
	q := mixed()
	q.steps[0].Output.Truncated, q.steps[0].Output.Size = true, 2048
	text = show(t, q, "table", taskView{output: true})
	if !strings.HasPrefix(text, "== GUID:00000000-0000-0000-0000-000000000001 succeeded\n") ||
		!strings.Contains(text, "(the beginning of 2.0 KiB)") || strings.Count(text, "==") != 1 {
		t.Errorf("%q", text)
	}
}

// Whoever asks for an output hears that nothing was written, or that more is on its way: a client sends what is longer
// than an answer carries apart.
func TestAnOutputThatIsNotThereIsTold(t *testing.T) {
	one := taskView{output: true, client: uuid.UUID{15: 1}}
	first, most := strings.Repeat("x", wire.FirstInline), strings.Repeat("x", wire.MaxInline)
	for _, tc := range []struct {
		name   string
		output wire.Output
		age    time.Duration
		want   string
	}{
		{"nothing", wire.Output{}, 0, "(wrote nothing)\n"},
		{"all of it", wire.Output{Size: 3, Text: "one"}, 0, "one\n"},
		{"what an answer carries of more", wire.Output{Size: 2048, Truncated: true, Text: "one"}, 0,
			"one\n(the beginning of 2.0 KiB)\n"},
		{"an answer of a client that keeps no more", wire.Output{Size: 64 << 10, Truncated: true, Text: most}, 0,
			most + "\n(the beginning of 64.0 KiB)\n"},
		{"the rest comes apart", wire.Output{Size: 64 << 10, Truncated: true, Text: first}, 0,
			first + "\n(the beginning of 64.0 KiB; the rest is on its way)\n"},
		{"a client keeps 1 MiB", wire.Output{Size: 2 << 20, Truncated: true, Text: "one"}, 0,
			"one\n(the beginning of 2.0 MiB; the rest of its first 1.0 MiB is on its way)\n"},
		{"it never came", wire.Output{Size: 64 << 10, Truncated: true, Text: "one"}, restTime + time.Hour,
			"one\n(the beginning of 64.0 KiB)\n"},
	} {
		q := mixed()
		q.steps[0].Output, q.steps[0].At = tc.output, time.Now().Add(-tc.age)
		if got := show(t, q, "table", one); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got[max(0, len(got)-100):], tc.want[max(0, len(tc.want)-100):])
		}
	}
	text := show(t, mixed(), "table", taskView{output: true})
	if !strings.HasSuffix(text, "\nmore\n(3 clients wrote nothing)\n") {
		t.Errorf("%q", text)
	}
}

// A server is shown by its name, where that is known, and stays to be found by its number.
func TestAStepNamesItsServer(t *testing.T) {
	s := manager.StepStatus{Server: 2}
	known := knownNames{servers: map[uint32]string{2: "push2"}}
	for got, want := range map[any]any{serverOf(s, known): "push2", serverOf(s, knownNames{}): "server 2",
		serverOf(manager.StepStatus{}, known): nil} {
		if got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	o := stepObjects([]manager.StepStatus{s}, known)[0]
	if o["server_id"] != uint32(2) || o["server"] != "push2" || len(o) != len(stepValues(s, known)) {
		t.Errorf("%v", o)
	}
}

func TestTasksAreListed(t *testing.T) {
	q := mixed()
	q.task.Why = "creator_revoked"
	for format, want := range map[string][]string{"table": {"active: creator_revoked", "collection pilot", "local:0"},
		"csv": {"task_id,task_guid,task,", ",creator_revoked,", ",4,0,1,0,0,0,1,1,1,0,0,0,2,1"}} {
		var out bytes.Buffer
		g := &globals{Globals: cli.Globals{Format: format, Data: t.TempDir()}}
		if err := g.writeTaskList(t.Context(), &out, []manager.TaskStatus{q.task}); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %s in\n%s", format, w, &out)
			}
		}
		out.Reset()
		if err := g.writeTaskList(t.Context(), &out, nil); err != nil || format == "csv" &&
			!strings.HasPrefix(out.String(), "task_id,") {
			t.Errorf("no task: %v %s", err, &out)
		}
	}
}

func TestTheTasksThatThereAreAreListedWithoutASite(t *testing.T) {
	var out bytes.Buffer
	g := &globals{Globals: cli.Globals{Format: "table"}}
	if err := g.listTasks(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Statewire.Utility.Policy ", "Statewire.Utility.TestEvent ", "Text (string)", "benign",
		"Statewire.Utility.FullScan ", "disruptive"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
}

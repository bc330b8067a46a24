package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/cmd/statewire/cli"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/site"
	"statewire/store/storetest"
)

// sideEffects is a script that a machine has for a quick scan, and what it leaves behind: a line for each run, with the
// id of its task.
type sideEffects struct {
	t             *testing.T
	script, lines string
}

func newSideEffects(t *testing.T, seconds string) *sideEffects {
	t.Helper()
	dir := t.TempDir()
	s := &sideEffects{t, filepath.Join(dir, "scan"), filepath.Join(dir, "lines")}
	text := "#!/bin/sh\necho \"$SW_TASK_GUID\" >> " + s.lines + "\nsleep " + seconds + "\necho scanned\n"
	if err := os.WriteFile(s.script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// runs is how often each task ran.
func (s *sideEffects) runs() map[string]int {
	s.t.Helper()
	text, err := os.ReadFile(s.lines)
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	runs := map[string]int{}
	for line := range strings.Lines(string(text)) {
		runs[strings.TrimSpace(line)]++
	}
	return runs
}

// worker runs the machine's agent, which does a quick scan by a script.
func (o *online) worker(scan *sideEffects, args ...string) *process {
	o.t.Helper()
	config := filepath.Join(o.t.TempDir(), "agent.yaml")
	text := "agent:\n  startup_jitter: 0s\n  scan_interval: 0s\n  commands:\n    quick-scan: [\"" + scan.script + "\"]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
	p := spawn(o.t, o.data, nil, append([]string{"--config", config, "agent", "run"}, args...)...)
	p.await("agent started", "client", patience)
	return p
}

// taskShown is a task as the commands print it.
type taskShown struct {
	ID        uint64            `json:"task_id"`
	GUID      string            `json:"task_guid"`
	State     manager.TaskState `json:"state"`
	Created   time.Time         `json:"created_time"`
	Pushed    int               `json:"pushed"`
	Received  int               `json:"received"`
	Cancelled int               `json:"cancelled"`
	Clients   []clientStep      `json:"clients"`
}

type clientStep struct {
	Step     wire.Step `json:"step"`
	Reason   string    `json:"reason"`
	Server   string    `json:"server"`
	Finished time.Time `json:"finished_time"`
}

func showTask(t *testing.T, data, id string) (s taskShown) {
	t.Helper()
	out := done(t, data, "--format", "json", "tasks", "show", id)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("tasks show says %s: %v", out, err)
	}
	return s
}

// push asks for a task and returns it.
func push(t *testing.T, data string, args ...string) (s taskShown) {
	t.Helper()
	out := done(t, data, append([]string{"--format", "json", "notify"}, args...)...)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("notify says %s: %v", out, err)
	}
	return s
}

// awaitStep waits until the one client of a task has come to a step.
func awaitStep(t *testing.T, data, id string, want wire.Step) clientStep {
	t.Helper()
	var last taskShown
	if !eventually(patience, func() bool {
		last = showTask(t, data, id)
		return len(last.Clients) == 1 && last.Clients[0].Step == want
	}) {
		t.Fatalf("task %s is not %s: %+v", id, want, last)
	}
	return last.Clients[0]
}

// meet has the site know of a client that is not there.
func meet(t *testing.T, data string, client uuid.UUID) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	m := manager.Dial(site.ManagerSocket(data))
	defer m.Close()
	now := time.Now().UTC()
	err = m.Seen(t.Context(), wire.Seen{Server: host, ServerID: 1, Epoch: 1, Rows: []wire.Row{{Client: client, Session: 1,
		Seq: 1, Since: now, Last: now, Reason: wire.OfflineClosed, Address: "127.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
}

// A client that is connected does a task at once, over TCP and over HTTP, and what comes of it is in the tables. It
// does what its machine was set up to do, and says so as a state, too.
func TestATaskIsDoneAtOnce(t *testing.T) {
	for channel, notifier := range []string{"127.0.0.1:0", "127.0.0.2:0"} { // clients look for the other one at 127.0.0.1
		t.Run(wire.Channel(channel).String(), func(t *testing.T) {
			t.Parallel()
			o := goOnline(t, "--set", "notifier.listen="+notifier)
			scan := newSideEffects(t, "0")
			o.worker(scan).await("channel open", "transport", patience)
			o.awaitRow("1", fmt.Sprint(channel), "signin")
			plan := done(t, o.member.site, "notify", "TestEvent", "--client", o.client, "--dry-run")
			if !strings.Contains(plan, "1") || !strings.Contains(plan, "online") {
				t.Errorf("the plan is\n%s", plan)
			}
			task := push(t, o.member.site, "TestEvent", "--client", o.client, "--param", "Text=hello", "--yes", "--wait")
			step := awaitStep(t, o.member.site, task.GUID, wire.StepSucceeded)
			if took := step.Finished.Sub(task.Created); took > 6*time.Second {
				t.Errorf("it took %v", took)
			}
			host, err := os.Hostname()
			if err != nil || !eventually(patience, func() bool {
				step = showTask(t, o.member.site, task.GUID).Clients[0]
				return step.Server == host
			}) {
				t.Errorf("%v: the server is called %q, want %q", err, step.Server, host)
			}
			push(t, o.member.site, "QuickScan", "--client", o.client, "--yes", "--wait")
			if runs := scan.runs(); len(runs) != 1 {
				t.Errorf("the scan ran as %v", runs)
			}
			if r := command(t, o.data, "agent", "send", "--type", "500", "--topic", "x", "--state", "1", "--now"); r.code != 0 {
				t.Fatalf("%+v", r)
			}
			states := `SELECT count() FROM state_messages WHERE (topic_type, state_id) IN ((20002, 2), (20003, 1)) FORMAT TSV`
			if !eventually(patience, func() bool { return o.ask(states) == "2" }) {
				t.Errorf("%s states tell of the tasks, want 2", o.ask(states))
			}
			rows := `SELECT count() FROM SMS_ClientActionStatus WHERE TotalClients = 1 AND CompletedClients = 1 FORMAT TSV`
			if !eventually(patience, func() bool { return o.ask(rows) == "2" }) {
				t.Errorf("%s tasks are complete in the tables, want 2", o.ask(rows))
			}
		})
	}
}

// TestEachTaskRunsAtMostOnce kills agent and site at any moment while tasks are under way. What a task does happens
// once or not at all, and each step that the site tells is true.
func TestEachTaskRunsAtMostOnce(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(storetest.Seed(t), 13))
	o := goOnline(t)
	scan := newSideEffects(t, "0.1")
	agent := o.worker(scan)
	agent.await("channel open", "transport", patience)
	o.awaitRow("1", "0", "signin")
	tasks, kills := 8*min(25, times(t)), 3*min(7, times(t))
	var asked []string
	ask := func() {
		r := command(t, o.member.site, "--format", "json", "notify", "QuickScan", "--client", o.client, "--yes")
		var s taskShown
		if r.code != 0 || json.Unmarshal([]byte(r.out), &s) != nil {
			t.Fatalf("%+v", r)
		}
		asked = append(asked, s.GUID)
	}
	for done := range kills {
		for len(asked) < tasks*(done+1)/kills {
			ask()
		}
		eventually(time.Duration(chance.IntN(600))*time.Millisecond, func() bool { return false })
		if done%2 == 0 {
			agent.kill()
			agent = o.worker(scan)
		} else {
			o.site.kill()
			o.start()
		}
	}
	agent.await("channel open", "transport", patience)
	ask() // which nothing disturbs
	open := func() bool {
		for _, id := range asked {
			if s := showTask(t, o.member.site, id); len(s.Clients) != 1 || !s.Clients[0].Step.Final() {
				return true
			}
		}
		return false
	}
	if !eventually(2*patience, func() bool { return !open() }) {
		t.Error("some tasks came to no end")
	}
	runs, steps := scan.runs(), map[wire.Step]int{}
	for _, id := range asked {
		step := showTask(t, o.member.site, id).Clients[0]
		steps[step.Step]++
		switch {
		case runs[id] > 1:
			t.Errorf("task %s ran %d times", id, runs[id])
		case step.Step == wire.StepSucceeded && runs[id] != 1, step.Step == wire.StepRefused && runs[id] != 0:
			t.Errorf("task %s is %s (%s), and ran %d times", id, step.Step, step.Reason, runs[id])
		case step.Step == wire.StepFailed && step.Reason != "interrupted":
			t.Errorf("task %s failed: %+v", id, step)
		}
	}
	if len(runs) > len(asked) {
		t.Errorf("%d tasks ran, and %d were asked for", len(runs), len(asked))
	}
	if last := showTask(t, o.member.site, asked[len(asked)-1]).Clients[0]; last.Step != wire.StepSucceeded {
		t.Errorf("after all kills a task ends as %+v", last)
	}
	t.Logf("%d tasks, %d kills: %v", len(asked), kills, steps)
}

// Who asks for a task that needs a second person cannot be that. Until one agrees, and while somebody has stopped all
// tasks, nothing reaches a client, also after a restart.
func TestATaskWaitsForASecondPersonAndForAStopToEnd(t *testing.T) {
	t.Parallel()
	o := goOnline(t, "--set", "tasks.approve_above=1", "--set", "tasks.confirm_above=1")
	o.agent().await("channel open", "transport", patience)
	o.awaitRow("1", "0", "signin")
	other := uuid.MustParse("f1b00000-0000-4000-8000-000000000001")
	meet(t, o.member.site, other)
	two := []string{"FullScan", "--client", o.client, "--client", other.String()}
	if r := command(t, o.member.site, append([]string{"notify", "--yes"}, two...)...); r.code == 0 ||
		!strings.Contains(r.errOut, "--targets") {
		t.Errorf("two targets without their number: %+v", r)
	}
	task := push(t, o.member.site, append(two, "--yes", "--targets", "2")...)
	if task.State != manager.TaskWaits {
		t.Fatalf("%+v", task)
	}
	if r := command(t, o.member.site, "tasks", "approve", fmt.Sprint(task.ID)); r.code != cli.ExitFailed {
		t.Errorf("who asked for it approved it: %+v", r)
	}
	if s := showTask(t, o.member.site, fmt.Sprint(task.ID)); s.Pushed+s.Received != 0 {
		t.Errorf("it reached a client: %+v", s)
	}
	done(t, o.member.site, "notify", "stop", "--reason", "test")
	held := push(t, o.member.site, "TestEvent", "--client", o.client, "--yes")
	o.site.signal(syscall.SIGTERM)
	o.site.wait(patience)
	o.start()
	o.awaitRow("1", "0", "signin")
	if s := showTask(t, o.member.site, fmt.Sprint(held.ID)); s.Clients[0].Step != wire.StepQueued {
		t.Errorf("a push left while all were stopped: %+v", s)
	}
	done(t, o.member.site, "notify", "resume")
	awaitStep(t, o.member.site, fmt.Sprint(held.ID), wire.StepSucceeded)
	done(t, o.member.site, "tasks", "cancel", fmt.Sprint(task.ID))
	if s := showTask(t, o.member.site, fmt.Sprint(task.ID)); s.State != manager.TaskCancelled || s.Cancelled != 2 {
		t.Errorf("%+v", s)
	}
	for _, action := range []string{"task.push", "notify.stop", "notify.resume", "task.cancel"} {
		if text := auditText(t, o.member.site); !strings.Contains(text, action) {
			t.Errorf("the audit log has no %s", action)
		}
	}
}

// Tasks asked for by many at once are each done once.
func TestManyTasksAtOnce(t *testing.T) {
	t.Parallel()
	if times(t) == 1 {
		t.Skip("another site: make long")
	}
	o := goOnline(t)
	scan := newSideEffects(t, "0")
	o.worker(scan).await("channel open", "transport", patience)
	o.awaitRow("1", "0", "signin")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 3 {
				command(t, o.member.site, "notify", "QuickScan", "--client", o.client, "--yes", "--wait")
			}
		})
	}
	callers.Wait()
	for id, n := range scan.runs() {
		if n != 1 {
			t.Errorf("task %s ran %d times", id, n)
		}
	}
	if len(scan.runs()) != 12 {
		t.Errorf("%d tasks ran, want 12", len(scan.runs()))
	}
}

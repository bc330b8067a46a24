package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
	"statewire/internal/control"
	"statewire/internal/humanize"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
)

// queue is a notification manager with one task, whose clients come to an end one by one.
type queue struct {
	plan    manager.Plan
	task    manager.TaskStatus
	steps   []manager.StepStatus
	confirm int // above so many targets their number is needed
	shows   int // after so many looks the task is over

	orders []manager.Order
	did    []string
}

func (q *queue) Plan(context.Context, manager.By, manager.Order) (manager.Plan, error) {
	return q.plan, nil
}

func (q *queue) Create(_ context.Context, _ manager.By, o manager.Order) (manager.TaskStatus, error) {
	q.orders = append(q.orders, o)
	if q.plan.Targets > q.confirm && o.Expect != q.plan.Targets {
		return manager.TaskStatus{}, &identity.Refusal{Code: "not_confirmed", Status: 409, Detail: "name the number"}
	}
	return q.task, nil
}

func (q *queue) List(context.Context, manager.By, manager.ListOptions) ([]manager.TaskStatus, error) {
	return []manager.TaskStatus{q.task}, nil
}

func (q *queue) Show(_ context.Context, _ manager.By, id string, o manager.ShowOptions,
	take func(manager.StepStatus) error) (manager.TaskStatus, error) {
	if id != "13" && id != q.task.Task.String() {
		return manager.TaskStatus{}, fmt.Errorf("asked for task %s", id)
	}
	if take == nil {
		if q.shows--; q.shows <= 0 {
			q.task.Counts.Succeeded += q.task.Counts.Running
			q.task.Counts.Running = 0
		}
		return q.task, nil
	}
	for _, s := range q.steps {
		if len(o.Steps) == 0 || o.Steps[0] == s.Step {
			s.Output.Text = "" // as the manager does it
			if err := take(s); err != nil {
				return q.task, err
			}
		}
	}
	return q.task, nil
}

func (q *queue) Output(_ context.Context, _ manager.By, _ string, client uuid.UUID) (manager.StepStatus, error) {
	for _, s := range q.steps {
		if s.Client == client {
			return s, nil
		}
	}
	return manager.StepStatus{}, &identity.Refusal{Code: "no_client", Detail: "not for it"}
}

func (q *queue) Cancel(_ context.Context, _ manager.By, id, reason string) (manager.TaskStatus, error) {
	q.did = append(q.did, "cancel "+id+" "+reason)
	return q.task, nil
}

func (q *queue) Approve(_ context.Context, _ manager.By, id string) (manager.TaskStatus, error) {
	q.did = append(q.did, "approve "+id)
	return q.task, nil
}

func (q *queue) SetRate(_ context.Context, _ manager.By, id string, rate int) (manager.TaskStatus, error) {
	q.did = append(q.did, fmt.Sprint("rate ", id, " ", rate))
	return q.task, nil
}

func (q *queue) Stop(_ context.Context, _ manager.By, reason string) error   { return nil }
func (q *queue) Resume(_ context.Context, _ manager.By, reason string) error { return nil }

// asked is a queue with a plan and a task for so many clients.
func asked(targets int) *queue {
	at := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	return &queue{confirm: 100, shows: 3,
		plan: manager.Plan{Task: "Statewire.Utility.TestEvent", Pack: "Statewire.Utility", Version: "1.0.0.0",
			Class:   "benign",
			Targets: targets, Online: targets - 1, Offline: 1, Rate: 42, Seconds: float64(targets-1) / 42, NotAfter: at,
			Servers: []manager.ServerPlan{{Server: "push1", ServerID: 1, Online: targets - 1}}},
		task: manager.TaskStatus{ID: 13, Task: uuid.UUID{15: 13}, Name: "Statewire.Utility.TestEvent",
			Pack: "Statewire.Utility", Version: "1.0.0.0", Class: "benign", For: "collection pilot", Actor: "local:0",
			State: manager.TaskActive, Created: at, NotAfter: at.Add(time.Hour),
			Parameters: []wire.Parameter{{Name: "Text", Value: "hi"}}, Counts: manager.Counts{Targets: targets}},
	}
}

// Who asks names the clients, and says yes to their number: by a key on a terminal, by flags elsewhere, and above
// tasks.confirm_above by the number itself.
func TestNothingIsSentBeforeSomebodyAgreed(t *testing.T) {
	for _, tc := range []struct {
		name    string
		targets int
		answers string // of a person; "-": nobody can be asked
		yes     bool
		expect  int
		sent    bool
		code    int
	}{
		{"a person says yes", 3, "y\n", false, 0, true, 0},
		{"a person says Yes", 3, "Yes\n", false, 0, true, 0},
		{"a person says no", 3, "n\n", false, 0, false, cli.ExitFailed},
		{"a person only presses enter", 3, "\n", false, 0, false, cli.ExitFailed},
		{"a person goes away", 3, "", false, 0, false, cli.ExitFailed},
		{"nobody can be asked", 3, "-", false, 0, false, cli.ExitUsage},
		{"a script says yes", 3, "-", true, 0, true, 0},
		{"a script says yes to many", 101, "-", true, 0, false, cli.ExitUsage},
		{"a script says how many", 101, "-", true, 101, true, 0},
		{"a script says another number", 101, "-", true, 100, false, cli.ExitUsage},
		{"a person says how many", 101, "y\n101\n", false, 0, true, 0},
		{"a person says another number", 101, "y\n100\n", false, 0, false, cli.ExitFailed},
		{"a person says no number", 101, "y\ny\n", false, 0, false, cli.ExitFailed},
		{"nobody is meant", 0, "y\n", false, 0, false, cli.ExitUsage},
	} {
		q, told := asked(tc.targets), &bytes.Buffer{}
		a := &asker{to: told}
		if tc.answers != "-" {
			a.in = bufio.NewReader(strings.NewReader(tc.answers))
		}
		made, err := (&globals{}).send(t.Context(), a, q, manager.Order{Expect: tc.expect}, q.plan, tc.yes)
		err = asTaskUsage(err)
		code := 0
		if err != nil {
			code = cli.ExitCode(err)
		}
		if (made.ID == 13) != tc.sent || code != tc.code {
			t.Errorf("%s: %+v, %v", tc.name, made, err)
		}
		if !strings.Contains(told.String(), "Statewire.Utility.TestEvent (benign)") {
			t.Errorf("%s: the plan was not told: %s", tc.name, told)
		}
	}
}

func TestAPlanIsToldInWords(t *testing.T) {
	p := asked(10_000).plan
	p.Duplicates, p.Second, p.Stopped = 2, true, true
	var out bytes.Buffer
	if err := planWords(&out, p); err != nil {
		t.Fatal(err)
	}
	want := `Statewire.Utility.TestEvent (benign), pack Statewire.Utility 1.0.0.0
10,000 clients: 9,999 online, 1 offline, 2 left out: several machines have one identity
  push1: 9,999 online
at 42 clients a second the last of them has it after 3 min
who is not connected gets it on coming back, until 2026-08-01 12:00:00Z
a second person has to agree before anything is sent
all tasks are stopped: nothing is sent before ` + "`statewire notify resume`\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	g := &globals{Globals: cli.Globals{Format: "json"}}
	out.Reset()
	if err := g.writePlan(&out, p); err != nil || !strings.Contains(out.String(), `"server_id":1`) ||
		!strings.Contains(out.String(), `"second_person": true`) || !strings.Contains(out.String(), `"targets": 10000`) {
		t.Errorf("%v: %s", err, &out)
	}
	for seconds, want := range map[float64]string{0: "less than 1 s", 0.9: "less than 1 s", 1.2: "2 s", 60: "60 s"} {
		if got := inWords(seconds); got != want && !(seconds == 60 && got == "1 min") {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
}

func TestFlagsOfATask(t *testing.T) {
	for args, want := range map[string]string{
		"": `{"name":"T"}`,
		"--param Text=a=b --param N=": `{"name":"T","parameters":[{"name":"Text","value":"a=b"},` +
			`{"name":"N","value":""}]}`,
		"--validity 2d --spread 30m":       `{"name":"T","validity_ns":172800000000000,"spread_ns":1800000000000}`,
		"--validity lasting --rate 10":     `{"name":"T","lasting":true,"rate":10}`,
		"--targets 5 --all --reason why":   `{"name":"T","all":true,"expect":5,"reason":"why"}`,
		"--collection pilot --validity 1m": `{"name":"T","collection":"pilot","validity_ns":60000000000}`,
		"--param Text":                     "NAME=VALUE", "--param =x": "NAME=VALUE", "--validity 59s": "1m to 30d",
		"--validity 31d": "1m to 30d", "--validity soon": "1m to 30d", "--rate -1": "--rate is negative",
		"--spread -1m": "--spread is negative", "--targets -1": "--targets is negative",
	} {
		f, cmd := &notifyFlags{}, &cobra.Command{}
		f.register(cmd)
		if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		o, err := f.order("T")
		if err != nil {
			if cli.ExitCode(err) != cli.ExitUsage || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want wrong usage: %s", args, err, want)
			}
			continue
		}
		if got, err := json.Marshal(o); err != nil || string(got) != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

// A refusal that another call can do without is wrong usage; any other is a failure.
func TestRefusalsOfTasksHaveTheirExitCodes(t *testing.T) {
	for err, want := range map[error]int{
		&identity.Refusal{Code: "bad_parameter"}:     cli.ExitUsage,
		&identity.Refusal{Code: "not_overridable"}:   cli.ExitUsage,
		&identity.Refusal{Code: "not_confirmed"}:     cli.ExitUsage,
		&identity.Refusal{Code: "no_task"}:           cli.ExitUsage,
		&identity.Refusal{Code: "bad_request"}:       cli.ExitUsage,
		control.Invalid("so"):                        cli.ExitUsage,
		control.NotFound("no collection"):            cli.ExitUsage,
		&identity.Refusal{Code: "forbidden"}:         cli.ExitFailed,
		&identity.Refusal{Code: "audit_unavailable"}: cli.ExitFailed,
		&identity.Refusal{Code: "store_away"}:        cli.ExitFailed,
		errors.New("the site stopped before it was"): cli.ExitFailed,
	} {
		if got := cli.ExitCode(asTaskUsage(err)); got != want {
			t.Errorf("%v ends with %d, want %d", err, got, want)
		}
	}
}

// --wait ends when every client came to an end, or some time after the task's own; the exit code says how.
func TestWaitingEndsWithTheTask(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*manager.TaskStatus)
		code   int
		within time.Duration
	}{
		{"all succeed", func(s *manager.TaskStatus) { s.Counts.Running = 3 }, 0, 2 * time.Second},
		{"one failed", func(s *manager.TaskStatus) { s.Counts.Running, s.Counts.Failed = 2, 1 }, 1, 2 * time.Second},
		{"one refused", func(s *manager.TaskStatus) { s.Counts.Running, s.Counts.Refused = 2, 1 }, 1, 2 * time.Second},
		{"one expired", func(s *manager.TaskStatus) { s.Counts.Running, s.Counts.Expired = 2, 1 }, 1, 2 * time.Second},
		{"one has no known end", func(s *manager.TaskStatus) { s.Counts.Running, s.Counts.Unknown = 2, 1 }, 1,
			2 * time.Second},
		{"cancelled", func(s *manager.TaskStatus) {
			s.State, s.Counts.Cancelled, s.Counts.Offline = manager.TaskCancelled, 2, 1
		}, 1, time.Second},
		{"its time is over", func(s *manager.TaskStatus) { s.Counts.Running, s.Counts.Offline = 2, 1 }, 1,
			time.Hour + waitGrace + time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := asked(3)
			began := time.Now()
			q.task.NotAfter = began.Add(time.Hour)
			tc.change(&q.task)
			g, cmd, out := &globals{Globals: cli.Globals{Format: "csv"}}, &cobra.Command{}, &bytes.Buffer{}
			cmd.SetOut(out)
			cmd.SetErr(io.Discard)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
			defer cancel()
			code, err := 0, g.waitFor(ctx, cmd, q, q.task)
			var status *cli.ExitStatus
			if errors.As(err, &status) {
				code = status.Code
			} else if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			if took := time.Since(began); code != tc.code || took > tc.within {
				t.Errorf("%s: %d, %v after %v", tc.name, code, err, took)
			}
		})
	}
}

// lookedAt is a queue that does something at each look how far its task is.
type lookedAt struct {
	*queue
	look func() error
}

func (l lookedAt) Show(ctx context.Context, by manager.By, id string, o manager.ShowOptions,
	take func(manager.StepStatus) error) (manager.TaskStatus, error) {
	if err := l.look(); err != nil {
		return manager.TaskStatus{}, err
	}
	return l.queue.Show(ctx, by, id, o, take)
}

// Whoever is interrupted, between two looks or in one, hears that the task goes on, and nothing is taken back.
func TestAnInterruptedWaitSaysThatTheTaskGoesOn(t *testing.T) {
	for _, during := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if !during {
			cancel()
		}
		cmd := &cobra.Command{}
		cmd.SetErr(io.Discard)
		q := lookedAt{asked(3), func() error {
			cancel()
			return ctx.Err()
		}}
		q.task.NotAfter = time.Now().Add(time.Hour)
		err := (&globals{}).waitFor(ctx, cmd, q, q.task)
		if err == nil || !strings.HasPrefix(err.Error(), "task 13 goes on without this command") ||
			cli.ExitCode(asTaskUsage(err)) != cli.ExitFailed || len(q.did) != 0 {
			t.Errorf("in a look %v: %v, did %q", during, err, q.did)
		}
	}
}

// Who waits hears at the start whom the command waits for, and each time when only clients are left that are offline.
func TestWaitingSaysThatOnlyOfflineClientsAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(time.Hour)
		const leave = "Ctrl-C ends the waiting, not the task.\n"
		// from look to look: those that run, are offline, and succeeded
		looks := [][3]int{{2, 1, 0}, {0, 2, 1}, {0, 2, 1}, {1, 1, 1}, {0, 1, 2}, {0, 0, 3}}
		inner := asked(3)
		inner.task.NotAfter, inner.shows = at, 100
		inner.task.Counts.Queued = 3
		q := lookedAt{inner, func() error {
			if len(looks) > 0 {
				c := &inner.task.Counts
				c.Queued, c.Running, c.Offline, c.Succeeded = 0, looks[0][0], looks[0][1], looks[0][2]
				looks = looks[1:]
			}
			return nil
		}}
		cmd, told := &cobra.Command{}, &bytes.Buffer{}
		cmd.SetOut(io.Discard)
		cmd.SetErr(told)
		if err := (&globals{Globals: cli.Globals{Format: "csv"}}).waitFor(t.Context(), cmd, q, inner.task); err != nil {
			t.Fatal(err)
		}
		until := "on coming back until " + humanize.Clock(at) + ". " + leave
		want := strings.Join(madeWords(inner.task), "\n") + "\nwaiting for 3 clients. " + leave +
			"2 clients are offline; they get it " + until + "1 client is offline; it gets it " + until
		if told.String() != want {
			t.Errorf("told\n%swant\n%s", told, want)
		}
	})
}

// The bar of a task counts clients: most of them end at once, and a rate says nothing.
func TestABarWithoutUnitsHasNoRate(t *testing.T) {
	for units, rate := range map[string]bool{"": false, "files": true} {
		bar := newBar(io.Discard, 10, "notify", units)
		time.Sleep(150 * time.Millisecond)
		_ = bar.Set(4)
		if text := bar.String(); !strings.Contains(text, "4/10") || strings.Contains(text, "/s") != rate {
			t.Errorf("of %q: %q", units, text)
		}
	}
}

func TestWhatWasMadeIsTold(t *testing.T) {
	q := asked(3)
	if got := strings.Join(madeWords(q.task), "\n"); got !=
		"task 13 for 3 clients, valid until 2026-08-01 13:00:00Z\nhow far it is: `statewire tasks show 13`" {
		t.Error(got)
	}
	q.task.State = manager.TaskWaits
	if got := strings.Join(madeWords(q.task), "\n"); !strings.Contains(got, "`statewire tasks approve 13`") {
		t.Error(got)
	}
}

func TestATaskNeedsARunningSite(t *testing.T) {
	data := t.TempDir()
	run := func(args ...string) error {
		root := (&globals{}).root()
		root.SetArgs(append([]string{"--data", data}, args...))
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		return root.ExecuteContext(t.Context())
	}
	id := clientID(1).String()
	for _, args := range [][]string{{"notify", "TestEvent", "--all", "--yes"}, {"tasks", "list"}, {"tasks", "show", "13"},
		{"tasks", "show", "13", "--client", id}, {"tasks", "approve", "13"}, {"notify", "T", "--client", id},
		{"notify", "stop"}, {"notify", "resume"}} {
		if err := run(args...); cli.ExitCode(err) != cli.ExitFailed || !strings.Contains(fmt.Sprint(err),
			"start it with `statewire serve`") {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"notify"}, {"notify", "A", "B", "--all"}, {"notify", "T"}, {"notify", "T", "--all",
		"--collection", "x"}, {"notify", "--list", "T"}, {"tasks", "rate", "1"}, {"tasks", "rate", "1", "--", "-3"},
		{"tasks", "show", "1", "--step", "done"}, {"tasks", "nothing"}, {"tasks", "list", "--limit", "0"}} {
		if err := run(args...); err == nil || cli.ExitCode(err) != cli.ExitUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
}

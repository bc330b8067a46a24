package manager

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"statewire/notifier/wire"
)

// failed, refused and more are how results end.
func exit(code int32) func(*wire.Result) { return func(r *wire.Result) { r.ExitCode = code } }

// A step only goes on, whatever comes again or late; what the client said is kept with it.
func TestStepsGoOn(t *testing.T) {
	b := tasksBench(t, 4)
	task := b.create(admin, order(1, 2, 3, 4)).Task.String()
	p := b.pushes(1, 1)
	received := b.now.Add(time.Second)
	b.now = b.now.Add(2 * time.Second)
	b.say(1, p[0], wire.StepReceived, func(r *wire.Result) { r.Received = received })
	b.say(1, p[0], wire.StepPushed)
	b.say(1, p[1], wire.StepRunning, func(r *wire.Result) { r.Started = received })
	b.say(1, p[2], wire.StepFailed, exit(3), func(r *wire.Result) {
		r.Code, r.Detail, r.Started, r.Finished = "timeout", "stopped", received, b.now
		r.Output = wire.Output{Size: 90_000, Truncated: true, Text: "the beginning"}
	})
	b.say(1, p[2], wire.StepSucceeded, exit(0))
	b.say(1, p[3], wire.StepRefused, func(r *wire.Result) { r.Code = "no_pack" })
	b.restart()
	b.wantSteps("all told", task, "1 received, 2 running, 3 failed timeout, 4 refused no_pack")
	_, steps := b.show(task)
	if s := steps[0]; !s.Received.Equal(received) || !s.At.Equal(received) || s.Server != 1 || s.Push != p[0].Push ||
		s.Pushes != 1 || !s.Pushed.Equal(b.now) {
		t.Errorf("%+v", s)
	}
	out, err := b.Output(t.Context(), viewer, task, id(3))
	if err != nil || out.Output != (wire.Output{Size: 90_000, Truncated: true, Text: "the beginning"}) ||
		out.ExitCode != 3 ||
		out.Detail != "stopped" || !out.Finished.Equal(b.now) {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := b.Output(t.Context(), viewer, task, id(9)); code(err) != "no_client" {
		t.Errorf("%v", err)
	}
	b.say(1, p[0], wire.StepSucceeded)
	b.say(1, p[1], wire.StepSucceeded)
	s, _ := b.show(task)
	if s.State != TaskEnded || s.Counts.Succeeded != 2 || s.Counts.Failed != 1 || s.Counts.Refused != 1 ||
		len(b.tasks) > 0 ||
		len(b.Manager.open) > 0 || b.openSteps != 0 {
		t.Errorf("%+v; %d tasks, %d clients, %d steps are in memory", s, len(b.tasks), len(b.Manager.open), b.openSteps)
	}
}

// The same result, and the same file, change nothing.
func TestResultsThatComeAgainChangeNothing(t *testing.T) {
	b := tasksBench(t, 2)
	task := b.create(admin, order(1, 2)).Task.String()
	p := b.pushes(1, 1)
	var results []wire.Result
	for i, step := range []wire.Step{wire.StepPushed, wire.StepReceived, wire.StepRunning, wire.StepSucceeded} {
		results = append(results, wire.Result{Task: p[0].Task, Push: p[0].Push, Client: p[0].Client, Step: step,
			Pushed: b.now,
			Pushes: uint64(1)}, wire.Result{Task: p[1].Task, Push: p[1].Push, Client: p[1].Client,
			Step: []wire.Step{wire.StepPushed, wire.StepReceived, wire.StepFailed,
				wire.StepFailed}[i], Pushes: 1, Pushed: b.now})
	}
	b.answers(1, results...)
	before, counter := b.steps(task), b.counter
	for range 3 {
		slices.Reverse(results)
		b.now = b.now.Add(time.Minute)
		b.answers(1, results...)
	}
	if got := b.steps(task); got != before || b.counter != counter {
		t.Errorf("%s, and %d versions more", got, b.counter-counter)
	}
	told := wire.Results{Server: "push9", ServerID: 9, Results: results}
	if b.Results(t.Context(), told) == nil {
		t.Error("a server that is none of the site's is believed")
	}
}

// At NotAfter whoever has not begun is expired, to the second, and what comes then counts apart.
func TestTasksExpire(t *testing.T) {
	b := tasksBench(t, 2)
	task := b.create(admin, order(1, 2, 3, 4)).Task.String()
	p := b.pushes(1, 1)
	b.say(1, p[0], wire.StepPushed)
	b.now = today.Add(59 * time.Minute)
	b.say(1, p[1], wire.StepReceived)
	b.step()
	b.see(1, 1, on(3, 8, 1, 59))
	if got := b.pushes(1, 1); len(got) != 1 || got[0].Client != id(3) || !got[0].NotAfter.Equal(today.Add(time.Hour)) {
		t.Errorf("offline for 59 minutes: %+v", got)
	}
	b.see(1, 1, off(3, 8, 2, 60, "closed"))
	b.now = today.Add(time.Hour)
	b.step()
	b.wantSteps("to the end", task, "1 pushed, 2 received, 3 queued offline, 4 queued offline")
	b.now = b.now.Add(time.Second)
	b.see(1, 1, on(3, 9, 1, 61), on(4, 9, 1, 61))
	if got := b.pushes(1, 1); len(got) > 0 {
		t.Errorf("handed out after its time: %+v", got)
	}
	b.now = b.now.Add(sweepEvery)
	b.step()
	b.wantSteps("after it", task, "1 expired, 2 received, 3 expired, 4 expired")
	b.say(1, p[0], wire.StepRunning)
	b.say(1, p[0], wire.StepSucceeded)
	b.say(1, p[1], wire.StepSucceeded)
	b.wantSteps("late", task, "1 succeeded late, 2 succeeded, 3 expired, 4 expired")
	s, _ := b.show(task)
	if c := s.Counts; c.Succeeded != 1 || c.Expired != 3 || c.Late != 1 || s.State != TaskEnded {
		t.Errorf("%+v", s)
	}
	b.say(1, p[0], wire.StepFailed)
	b.wantSteps("the first last word counts", task, "1 succeeded late, 2 succeeded, 3 expired, 4 expired")
	if got, _ := b.readTask(1); got.Unpushed != 2 {
		t.Errorf("%d expired without a frame", got.Unpushed)
	}
	b.say(1, wire.Push{Task: p[0].Task, Client: id(4)}, wire.StepRefused)
	b.wantSteps("a refusal says that nothing ran", task, "1 succeeded late, 2 succeeded, 3 expired, 4 expired")
}

// Whoever had a task and is silent is unknown: online after its time-out and ten minutes, offline after a week.
func TestTasksBecomeUnknown(t *testing.T) {
	b := tasksBench(t, 3)
	o := order(1, 2, 3)
	o.Spread = 90 * time.Second
	task := b.create(admin, o).Task.String()
	p := b.pushes(1, 1)
	b.say(1, p[0], wire.StepReceived)
	b.say(1, p[1], wire.StepRunning)
	b.say(1, p[2], wire.StepReceived)
	b.see(1, 1, off(2, 8, 2, 1, "closed"))
	b.now = today.Add(15 * time.Minute)
	b.step()
	b.wantSteps("not yet", task, "1 received, 2 running, 3 received")
	b.now = b.now.Add(5 * time.Second)
	b.step()
	b.wantSteps("silent", task, "1 unknown, 2 running, 3 received")
	b.now = b.now.Add(time.Minute)
	b.step()
	b.wantSteps("it was to begin later", task, "1 unknown, 2 running, 3 unknown")
	b.now = today.Add(7*24*time.Hour + time.Minute)
	b.step()
	b.wantSteps("offline for a week", task, "1 unknown, 2 running, 3 unknown")
	b.now = b.now.Add(5 * time.Second)
	b.step()
	b.wantSteps("offline for longer", task, "1 unknown, 2 unknown, 3 unknown")
	b.say(1, p[1], wire.StepFailed, exit(1))
	b.wantSteps("late", task, "1 unknown, 2 failed late, 3 unknown")
	if s, _ := b.show(task); s.Counts.Unknown != 3 || s.Counts.Failed != 0 || s.Counts.Late != 1 {
		t.Errorf("%+v", s.Counts)
	}
}

// Cancelled: whoever waits at once, whoever may have it as soon as that is known, and what runs never.
func TestCancel(t *testing.T) {
	b := tasksBench(t, 5)
	task := b.create(admin, order(1, 2, 3, 4, 5, 6)).Task.String()
	p := b.pushes(1, 1)
	b.say(1, p[0], wire.StepPushed)
	b.say(1, p[1], wire.StepReceived)
	b.say(1, p[2], wire.StepRunning)
	if _, err := b.Cancel(t.Context(), viewer, task, ""); code(err) != "forbidden" {
		t.Errorf("a viewer: %v", err)
	}
	s, err := b.Cancel(t.Context(), operator, task, "wrong")
	if err != nil || s.State != TaskCancelled || s.Why != "asked" {
		t.Fatalf("%+v, %v", s, err)
	}
	b.wantSteps("asked", task, "1 pushed, 2 received, 3 running, 4 queued online, 5 queued online, 6 cancelled")
	w := b.fetch(1, 1)
	if len(w.Pushes) > 0 || len(w.Cancels) != 4 {
		t.Fatalf("%+v", w)
	}
	for _, c := range w.Cancels {
		kind, data := payload(t, c.Envelope)
		if m, err := wire.DecodeCancel(data); err != nil || kind != wire.CancelType || m.Task != p[0].Task ||
			m.Site != site || m.Client != c.Client {
			t.Errorf("%s %+v, %v", kind, m, err)
		}
	}
	b.say(1, p[0], wire.StepCancelled)
	b.say(1, p[1], wire.StepRunning)
	b.dropped(1, p[3].Push, wire.DroppedCancelled)
	b.wantSteps("told", task, "1 cancelled, 2 running, 3 running, 4 cancelled, 5 queued online, 6 cancelled")
	b.say(1, p[2], wire.StepSucceeded)
	b.see(1, 1, on(5, 9, 1, 1))
	if w := b.fetch(1, 1); len(w.Pushes) > 0 || len(w.Cancels) != 1 || w.Cancels[0].Client != id(5) {
		t.Errorf("it signs in anew: %+v", w)
	}
	b.restart()
	if w := b.fetch(1, 1); len(w.Pushes) > 0 || len(w.Cancels) != 1 {
		t.Errorf("another manager: %+v", w)
	}
	b.now = today.Add(time.Hour + time.Minute)
	b.step()
	b.wantSteps("never received", task, "1 cancelled, 2 unknown, 3 succeeded, 4 cancelled, 5 cancelled, 6 cancelled")
	if _, err := b.Cancel(t.Context(), operator, task, ""); code(err) != "task_ended" {
		t.Errorf("again: %v", err)
	}
	b.say(1, p[4], wire.StepSucceeded)
	if s, _ := b.show(task); s.Counts.Late != 1 || s.Counts.Cancelled != 4 {
		t.Errorf("it ran all the same: %+v", s.Counts)
	}
}

// A task that no server ever had is cancelled at once, wherever its clients are, and one that waits for a second
// person, too.
func TestATaskThatWasNotHandedOutIsCancelledAtOnce(t *testing.T) {
	b := tasksBench(t, 2)
	s := b.create(admin, order(1, 2, 3))
	if s, err := b.Cancel(t.Context(), admin, "1", ""); err != nil || s.Counts.Cancelled != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if w := b.fetch(1, 1); len(w.Pushes)+len(w.Cancels) > 0 {
		t.Errorf("%+v", w)
	}
	b.wantSteps("at once", s.Task.String(), "1 cancelled, 2 cancelled, 3 cancelled")
}

// A result of a client that nobody asked is kept and noted, and counts nowhere else; again it changes nothing.
func TestUnsolicitedResults(t *testing.T) {
	b := tasksBench(t, 3)
	task := b.create(admin, order(1))
	p := b.pushes(1, 1)[0]
	b.office.lines = nil
	p.Client = id(2)
	for range 3 {
		b.say(1, p, wire.StepSucceeded)
	}
	unknown := wire.Push{Task: id(4711), Client: id(3)}
	for range 3 {
		b.say(1, unknown, wire.StepSucceeded)
	}
	b.wantSteps("unsolicited", task.Task.String(), "1 queued online, 2 succeeded")
	if s, _ := b.show("1"); s.Counts.Unsolicited != 1 || s.Counts.Succeeded != 0 || s.Counts.Targets != 1 || s.State !=
		TaskActive {
		t.Errorf("%+v", s)
	}
	text := strings.ReplaceAll(strings.Join(b.office.lines, "; "), "F1B00000-0000-0000-0000-0000000000", "")
	if text != "client:GUID:02 task.unsolicited 1; task.unsolicited done; client:GUID:03 task.unsolicited 1; "+
		"task.unsolicited done" {
		t.Error(text)
	}
}

// Tasks are listed by whoever may read, the newest first; a caller with collections sees its own.
func TestListAndShow(t *testing.T) {
	b := tasksBench(t, 3)
	b.office.members["ward"] = clients(2)
	scoped := operator
	scoped.Collections = []string{"ward"}
	ended := b.create(admin, order(1))
	b.say(1, b.pushes(1, 1)[0], wire.StepSucceeded)
	own := b.create(scoped, Order{Name: "Event", Collection: "ward"})
	b.create(admin, order(2, 3))
	ids := func(by By, o ListOptions) (out []uint64) {
		list, err := b.List(t.Context(), by, o)
		if err != nil {
			t.Error(err)
		}
		for _, s := range list {
			out = append(out, s.ID)
		}
		return out
	}
	for _, at := range []struct {
		by   By
		o    ListOptions
		want []uint64
	}{{viewer, ListOptions{}, []uint64{3, 2, 1}}, {viewer, ListOptions{Open: true}, []uint64{3, 2}},
		{viewer, ListOptions{Limit: 1}, []uint64{3}}, {scoped, ListOptions{}, []uint64{2}}} {
		if got := ids(at.by, at.o); !slices.Equal(got, at.want) {
			t.Errorf("%+v: %v, want %v", at.o, got, at.want)
		}
	}
	if own.For != "collection ward" || ended.For != "client GUID:F1B00000-0000-0000-0000-000000000001" {
		t.Errorf("%q, %q", own.For, ended.For)
	}
	for _, name := range []string{"2", own.Task.String(), strings.ToUpper(own.Task.String()), own.Task.String()[:8],
		own.Task.String()[:13], "task:" + own.Task.String()} {
		if s, err := b.Show(t.Context(), scoped, name, ShowOptions{}, nil); err != nil || s.ID != 2 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for _, name := range []string{"1", "9", own.Task.String()[:7], "zzzzzzzz", "", ended.Task.String()} {
		if _, err := b.Show(t.Context(), scoped, name, ShowOptions{}, nil); code(err) != "no_task" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Cancel(t.Context(), scoped, "3", ""); code(err) != "no_task" {
		t.Errorf("another's task: %v", err)
	}
	n := 0
	count := func(StepStatus) error { n++; return nil }
	if _, err := b.Show(t.Context(), viewer, "3", ShowOptions{Limit: 1}, count); err != nil || n != 1 {
		t.Errorf("%d steps, %v", n, err)
	}
	n = 0
	if _, err := b.Show(t.Context(), viewer, "1", ShowOptions{Steps: []wire.Step{wire.StepFailed}}, count); err != nil ||
		n != 0 {
		t.Errorf("%d steps, %v", n, err)
	}
}

// Steps are handed over in parts, each once, and the reader's error ends that.
func TestManyStepsAreShown(t *testing.T) {
	b := tasksBench(t, 0)
	b.create(admin, Order{Name: "Event", Clients: upTo(2*showRows + 1), Expect: 2*showRows + 1})
	if s, steps := b.show("1"); len(steps) != 2*showRows+1 || s.Counts.Offline != 2*showRows+1 || s.Counts.Queued != 0 {
		t.Errorf("%d steps, %+v", len(steps), s.Counts)
	}
	_, err := b.Show(t.Context(), admin, "1", ShowOptions{}, func(StepStatus) error { return os.ErrClosed })
	if !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// A lasting task comes with the policy until its client has begun, and not while pushes are stopped.
func TestLastingTasks(t *testing.T) {
	b := tasksBench(t, 1)
	o := order(1, 2)
	o.Lasting = true
	s := b.create(admin, o)
	b.create(admin, order(2))
	if !s.NotAfter.Equal(today.Add(30 * 24 * time.Hour)) {
		t.Errorf("until %v", s.NotAfter)
	}
	lasting := func() int {
		envelopes, err := b.Lasting(t.Context(), id(2))
		if err != nil {
			t.Error(err)
		}
		for _, e := range envelopes {
			_, data := payload(t, e)
			if m, err := wire.DecodeRequest(data); err != nil || m.Client != id(2) || m.Task != s.Task {
				t.Errorf("%+v, %v", m, err)
			}
		}
		return len(envelopes)
	}
	if n := lasting(); n != 1 {
		t.Errorf("%d envelopes", n)
	}
	if err := b.Stop(t.Context(), admin, ""); err != nil || lasting() != 0 {
		t.Error("stopped, and the policy has tasks")
	}
	if err := b.Resume(t.Context(), admin, ""); err != nil || lasting() != 1 {
		t.Error("resumed, and the policy has no task")
	}
	b.say(1, wire.Push{Task: s.Task, Client: id(2)}, wire.StepReceived, func(r *wire.Result) {
		r.Pushes, r.Pushed = 0,
			time.Time{}
	})
	if n := lasting(); n != 0 {
		t.Errorf("it has begun, and the policy has it: %d", n)
	}
	b.wantSteps("by policy", s.Task.String(), "1 queued online, 2 received")
}

// Of tasks that the site does not know only so many results are kept.
func TestStrangersFillNothing(t *testing.T) {
	b := tasksBench(t, 0)
	var results []wire.Result
	for n := range maxStrangers + 3 {
		results = append(results, wire.Result{Task: id(1_000_000 + n), Client: id(n), Step: wire.StepSucceeded})
	}
	for part := range slices.Chunk(results, maxStrangers-1) {
		b.answers(1, part...)
	}
	kept := 0
	err := b.db.View(func(tx *bbolt.Tx) error {
		kept = tx.Bucket(bucketUnsolicited).Stats().KeyN
		return nil
	})
	if err != nil || kept != maxStrangers || len(b.office.lines) != 2*(maxAuditStrange+1) {
		t.Errorf("%d are kept, with %d lines, %v", kept, len(b.office.lines), err)
	}
}

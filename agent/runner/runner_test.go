package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/agent/runner/process"
	"statewire/internal/topics"
	"statewire/notifier/wire"
	"statewire/packs"
)

// A task that is known answers the step that is kept, and runs nothing.
func TestATaskRunsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.ask("Policy")
		m.expect("first", "received", "running", "succeeded")
		m.push(r)
		m.expect("again", "succeeded")
		m.r.Confirmed([]uuid.UUID{r.Task})
		m.push(r)
		m.expect("confirmed, and again", "succeeded")
		_ = m.stop()
		m.start().clock()
		m.push(r)
		m.expect("after a restart", "succeeded")
		m.r.Lasting([][]byte{m.signed(r)})
		m.expect("in a policy")
		if m.polls != 1 {
			t.Errorf("it ran %d times", m.polls)
		}
	})
}

// The same id in another request is the same task.
func TestAnIDIsOneTask(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.ask("Policy")
		m.ask("Resync", func(other *wire.RequestMessage) { other.Task = r.Task })
		m.expect("two requests", "received", "running", "succeeded", "succeeded")
		if m.polls != 1 || m.sent != 0 {
			t.Errorf("%d polls, %d resyncs", m.polls, m.sent)
		}
	})
}

// An id is known for the task's validity and 30 days.
func TestAnIDIsKnownForItsValidityAnd30Days(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.ask("Policy", func(r *wire.RequestMessage) { r.NotAfter = r.NotAfter.Add(23 * time.Hour) })
		m.answers()
		m.r.Confirmed([]uuid.UUID{r.Task})
		time.Sleep(31*24*time.Hour - 3*forgetInterval)
		m.clock()
		time.Sleep(2 * forgetInterval)
		if m.kept() != 1 {
			t.Error("it is forgotten too early")
		}
		time.Sleep(2 * forgetInterval)
		m.clock()
		time.Sleep(2 * forgetInterval)
		if m.kept() != 0 {
			t.Error("it is not forgotten")
		}
	})
}

// What was running when the agent ended has failed, unless it may run again; what had not begun begins.
func TestWhatIsFoundAtTheStart(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		block := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		m.end()
		m.work, m.held, m.run = block, fakePacks(t), func(ctx context.Context, _ process.Spec) (process.Result, error) {
			<-ctx.Done()
			return process.Result{}, ctx.Err()
		}
		m.start().clock()
		repeat := m.ask("Scan")
		once := m.ask("", ofPack("Test.Work", "1.2.0.0", "Test.Work.Do"))
		later := m.ask("Policy", func(r *wire.RequestMessage) { r.Delay = time.Minute })
		tooLate := m.ask("Resync", func(r *wire.RequestMessage) {
			r.Delay, r.NotAfter = 10*time.Minute, r.Issued.Add(20*time.Minute)
		})
		m.answers()
		_ = m.stop()
		if m.polls+m.sent != 0 {
			t.Fatal("a task did not wait")
		}
		m.work = func(context.Context) (string, error) { return "found", nil }
		m.booted, m.boots = time.Now(), "b"
		time.Sleep(30 * time.Minute)
		m.start()
		time.Sleep(3 * time.Minute)
		if held, running := m.r.Counts(); held != 4 || running+m.polls > 0 {
			t.Errorf("before the time is known %d are held, %d run", held, running)
		}
		m.clock()
		m.r.Connected()
		time.Sleep(2 * time.Minute)
		got := map[uuid.UUID][]string{}
		for _, a := range m.answers() {
			got[a.Task] = append(got[a.Task], strings.TrimSpace(string(a.Step)+" "+a.Code))
		}
		for what, tc := range map[string]struct {
			r    wire.RequestMessage
			want string
		}{"one that may run again": {repeat, "succeeded"}, "one that may not": {once, "failed interrupted"},
			"one that had not begun": {later, "succeeded"}, "one whose time is over": {tooLate, "refused expired"}} {
			if steps := got[tc.r.Task]; len(steps) == 0 || steps[len(steps)-1] != tc.want {
				t.Errorf("%s: %v", what, steps)
			}
		}
		if m.polls != 1 || m.sent != 0 {
			t.Errorf("%d polls, %d resyncs", m.polls, m.sent)
		}
	})
}

// A start of the agent does not begin sooner what has a delay.
func TestADelayOutlivesTheAgent(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.clock()
		m.ask("Policy", func(r *wire.RequestMessage) { r.Delay = 10 * time.Minute })
		m.answers()
		time.Sleep(4 * time.Minute)
		m.end()
		m.start().clock()
		for _, want := range []int{0, 1} {
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			m.mu.Lock()
			if m.polls != want {
				t.Errorf("%d polls, want %d", m.polls, want)
			}
			m.mu.Unlock()
		}
	})
}

// Four tasks run at a time; a hundred wait, and the next one is refused. One that does not end blocks none.
func TestHowManyTasksRunAndWait(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		var now, most atomic.Int32
		stuck := make(chan struct{})
		m.end()
		m.work = func(ctx context.Context) (string, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			<-stuck
			return "", nil
		}
		m.start().clock()
		for range 4 + 100 {
			m.ask("Scan", func(r *wire.RequestMessage) { r.NotAfter = r.NotAfter.Add(300 * 24 * time.Hour) })
		}
		m.answers()
		m.ask("Scan")
		m.expect("one too many", "refused no_space")
		if most.Load() != 4 {
			t.Errorf("%d run at a time", most.Load())
		}
		time.Sleep(16*time.Minute + overtime) // their time-out is 15 minutes
		if got := steps(m.answers()); !slices.Contains(got, "failed timeout") || most.Load() < 8 {
			t.Errorf("after the time-out of the first: %v", got)
		}
		close(stuck)
		synctest.Wait()
		m.answers()
	})
}

// A task takes no longer than its pack allows, and no longer than the site asks for.
func TestATaskIsEndedInTime(t *testing.T) {
	for name, tc := range map[string]struct{ asked, after time.Duration }{
		"as the pack says": {0, 15 * time.Minute}, "less": {time.Minute, time.Minute},
		"more than the pack says": {time.Hour, 15 * time.Minute}} {
		bubble(t, func(t *testing.T, m *machine) {
			m.end()
			m.work = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
			m.start().clock()
			m.ask("Scan", func(r *wire.RequestMessage) { r.Timeout = tc.asked })
			time.Sleep(tc.after - time.Second)
			m.expect(name, "received", "running")
			time.Sleep(2 * time.Second)
			m.expect(name, "failed timeout")
		})
	}
}

// A task that has not begun is taken back, one that has begun is not, and one that comes later does not begin.
func TestATaskIsTakenBackBeforeItBegins(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		take := func(id uuid.UUID) {
			m.r.Cancel(10, m.envelope(wire.CancelType, wire.CancelMessage{Task: id, Site: m.id, Client: m.client,
				Issued: time.Now()}.Encode()))
		}
		waits := m.ask("Policy", func(r *wire.RequestMessage) { r.Delay = time.Minute })
		take(waits.Task)
		if got := m.expect("one that waits", "received", "cancelled"); got[1].Push != 10 || got[1].TaskID != 13 {
			t.Errorf("%+v", got[1])
		}
		ran := m.ask("Send")
		m.answers()
		take(ran.Task)
		m.expect("one that ran", "succeeded")
		never := m.order("Resync")
		take(never.Task)
		m.expect("one that never came", "cancelled")
		m.push(never)
		m.expect("and comes", "cancelled")
		time.Sleep(2 * time.Minute)
		m.answers()
		if m.polls+m.sent > 0 || m.sends != 1 {
			t.Errorf("%d polls, %d resyncs, %d sends", m.polls, m.sent, m.sends)
		}
	})
}

// A cancellation is checked as a task is.
func TestACancellationIsChecked(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.ask("Policy", func(r *wire.RequestMessage) { r.Delay = time.Minute })
		m.answers()
		good := wire.CancelMessage{Task: r.Task, Site: m.id, Client: m.client, Issued: time.Now()}
		stranger := newSite(t)
		stranger.id = m.id
		site, client := good, good
		site.Site, client.Client = uuid.New(), uuid.New()
		for _, bad := range [][]byte{stranger.envelope(wire.CancelType, good.Encode()),
			m.envelope(wire.RequestType, good.Encode()), m.envelope(wire.CancelType, site.Encode()),
			m.envelope(wire.CancelType, client.Encode()), []byte("{}")} {
			m.r.Cancel(10, bad)
		}
		m.expect("bad cancellations")
		time.Sleep(2 * time.Minute)
		m.expect("it runs", "running", "succeeded")
	})
}

// The end of a task is kept until the site has confirmed it, and said again at each connection.
func TestAResultIsSaidUntilItIsConfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.ask("Policy")
		m.answers()
		held := []wire.Held{{Task: r.Task, Step: "succeeded"}}
		for range 2 {
			m.r.Connected()
			m.expect("a new connection", "succeeded")
			if got := m.r.Held(); !slices.Equal(got, held) {
				t.Errorf("held are %v", got)
			}
		}
		_ = m.stop()
		m.start()
		if got := m.r.Held(); !slices.Equal(got, held) {
			t.Errorf("after a restart held are %v", got)
		}
		m.r.Connected()
		m.expect("after a restart", "succeeded")
		m.r.Confirmed([]uuid.UUID{r.Task})
		m.r.Connected()
		m.expect("confirmed")
		if held, running := m.r.Counts(); held != 0 || running != 0 || len(m.r.Held()) != 0 {
			t.Errorf("confirmed, and %d are held", held)
		}
	})
}

// Beyond 500 results that the site has not confirmed no task is taken on.
func TestResultsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		for range maxHeld {
			m.ask("Policy")
			m.answers()
		}
		r := m.ask("Policy")
		m.expect("one too many", "refused no_space")
		if m.kept() != maxHeld || m.polls != maxHeld {
			t.Errorf("%d are kept, %d ran", m.kept(), m.polls)
		}
		m.r.Confirmed([]uuid.UUID{m.r.Held()[0].Task})
		m.push(r)
		m.expect("after a confirmation", "received", "running", "succeeded")
	})
}

// An id that is not on disk does not begin; that it runs is on disk before it does; and nobody is told of an end that
// is not.
func TestNothingIsAheadOfTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		disk := &broken{Store: m.store}
		m.store = disk
		began := make(chan struct{}, 1)
		release := make(chan struct{})
		m.work = func(context.Context) (string, error) { began <- struct{}{}; <-release; return "x", nil }
		m.start().clock()
		disk.set(true)
		m.ask("Scan")
		m.expect("a full disk", "refused no_space")
		if m.kept() != 0 || len(began) != 0 {
			t.Error("it began")
		}
		disk.set(false)
		m.ask("Scan", func(r *wire.RequestMessage) { r.Delay = time.Minute })
		m.expect("kept", "received")
		disk.set(true)
		time.Sleep(2 * time.Minute)
		m.expect("it cannot be kept that it runs")
		if len(began) != 0 {
			t.Error("it began")
		}
		disk.set(false)
		time.Sleep(time.Minute)
		m.expect("the disk is well", "running")
		disk.set(true)
		close(release)
		time.Sleep(time.Minute)
		m.expect("its end cannot be kept")
		disk.set(false)
		time.Sleep(time.Minute)
		m.expect("it can", "succeeded")
	})
}

// A task says what it was told to do, with the delivery that it answers.
func TestBuiltInActions(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.logs = "a bundle"
		for name, output := range map[string]string{"Policy": "the policy is asked for", "Send": "what waits is sent",
			"Resync": "the whole cache is sent again", "Scan": "nothing", "CollectLogs": "a bundle",
			"TestEvent": "the test event is raised"} {
			m.ask(name)
			got := m.expect(name, "received", "running", "succeeded")
			if r := got[len(got)-1]; r.Output.Text != output || r.Push != 9 || r.TaskID != 13 || r.ExitCode != 0 ||
				r.Started.IsZero() || r.Finished.IsZero() {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if m.polls != 1 || m.sends != 2 || m.sent != 1 {
			t.Errorf("%d polls, %d sends, %d resyncs", m.polls, m.sends, m.sent)
		}
		m.ask("TestEvent", func(r *wire.RequestMessage) { r.Parameters = []wire.Parameter{{Name: "Text", Value: "ho <ho>"}} })
		m.answers()
		s := m.raised[len(m.raised)-1]
		if s.TopicType != topics.TestEvent || s.StateID != topics.TestEventRaised || !slices.Equal(s.Params,
			[]string{"ho <ho>"}) || s.Instant {
			t.Errorf("raised %+v", s)
		}
		m.ask("", func(r *wire.RequestMessage) { r.Type, r.Pack, r.Name = wire.TypePolicy, "", "" })
		m.expect("type 1", "received", "running", "succeeded")
		if m.polls != 2 {
			t.Error("a task of type 1 asks for no policy")
		}
	})
}

// The machine's own command runs with the id of the task, and what came of it is a state, too.
func TestTheMachinesOwnCommand(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.ask("QuickScan")
		m.expect("without one", "refused not_for_this_os")
		var spec process.Spec
		exit := 0
		m.end()
		m.run = func(_ context.Context, s process.Spec) (process.Result, error) {
			spec = s
			return process.Result{ExitCode: exit, Output: []byte("one\ntwo\n"), Size: 8}, nil
		}
		m.start().clock()
		m.r.Configure(Rules{Tasks: Run, Allow: packs.Destructive, Commands: map[string][]string{
			"quick-scan": {"/opt/scan", "--quick"}}})
		r := m.ask("QuickScan")
		m.expect("it ends well", "received", "running", "succeeded")
		exit = 3
		m.ask("QuickScan")
		got := m.expect("it does not", "received", "running", "failed exit_code")
		if got[2].ExitCode != 3 || got[2].Output.Text != "one\ntwo\n" {
			t.Errorf("%+v", got[2])
		}
		if spec.Path != "/opt/scan" || !slices.Equal(spec.Args, []string{"--quick"}) || spec.Timeout != 2*time.Hour ||
			spec.Output != 1<<20 || spec.Folder != m.folder {
			t.Errorf("ran %+v", spec)
		}
		if slices.Contains(spec.Env, taskVariable+"="+r.Task.String()) || len(spec.Env) != 3 {
			t.Errorf("the environment is %v", spec.Env)
		}
		for i, want := range []struct {
			state uint32
			exit  string
		}{{topics.TaskSucceeded, "0"}, {topics.TaskFailed, "3"}} {
			s := m.raised[i]
			if s.TopicType != topics.Task || s.TopicID != "Statewire.Utility.QuickScan" || s.StateID != want.state ||
				!slices.Equal(s.Params, []string{want.exit, "one"}) {
				t.Errorf("raised %+v", s)
			}
		}
	})
}

// A restart of the agent comes after its result is on disk and the site knows it, or does not say so; and after what
// else runs.
func TestTheAgentStartsAgain(t *testing.T) {
	for _, confirmed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t)
			var err error
			if m.r, err = New(m.deps()); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- m.r.Run(t.Context()) }()
			m.clock()
			began := time.Now()
			r := m.ask("RestartAgent")
			m.expect("restart", "received", "running", "succeeded")
			m.ask("Policy")
			m.expect("meanwhile", "received")
			if confirmed {
				m.r.Confirmed([]uuid.UUID{r.Task})
			}
			if err := <-ended; !errors.Is(err, ErrRestart) {
				t.Error(err)
			}
			if took := time.Since(began); confirmed && took > time.Second || !confirmed && took < confirmPatience {
				t.Errorf("confirmed %v: after %v", confirmed, took)
			}
			m.start().clock()
			time.Sleep(2 * time.Minute)
			m.push(r)
			if got := steps(m.answers()); got[len(got)-1] != "succeeded" || m.polls != 1 {
				t.Errorf("afterwards: %v", got)
			}
			m.end()
		})
	}
}

// A long output comes as state messages, whole, and its beginning with the answer.
func TestALongOutput(t *testing.T) {
	for name, text := range map[string]string{"text": strings.Repeat("0123456789abcde\n", 64<<10),
		"other bytes": strings.Repeat("\x00\xff\x1b[0m", 8<<10), "letters": strings.Repeat("ä", 700<<10/2)} {
		bubble(t, func(t *testing.T, m *machine) {
			m.logs = text
			r := m.ask("CollectLogs")
			got := m.expect(name, "received", "running", "succeeded")
			out := got[2].Output
			if out.Size != uint64(len(text)) || !out.Truncated || len(out.Text) > 4*wire.FirstInline ||
				len(out.Text) < wire.FirstInline/2 {
				t.Errorf("%s: %d of %d bytes, truncated %v", name, len(out.Text), out.Size, out.Truncated)
			}
			if whole := joined(t, r.Task, m.raised); whole != text {
				t.Errorf("%s: %d bytes of %d came", name, len(whole), len(text))
			}
		})
	}
	bubble(t, func(t *testing.T, m *machine) {
		m.logs = strings.Repeat("x", wire.MaxInline)
		m.ask("CollectLogs")
		got := m.expect("as long as may be", "received", "running", "succeeded")
		if out := got[2].Output; out.Text != m.logs || out.Truncated || len(m.raised) > 0 {
			t.Errorf("%d bytes, truncated %v, %d states", len(out.Text), out.Truncated, len(m.raised))
		}
	})
}

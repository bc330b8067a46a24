package runner

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/runner/process"
	"statewire/notifier/wire"
	"statewire/packs"
)

// An agent starts on a full disk, too. What ran when it ended is told as soon as it can be kept, and runs again only if
// it may.
func TestAFullDiskAtTheStart(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		disk := &broken{Store: m.store}
		ran := 0
		m.store, m.held = disk, fakePacks(t)
		m.work = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		m.run = func(ctx context.Context, _ process.Spec) (process.Result, error) {
			ran++
			<-ctx.Done()
			return process.Result{}, ctx.Err()
		}
		m.start().clock()
		once := m.ask("", ofPack("Test.Work", "1.2.0.0", "Test.Work.Do"))
		again := m.ask("Scan")
		m.answers()
		_ = m.stop()
		disk.set(true)
		m.work = func(context.Context) (string, error) { return "found", nil }
		m.start().clock()
		time.Sleep(time.Minute)
		m.expect("the disk is full")
		disk.set(false)
		time.Sleep(time.Minute)
		got := map[uuid.UUID]string{}
		for _, a := range m.answers() {
			got[a.Task] = strings.TrimSpace(string(a.Step) + " " + a.Code)
		}
		if got[once.Task] != "failed interrupted" || got[again.Task] != "succeeded" || ran != 1 {
			t.Errorf("it is well: %v; the program ran %d times", got, ran)
		}
	})
}

// What the agent's own end stops has not ended, in whatever order that comes to light; and what waits does not begin.
func TestAnEndInTheMiddleOfAnEnd(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T, m *machine) {
			m.end()
			m.work = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
			m.start().clock()
			var ids []uuid.UUID
			for range maxRunning + 2 {
				ids = append(ids, m.ask("Scan").Task)
			}
			waits := m.ask("Policy")
			m.answers()
			_ = m.stop()
			m.r.running++ // as when this comes to light first
			m.r.finish(finished{ids[0], &end{outcome: outcome{code: notStarted}}, true})
			for i, id := range append(ids, waits.Task) {
				want := wire.StepRunning
				if i >= maxRunning {
					want = wire.StepReceived
				}
				if kept, _, err := m.store.Task(id); err != nil || kept.Step != string(want) {
					t.Errorf("task %d: %s %s, %v", i, kept.Step, kept.Code, err)
				}
			}
		})
	}
}

// A cancellation that is not on disk is told to nobody: its task could come after all.
func TestACancellationThatIsNotKeptIsNotTold(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		disk := &broken{Store: m.store}
		m.store = disk
		m.start().clock()
		r := m.order("Policy")
		cancel := m.envelope(wire.CancelType, wire.CancelMessage{Task: r.Task, Site: m.id, Client: m.client,
			Issued: time.Now()}.Encode())
		disk.set(true)
		m.r.Cancel(10, cancel)
		m.expect("a full disk")
		disk.set(false)
		m.r.Cancel(11, cancel)
		m.expect("it is well", "cancelled")
		m.push(r)
		m.expect("the task comes", "cancelled")
		if m.polls > 0 {
			t.Error("it ran")
		}
	})
}

// A long output is sent once, however often its end can't be kept.
func TestALongOutputIsSentOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		disk := &broken{Store: m.store}
		release := make(chan struct{})
		m.store, m.work = disk, func(context.Context) (string, error) {
			<-release
			return strings.Repeat("x", 2*wire.MaxInline), nil
		}
		m.start().clock()
		r := m.ask("Scan")
		m.expect("it runs", "received", "running")
		disk.set(true)
		close(release)
		time.Sleep(10 * time.Minute)
		m.expect("its end can't be kept")
		disk.set(false)
		time.Sleep(time.Minute)
		m.expect("it can", "succeeded")
		if got := joined(t, r.Task, m.raised); len(got) != 2*wire.MaxInline {
			t.Errorf("%d bytes came", len(got))
		}
	})
}

// A task that is gone from the store holds up no other.
func TestATaskThatIsGoneHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		gone := m.ask("Send", func(r *wire.RequestMessage) { r.Delay = time.Minute })
		m.ask("Policy", func(r *wire.RequestMessage) { r.Delay = 2 * time.Minute })
		m.answers()
		if err := m.store.ForgetTasks([][16]byte{gone.Task}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		m.expect("the other", "running", "succeeded")
		if m.sends != 0 {
			t.Error("what is not on disk ran")
		}
	})
}

// No parameter, whatever it is called, gives a program another task's id.
func TestATasksIDIsNoParameter(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		xml := strings.NewReplacer(`"Days"`, `"TASK_GUID"`, "$(Days)", "$(TASK_GUID)").Replace(
			string(workXML("1.2.0.0", "linux", "1.4.0")))
		var spec process.Spec
		m.end()
		m.held = heldPacks{"1.2.0.0": parsed(t, []byte(xml))}
		m.run = func(_ context.Context, s process.Spec) (process.Result, error) {
			spec = s
			return process.Result{}, nil
		}
		m.start().clock()
		r := m.ask("", ofPack("Test.Work", "1.2.0.0", "Test.Work.Do"), func(r *wire.RequestMessage) {
			r.PackHash, r.Parameters = packs.HashOf([]byte(xml)), []wire.Parameter{{Name: "TASK_GUID", Value: "3"}}
		})
		m.answers()
		own := taskVariable + "=" + r.Task.String()
		if len(spec.Env) == 0 || spec.Env[len(spec.Env)-1] != own || !slices.Contains(spec.Args, "+3") {
			t.Errorf("%v gets %v", spec.Args, spec.Env)
		}
	})
}

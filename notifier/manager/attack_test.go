package manager

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// A connection that goes on, such as one by HTTP, and had no room for a task, is handed it again soon.
func TestATaskThatAConnectionDidNotTakeComesAgain(t *testing.T) {
	b := tasksBench(t, 1)
	b.create(admin, order(1))
	first := b.pushes(1, 1)
	b.dropped(1, first[0].Push, wire.DroppedUnwritten)
	if more := b.pushes(1, 1); len(more) > 0 {
		t.Errorf("at once: %+v", more)
	}
	b.pass(10 * time.Second)
	again := b.pushes(1, 1)
	if len(again) != 1 || again[0].Push <= first[0].Push {
		t.Fatalf("soon: %+v", again)
	}
	b.say(1, again[0], wire.StepPushed)
	b.dropped(1, again[0].Push, wire.DroppedUnwritten)
	b.pass(10 * time.Second)
	if more := b.pushes(1, 1); len(more) > 0 {
		t.Errorf("it was written: %+v", more)
	}
}

// A client that was several machines and is one again gets what waits, though its connection is the same.
func TestAClientThatIsOneMachineAgainGetsItsTask(t *testing.T) {
	b := tasksBench(t, 1)
	b.create(admin, order(1))
	b.dropped(1, b.pushes(1, 1)[0].Push, wire.DroppedDuplicate)
	twin := on(1, 8, 2, 0)
	twin.Reason = wire.Duplicate
	b.see(1, 1, twin)
	if more := b.pushes(1, 1); len(more) > 0 {
		t.Errorf("several machines are given %+v", more)
	}
	b.see(1, 1, on(1, 8, 3, 0))
	if more := b.pushes(1, 1); len(more) != 1 {
		t.Errorf("one machine is given %+v", more)
	}
}

// A server that was silent for a while holds the same connections: what it wrote there does not come again.
func TestASilentServerIsHandedNothingTwice(t *testing.T) {
	b := tasksBench(t, 1)
	b.load(full(1, on(1, 8, 1, 0)))
	o := order(1)
	o.Validity = 24 * time.Hour
	task := b.create(admin, o).Task.String()
	b.say(1, b.pushes(1, 1)[0], wire.StepPushed)
	b.pass(11 * time.Minute)
	b.want("silent", 1, "offline 1 8.1 server_lost")
	b.load(full(2, on(1, 8, 1, 0)))
	if more := b.pushes(1, 1); len(more) > 0 {
		t.Errorf("handed out again: %+v", more)
	}
	b.wantSteps("it was written", task, "1 pushed")
}

// A server whose clock is behind ends nothing early: silence counts from when the site heard of a step.
func TestAServersClockThatIsBehindEndsNothing(t *testing.T) {
	b := tasksBench(t, 0)
	b.see(1, 1, on(1, 8, 1, -60))
	task := b.create(admin, order(1)).Task.String()
	p := b.pushes(1, 1)[0]
	told := wire.Results{Server: "push1", ServerID: 1, Epoch: 1, Time: time.Unix(0, 0),
		Results: []wire.Result{{Task: p.Task,
			Push: p.Push, Client: p.Client, Step: wire.StepRunning, Pushed: time.Unix(0, 0), Received: time.Unix(0, 0)}}}
	if err := b.Results(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	b.now = today.Add(15 * time.Minute)
	b.step()
	b.wantSteps("within its time", task, "1 running")
	b.now = b.now.Add(5 * time.Second)
	b.step()
	b.wantSteps("behind it", task, "1 unknown")
}

// Results that nobody asked for of one client take nobody's place, in the audit log neither, and go when tasks do.
func TestStrangersTakeNobodysPlace(t *testing.T) {
	b := tasksBench(t, 0)
	b.cfg.Tasks.Keep = 48 * time.Hour
	b.restart()
	flood := func(client, n int) {
		for i := range n {
			b.answers(1, wire.Result{Task: id(client*1_000_000 + i), Client: id(client), Step: wire.StepSucceeded})
		}
	}
	kept := func(client int) (n int) {
		for _, line := range b.office.lines {
			if strings.HasPrefix(line, "client:GUID:"+upper(id(client))) {
				n++
			}
		}
		return n
	}
	flood(1, 2*maxStrangersEach)
	b.restart()
	flood(1, 3*maxStrangersEach)
	flood(2, 3)
	if one, two := kept(1), kept(2); one != maxStrangersEach || two != 3 {
		t.Errorf("%d of one client are kept, %d of another", one, two)
	}
	b.now = b.now.Add(48*time.Hour - 30*time.Minute)
	flood(3, 1)
	b.pass(time.Minute)
	if b.strange != 1 || len(b.strangers) != 1 {
		t.Errorf("%d are kept, of %d clients", b.strange, len(b.strangers))
	}
	if err := b.Forget(t.Context(), clients(3)); err != nil || b.strange != 0 || len(b.strangers) != 0 {
		t.Errorf("erased, and %d are kept, %v", b.strange, err)
	}
	if n := counted(t, b.metrics.results.WithLabelValues(resultUnsolicited)); n != 1+3 {
		t.Errorf("%v are counted since the restart", n)
	}
}

// A stop waits for nobody who does not answer whether tasks' creators still may, and neither do other tasks.
func TestAStopWaitsForNobodysRight(t *testing.T) {
	b := tasksBench(t, 40)
	b.fetch(1, 1)
	synctest.Test(t, func(t *testing.T) {
		b.Manager.queues = map[uint32]*queue{} // its channels belong to this test
		began := time.Now()
		b.Manager.now = func() time.Time { return today.Add(time.Since(began)) }
		b.Manager.deps.Still = func(ctx context.Context, actor string) error {
			if actor == another.Actor {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		for n := range 30 {
			b.create(admin, order(n+1))
		}
		ask := wire.Ask{Server: "push1", ServerID: 1, Epoch: 1, Got: b.got[1]}
		next := func() wire.Work {
			w, err := b.Work(t.Context(), ask)
			if err != nil {
				t.Fatal(err)
			}
			ask.Got, ask.Stopped = w.Number, w.Stopped
			return w
		}
		for w := next(); len(w.Time) == 0; w = next() {
		}
		go func() {
			time.Sleep(time.Second)
			_ = b.Stop(context.Background(), admin, "")
		}()
		if w := next(); !w.Stopped || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("%+v after %v", w, time.Since(began))
		}
		if err := b.Resume(t.Context(), admin, ""); err != nil {
			t.Fatal(err)
		}
		next()
		b.create(another, Order{Name: "Test.Event", Clients: []uuid.UUID{id(40)}})
		asked := time.Now()
		if w := next(); len(w.Pushes) != 1 || time.Since(asked) > time.Second {
			t.Errorf("%+v after %v", w, time.Since(asked))
		}
	})
}

// A client may begin within the spread though most targets of its task were erased.
func TestErasedTargetsPutNobodyBehindTheSpread(t *testing.T) {
	b := tasksBench(t, 10)
	o := order(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	o.Spread = 10 * time.Minute
	b.create(admin, o)
	if err := b.Forget(t.Context(), clients(1, 2, 3, 4, 5, 6, 7, 8)); err != nil {
		t.Fatal(err)
	}
	pushes := b.pushes(1, 1)
	for _, p := range pushes {
		_, data := payload(t, p.Envelope)
		m, err := wire.DecodeRequest(data)
		if err != nil || m.Delay > o.Spread {
			t.Errorf("client %v begins after %v, %v", p.Client, m.Delay, err)
		}
	}
	if len(pushes) != 2 {
		t.Errorf("%d pushes", len(pushes))
	}
}

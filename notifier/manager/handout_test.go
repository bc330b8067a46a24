package manager

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// A task goes to the server that holds the client, signed for that client alone: the same bytes each time, a number
// that grows, its delay by its place.
func TestATaskGoesToTheServerThatHoldsTheClient(t *testing.T) {
	b := tasksBench(t, 1)
	b.see(2, 1, on(2, 8, 1, 0))
	twin := on(3, 8, 1, 0)
	twin.Reason = wire.Duplicate
	b.see(1, 1, twin)
	o := order(1, 2, 3, 4)
	o.Spread = 10 * time.Second
	o.Parameters = []wire.Parameter{{Name: "Text", Value: "hello"}}
	task := b.create(admin, o).Task.String()
	first, other := b.pushes(1, 1), b.pushes(2, 1)
	if len(first) != 1 || first[0].Client != id(1) || len(other) != 1 || other[0].Client != id(2) {
		t.Fatalf("push1 %+v, push2 %+v", first, other)
	}
	b.wantSteps("handed out", task, "1 queued online, 2 queued online, 3 queued duplicate, 4 queued offline")
	kind, data := payload(t, other[0].Envelope)
	m, err := wire.DecodeRequest(data)
	want := wire.RequestMessage{TaskID: 1, Task: other[0].Task, Type: wire.TypePack, Site: site, Client: id(2),
		Issued:   today,
		NotAfter: today.Add(time.Hour + 10*time.Second), Delay: 2 * time.Second, Timeout: 5 * time.Minute, Pack: "Test",
		PackVersion: "1.0.0.0", PackHash: "sha256:00", Name: "Test.Event"}
	if err != nil || kind != wire.RequestType || len(m.Parameters) != 1 || m.Parameters[0] != o.Parameters[0] {
		t.Fatalf("%s %+v, %v", kind, m, err)
	}
	if m.Parameters = nil; !equalRequests(m, want) {
		t.Errorf("\n got %+v\nwant %+v", m, want)
	}
	b.see(2, 1, on(2, 9, 1, 5))
	again := b.pushes(2, 1)
	if len(again) != 1 || again[0].Push <= other[0].Push || !bytes.Equal(again[0].Envelope, other[0].Envelope) {
		t.Errorf("signed in anew: %+v after %+v", again, other)
	}
	b.restart()
	b.pushes(1, 1)
	if third := b.pushes(2, 1); len(third) != 1 || third[0].Push <= again[0].Push {
		t.Errorf("a manager that began anew uses numbers again: %+v after %+v", third, again)
	}
}

func equalRequests(a, b wire.RequestMessage) bool { return bytes.Equal(a.Encode(), b.Encode()) }

// A push is handed out once for a connection, whether it was written or not, and again when the client signs in anew,
// when the server began anew, and when the manager did and nobody said that it was written.
func TestWhenATaskIsHandedOutAgain(t *testing.T) {
	b := tasksBench(t, 2)
	task := b.create(admin, order(1, 2)).Task.String()
	first := b.pushes(1, 1)
	if len(first) != 2 || len(b.pushes(1, 1)) > 0 {
		t.Fatal("not handed out once")
	}
	b.say(1, first[0], wire.StepPushed)
	b.wantSteps("one is written", task, "1 pushed, 2 queued online")
	b.restart()
	if again := b.pushes(1, 1); len(again) != 1 || again[0].Client != id(2) {
		t.Errorf("another manager hands out %+v", again)
	}
	b.see(1, 2, on(1, 9, 1, 1), on(2, 9, 1, 1))
	b.got[1] = 0
	again := b.pushes(1, 2)
	slices.SortFunc(again, func(x, y wire.Push) int { return compareIDs(x.Client, y.Client) })
	if len(again) != 2 {
		t.Fatalf("another start of the server is handed %+v", again)
	}
	b.say(1, again[0], wire.StepPushed, func(r *wire.Result) { r.Pushes = 2 })
	b.say(1, again[1], wire.StepReceived)
	if _, steps := b.show(task); steps[0].Push != again[0].Push || steps[0].Pushes != 2 || steps[0].Server != 1 {
		t.Errorf("%+v", steps[0])
	}
	b.see(1, 2, on(1, 10, 1, 2), on(2, 10, 1, 2))
	if more := b.pushes(1, 2); len(more) != 1 || more[0].Client != id(1) {
		t.Errorf("whoever received it gets it again: %+v", more)
	}
	b.dropped(1, b.push, wire.DroppedAway)
	if more := b.pushes(1, 2); len(more) > 0 {
		t.Errorf("dropped: it waits for the next connection, and is handed out: %+v", more)
	}
	b.see(2, 1, on(1, 11, 1, 3))
	if more := b.pushes(2, 1); len(more) != 1 {
		t.Errorf("another server has it now: %+v", more)
	}
}

// A server that starts anew without its clients having said so is handed out nothing twice at one time.
func TestWorkThatWasNotConfirmedIsNotHandedOutTwice(t *testing.T) {
	b := tasksBench(t, 3)
	b.fetch(1, 1)
	b.create(admin, order(1, 2, 3))
	w := b.work(1, 1, b.got[1]) // it never gets there
	if len(w.Pushes) != 3 {
		t.Fatalf("%+v", w)
	}
	if again := b.work(1, 1, b.got[1]); len(again.Pushes) != 3 || again.Number != w.Number {
		t.Errorf("it comes again: %+v", again)
	}
	b.got[1] = 0
	seen := map[uuid.UUID]int{}
	for _, p := range b.pushes(1, 2) {
		seen[p.Client]++
	}
	if len(seen) != 3 || seen[id(1)] != 1 || seen[id(2)] != 1 || seen[id(3)] != 1 {
		t.Errorf("another start of the server is handed %v", seen)
	}
}

// A server has at most ten seconds' worth of pushes that it has not written, and never more than a thousand. Tasks take
// turns, so that a great one keeps no small one waiting.
func TestAServerHasFewUnwrittenPushes(t *testing.T) {
	for throttle, want := range map[int]int{2: 20, 1000: 1000} {
		b := tasksBench(t, 1200)
		b.Configure(Live{Tasks: b.cfg.Tasks, Throttle: throttle})
		big := Order{Name: "Event", Clients: upTo(1200), Expect: 1200}
		b.create(admin, big)
		small := b.create(admin, order(1199)).Task
		pushes := b.pushes(1, 1)
		if len(pushes) != want {
			t.Errorf("throttle %d: %d pushes are handed out, want %d", throttle, len(pushes), want)
		}
		if pushes[0].Task != small && pushes[1].Task != small {
			t.Error("the small task waits for the great one")
		}
		b.wantReason(t, 1200, "throttled")
		b.say(1, pushes[0], wire.StepPushed)
		b.dropped(1, pushes[1].Push, wire.DroppedAway)
		b.say(1, pushes[2], wire.StepReceived)
		if more := b.pushes(1, 1); len(more) != 3 {
			t.Errorf("three are away, and %d are handed out", len(more))
		}
		b.see(1, 1, off(5, 8, 2, 1, "closed"))
		if more := b.pushes(1, 1); len(more) != 1 {
			t.Errorf("a client left, and %d are handed out", len(more))
		}
	}
}

func (b *bench) wantReason(t *testing.T, n int, want string) {
	t.Helper()
	waits, err := b.WaitingFor(t.Context(), id(n))
	if err != nil || len(waits) != 1 || waits[0].Step.Reason != want {
		t.Errorf("client %d: %+v, %v, want %s", n, waits, err, want)
	}
}

// Whoever made a task has to have the right still when it is handed out, also a minute later. While nobody can say, the
// task waits.
func TestTheCreatorsRightIsCheckedAgain(t *testing.T) {
	b := tasksBench(t, 2)
	b.office.unsure = true
	task := b.create(operator, order(1, 2, 3)).Task.String()
	if got := b.pushes(1, 1); len(got) > 0 {
		t.Fatalf("nobody knows whether the creator may, and handed out are %+v", got)
	}
	b.office.unsure = false
	b.pass(10 * time.Second)
	pushes := b.pushes(1, 1)
	if len(pushes) != 2 {
		t.Fatalf("%+v", pushes)
	}
	b.say(1, pushes[0], wire.StepReceived)
	b.office.revoked[operator.Actor] = true
	b.pass(time.Minute)
	b.see(1, 1, on(3, 8, 1, 0))
	if got := b.pushes(1, 1); len(got) > 0 {
		t.Errorf("the creator may not push any more, and handed out are %+v", got)
	}
	if s, _ := b.show(task); s.State != TaskCancelled || s.Why != "creator_revoked" {
		t.Errorf("%+v", s)
	}
	if lines := b.office.lines; !slices.Contains(lines, "site task.cancel 3") ||
		!slices.Contains(lines, "task.cancel done") {
		t.Errorf("the audit log has %q", lines)
	}
	b.restart()
	b.office.asked = 0
	b.create(admin, order(1))
	b.pushes(1, 1)
	b.create(admin, order(2))
	b.pushes(1, 1)
	if b.office.asked != 2 {
		t.Errorf("asked %d times", b.office.asked)
	}
}

// Stopped: nothing is handed out, and every server is told so, at once and across restarts, until somebody resumes.
func TestStopAndResume(t *testing.T) {
	b := tasksBench(t, 2)
	b.create(admin, order(1, 2))
	b.fetch(2, 1)
	if err := b.Stop(t.Context(), operator, "wrong task"); err != nil {
		t.Fatal(err)
	}
	if w := b.fetch(1, 1); len(w.Pushes) > 0 || !w.Stopped {
		t.Errorf("stopped, and handed out are %+v", w)
	}
	b.restart()
	if w := b.fetch(1, 1); len(w.Pushes) > 0 || !w.Stopped {
		t.Errorf("after a restart: %+v", w)
	}
	stop, err := b.Stopping(t.Context())
	if err != nil || !stop.Stopped || stop.Actor != operator.Actor || stop.Reason != "wrong task" {
		t.Errorf("%+v, %v", stop, err)
	}
	if err := b.Resume(t.Context(), operator, ""); code(err) != "forbidden" {
		t.Errorf("an operator resumes: %v", err)
	}
	scoped := admin
	scoped.Collections = []string{"ward"}
	if err := b.Resume(t.Context(), scoped, ""); code(err) != "out_of_scope" {
		t.Errorf("a caller with collections resumes: %v", err)
	}
	if err := b.Resume(t.Context(), admin, ""); err != nil {
		t.Fatal(err)
	}
	if w := b.fetch(1, 1); len(w.Pushes) != 2 || w.Stopped {
		t.Errorf("resumed: %+v", w)
	}
}

// A held question is answered as soon as a task, a stop or its end comes, and every five minutes with a signed time.
func TestAHeldQuestionLearnsOfTasksAtOnce(t *testing.T) {
	b := tasksBench(t, 1)
	b.load(full(1, on(1, 8, 1, 0))) // else it owes one
	b.fetch(1, 1)
	synctest.Test(t, func(t *testing.T) {
		b.Manager.queues = map[uint32]*queue{} // its channels belong to this test
		b.settings.Store(b.settings.Load())
		asks := wire.Ask{Server: "push1", ServerID: 1, Epoch: 1, Got: 1}
		clock := time.Now()
		b.Manager.now = func() time.Time { return today.Add(time.Since(clock)) }
		next := func() (w wire.Work, took time.Duration) {
			began := time.Now()
			w, err := b.Work(t.Context(), asks)
			if err != nil {
				t.Fatal(err)
			}
			asks.Got, asks.Stopped = w.Number, w.Stopped
			return w, time.Since(began)
		}
		w, _ := next()
		signed, ok := wire.DecodeSignedTime(w.Time)
		if !ok || !signed.Time.Equal(today) || signed.Key != wire.KeyPrefix(b.office.id) ||
			!signed.Verify(b.office.key.Public().(ed25519.PublicKey), site) {
			t.Errorf("signed time %+v", signed)
		}
		for w.Time = nil; len(w.Time) == 0 && time.Since(clock) < 10*time.Minute; {
			w, _ = next()
		}
		if len(w.Time) == 0 || time.Since(clock) != 5*time.Minute {
			t.Errorf("after %v: %+v", time.Since(clock), w)
		}
		later := func(do func()) {
			go func() {
				time.Sleep(7 * time.Second)
				do()
			}()
		}
		later(func() { b.create(admin, order(1)) })
		if w, took := next(); len(w.Pushes) != 1 || took != 7*time.Second {
			t.Errorf("a task: %+v after %v", w, took)
		}
		later(func() { _ = b.Stop(context.Background(), admin, "") })
		if w, took := next(); !w.Stopped || took != 7*time.Second {
			t.Errorf("a stop: %+v after %v", w, took)
		}
		if w, took := next(); !w.Stopped || took != holdFor {
			t.Errorf("it is known: %+v after %v", w, took)
		}
		asks.Stopped = false
		if w, took := next(); !w.Stopped || took > 0 || w.Number <= 2 {
			t.Errorf("the server does not know of it: %+v after %v", w, took)
		}
		later(func() { _ = b.Resume(context.Background(), admin, "") })
		if w, took := next(); w.Stopped || took != 7*time.Second {
			t.Errorf("its end: %+v after %v", w, took)
		}
	})
}

// A task's own rate holds in any window, begins with nothing saved up, and changes while it runs.
func TestARateOfItsOwn(t *testing.T) {
	b := tasksBench(t, 300)
	b.fetch(1, 1)
	synctest.Test(t, func(t *testing.T) {
		b.Manager.queues = map[uint32]*queue{}
		clock := time.Now()
		b.Manager.now = func() time.Time { return today.Add(time.Since(clock)) }
		o := Order{Name: "Event", Clients: upTo(300), Expect: 300, Rate: 10}
		task := b.create(admin, o).Task.String()
		asks := wire.Ask{Server: "push1", ServerID: 1, Epoch: 1, Got: 1}
		var at []time.Duration
		run := func(until time.Duration) int {
			before := len(at)
			ctx, cancel := context.WithTimeout(t.Context(), until-time.Since(clock))
			defer cancel()
			for ctx.Err() == nil {
				w, err := b.Work(ctx, asks)
				if err != nil {
					break
				}
				asks.Got = w.Number
				for _, p := range w.Pushes {
					at = append(at, time.Since(clock))
					b.say(1, p, wire.StepReceived)
				}
			}
			return len(at) - before
		}
		if n := run(10 * time.Second); n < 95 || n > 105 {
			t.Errorf("%d in ten seconds, want 100", n)
		}
		if _, err := b.SetRate(t.Context(), admin, task, 2); err != nil {
			t.Fatal(err)
		}
		if n := run(20 * time.Second); n < 18 || n > 22 {
			t.Errorf("%d in the next ten, want 20", n)
		}
		for i := range at {
			for j := i; j < len(at); j++ {
				if w := (at[j] - at[i]).Seconds(); float64(j-i+1) > 10*w+10 {
					t.Fatalf("%d within %v seconds", j-i+1, w)
				}
			}
		}
		if _, err := b.SetRate(t.Context(), admin, task, 0); err != nil {
			t.Fatal(err)
		}
		if n := run(21 * time.Second); len(at) != 300 {
			t.Errorf("without a rate %d of the others are handed out", n)
		}
	})
}

// Another person may change a rate as far as that person may push such a task.
func TestWhoMayChangeARate(t *testing.T) {
	b := tasksBench(t, 1)
	task := b.create(admin, order(1)).Task.String()
	if _, err := b.SetRate(t.Context(), viewer, task, 5); code(err) != "forbidden" {
		t.Errorf("a viewer: %v", err)
	}
	if s, err := b.SetRate(t.Context(), operator, task[:8], 5); err != nil || s.Rate != 5 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := b.SetRate(t.Context(), operator, task, -1); code(err) != "bad_request" {
		t.Errorf("%v", err)
	}
}

// A stop comes to a server that waits although a great change is just being written.
func TestAStopWaitsForNoChange(t *testing.T) {
	b := tasksBench(t, 1)
	b.load(full(1, on(1, 8, 1, 0))) // else it owes one
	b.fetch(1, 1)
	synctest.Test(t, func(t *testing.T) {
		b.Manager.queues = map[uint32]*queue{} // its channels belong to this test
		ask := wire.Ask{Server: "push1", ServerID: 1, Epoch: 1, Version: 1}
		w, err := b.Work(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		ask.Got = w.Number
		answered, stopped := make(chan wire.Work), make(chan error)
		go func() {
			w, _ := b.Work(t.Context(), ask)
			answered <- w
		}()
		synctest.Wait()
		b.writing.Lock()
		go func() { stopped <- b.Stop(context.Background(), admin, "") }()
		began := time.Now()
		var told wire.Work
		for n, came := 0, false; n < 1_000_000 && !came; n++ { // the clock stands while somebody waits for a lock
			select {
			case told = <-answered:
				came = true
			default:
				runtime.Gosched()
			}
		}
		b.writing.Unlock()
		if !told.Stopped || time.Since(began) > 0 {
			t.Errorf("%+v after %v", told, time.Since(began))
			<-answered
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

package notifier

import (
	"crypto/ed25519"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// task is a push of a new task.
func task(number uint64, client uuid.UUID) wire.Push {
	return wire.Push{Push: number, TaskID: number, Task: uuid.New(), Client: client, NotAfter: time.Now().Add(time.Hour),
		Envelope: []byte("envelope")}
}

// told are the steps and drops that the manager was told at once.
func (b *bed) told() (results []wire.Result, dropped map[uint64]string) {
	b.desk.mu.Lock()
	defer b.desk.mu.Unlock()
	dropped = map[uint64]string{}
	for _, d := range b.desk.dropped {
		dropped[d.Push] = d.Why
	}
	return slices.Clone(b.desk.results), dropped
}

// request expects a task and returns its number.
func (p *peer) request() uint64 {
	p.t.Helper()
	push, envelope, err := wire.SplitPush(p.expect(wire.Request))
	check(p.t, err)
	if string(envelope) != "envelope" {
		p.t.Fatalf("the envelope is %q", envelope)
	}
	return push
}

func TestATaskIsPushedAndToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		time.Sleep(time.Minute)
		began := time.Now().UTC()
		one, late, long := task(7, m.id), task(8, m.id), task(9, m.id)
		late.NotAfter = began.Add(-time.Millisecond)
		long.Envelope = make([]byte, wire.MaxFrame)
		b.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{long, late, one, task(10, uuid.New())}}
		if n := p.request(); n != 7 {
			t.Errorf("push %d came", n)
		}
		time.Sleep(time.Second)
		p.nothing()
		results, dropped := b.told()
		want := wire.Result{Task: one.Task, TaskID: 7, Push: 7, Client: m.id, Step: wire.StepPushed, Pushed: began, Pushes: 1}
		if len(results) != 1 || results[0] != want {
			t.Errorf("the manager was told %+v", results)
		}
		if len(dropped) != 3 || dropped[8] != "expired" || dropped[9] != "unwritten" || dropped[10] != "away" {
			t.Errorf("dropped: %v", dropped)
		}
		for label, n := range map[string]float64{"sent": 1, "expired": 1, "unwritten": 1, "away": 1} {
			if b.metric("pushes_total", label) != n {
				t.Errorf("%s is counted %v times", label, b.metric("pushes_total", label))
			}
		}
		if got := b.desk.got(); got[len(got)-1] != 1 {
			t.Errorf("the work is not got: %v", got)
		}
	})
}

// Several machines with one identity get no task.
func TestNoTaskGoesToCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		b.online(m, 1, boot("one"))
		b.online(m, 1, boot("two"))
		b.online(m, 2, boot("one"))
		p := b.online(m, 3, boot("two"))
		b.is(m, true, "duplicate")
		b.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{task(1, m.id)}, Cancels: []wire.Push{task(2, m.id)}}
		time.Sleep(time.Minute)
		p.nothing()
		if _, dropped := b.told(); dropped[1] != "duplicate" || dropped[2] != "duplicate" {
			t.Errorf("dropped: %v", dropped)
		}
	})
}

// Any w seconds hold at most 42 × w + 42 tasks and wakes together, across restarts, and the throttle is used. Those who
// are offline use up nothing of it.
func TestI25TasksAndWakesShareTheThrottle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		site, at := newSite(t), &recorder{}
		for range 3 {
			b := start(t, site, true)
			time.Sleep(10 * time.Minute) // something could have been saved up
			from := at.count()
			ids := b.manyOnline(1000, at)
			work := wire.Work{Number: 1, Wakes: ids}
			for n, id := range ids {
				work.Pushes = append(work.Pushes, task(uint64(2*n+1), id), task(uint64(2*n+2), uuid.New()))
			}
			b.desk.works <- work
			time.Sleep(20 * time.Second)
			if rate := float64(at.count()-from-42) / 20; rate < 42*.95 || rate > 42*1.05 {
				t.Errorf("%v a second", rate)
			}
			b.stop()
		}
		holds(t, at.since(0), 42)
	})
}

// A task does not wait for the wakes of all, and wakes do not wait for all tasks.
func TestTasksAndWakesTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.ThrottlePerSecond = 1 })
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		ids := b.manyOnline(300, &recorder{})
		var pushes []wire.Push
		for n, id := range ids {
			pushes = append(pushes, task(uint64(n+10), id))
		}
		b.desk.works <- wire.Work{Number: 1, Wakes: ids}
		time.Sleep(10 * time.Second)
		b.desk.works <- wire.Work{Number: 2, Pushes: append([]wire.Push{task(1, m.id)}, pushes...)}
		began := time.Now()
		p.request()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it waited for %v", took)
		}
		waiting := b.metric("wakes_waiting", "")
		time.Sleep(100 * time.Second)
		if gone := waiting - b.metric("wakes_waiting", ""); gone < 45 || gone > 55 {
			t.Errorf("%v wakes and %v tasks left", gone, 100-gone)
		}
	})
}

// What was taken of the throttle for a client that left is the next one's, and nothing is saved up by it.
func TestAClientThatLeftUsesUpNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.ThrottlePerSecond = 1 })
		left, m := b.site.enroll(t, ""), b.site.enroll(t, "")
		gone, p := b.online(left, 1), b.online(m, 1)
		time.Sleep(time.Minute)
		b.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{task(1, m.id), task(2, left.id), task(3, m.id)}}
		p.request()
		began := time.Now()
		time.Sleep(500 * time.Millisecond)
		gone.raw.Close()
		if n := p.request(); n != 3 || time.Since(began) > time.Second {
			t.Errorf("push %d after %v", n, time.Since(began))
		}
		time.Sleep(time.Second)
		if _, dropped := b.told(); dropped[2] != "away" {
			t.Errorf("dropped: %v", dropped)
		}
		synctest.Wait()
		b.queue.saved = true // as if the last client of a queue had left
		b.queue.ring()
		time.Sleep(time.Second)
		synctest.Wait()
		if b.queue.saved {
			t.Error("something of the throttle is saved up while nothing waits")
		}
	})
}

// A cancellation leaves at once, takes its task out of the queue, and is no task for those who are offline.
func TestACancellationDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.ThrottlePerSecond = 1 })
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		one, two := task(1, m.id), task(2, m.id)
		b.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{one, two}}
		if p.request() != 1 {
			t.Error("another task came")
		}
		began := time.Now()
		var cancels []wire.Push
		for n, of := range []wire.Push{one, two, task(3, uuid.New())} {
			of.Push = uint64(10 + n)
			cancels = append(cancels, of)
		}
		b.desk.works <- wire.Work{Number: 2, Cancels: cancels, Stopped: true}
		for range 2 {
			p.expect(wire.Cancel)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited for %v", took)
		}
		b.desk.works <- wire.Work{Number: 3, Wakes: uuids(m)}
		p.expect(wire.Wake)
		time.Sleep(10 * time.Second)
		p.nothing()
		if _, dropped := b.told(); len(dropped) != 2 || dropped[2] != "cancelled" || dropped[12] != "away" {
			t.Errorf("dropped: %v", dropped)
		}
		if b.metric("cancels_total", "sent") != 2 || b.metric("pushes_waiting", "") != 0 {
			t.Error("cancellations are counted wrong")
		}
	})
}

// A later push of a task takes the place of one that waits; the same one is pushed once.
func TestATaskWaitsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		one, other := task(5, m.id), task(6, m.id)
		again, old := one, one
		again.Push, old.Push = 8, 4
		b.desk.works <- wire.Work{Number: 1, Stopped: true, Pushes: []wire.Push{one, other}}
		b.desk.works <- wire.Work{Number: 2, Stopped: true, Pushes: []wire.Push{again, other, old}}
		time.Sleep(time.Second)
		if _, dropped := b.told(); len(dropped) != 2 || dropped[5] != "replaced" || dropped[4] != "replaced" {
			t.Errorf("dropped: %v", dropped)
		}
		b.desk.works <- wire.Work{Number: 3}
		if first, second := p.request(), p.request(); first != 6 || second != 8 {
			t.Errorf("%d, then %d", first, second)
		}
		time.Sleep(time.Second)
		p.nothing()
	})
}

// Nothing is pushed while tasks are stopped, also when the manager says it without any work; the queue stays, wakes go
// on.
func TestNoTaskLeavesWhileTasksAreStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.ThrottlePerSecond = 1 })
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		var pushes []wire.Push
		for n := range 5 {
			pushes = append(pushes, task(uint64(n+1), m.id))
		}
		b.desk.works <- wire.Work{Number: 1, Pushes: pushes}
		p.request()
		b.desk.works <- wire.Work{Number: 1, Stopped: true}
		synctest.Wait()
		b.desk.works <- wire.Work{Number: 2, Wakes: uuids(m), Stopped: true}
		p.expect(wire.Wake)
		time.Sleep(10 * time.Minute)
		p.nothing()
		b.desk.mu.Lock()
		if last := b.desk.asks[len(b.desk.asks)-1]; !last.Stopped {
			t.Error("the manager is not told that the server has stopped tasks")
		}
		b.desk.mu.Unlock()
		if n := b.metric("pushes_waiting", ""); n != 4 {
			t.Errorf("%v tasks wait", n)
		}
		b.desk.works <- wire.Work{Number: 2}
		for n := range uint64(4) {
			if got := p.request(); got != n+2 {
				t.Errorf("push %d came", got)
			}
		}
	})
}

// A stop that follows a resumption is obeyed at once, too, though the manager has no work with it.
func TestAStopIsLearnedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		time.Sleep(time.Minute)
		for n := range 5 {
			b.desk.works <- wire.Work{Stopped: n%2 == 0}
			synctest.Wait()
			if b.queue.stopped.Load() != (n%2 == 0) {
				t.Fatalf("change %d is not learned", n)
			}
		}
	})
}

// slow signs in and reads nothing more.
func (b *bed) slow(m member) *tls.Conn {
	b.t.Helper()
	c := tlsClient(b, m)
	b.t.Cleanup(func() { c.NetConn().Close() })
	_, err := c.Write(wire.AppendFrame(nil, wire.SignIn, hello(m, 1)))
	check(b.t, err)
	_, _, err = wire.ReadFrame(c, wire.MaxFrame)
	check(b.t, err)
	return c
}

// A task that a slow connection did not write stays in the queue when tasks are stopped. The one that is being written
// takes no second, or its connection ends.
func TestAStopTakesBackWhatWasNotWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		c := b.slow(m)
		b.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{task(1, m.id), task(2, m.id), task(3, m.id)}}
		time.Sleep(time.Second)
		b.desk.works <- wire.Work{Number: 1, Stopped: true}
		time.Sleep(time.Second)
		b.is(m, false, "closed")
		if kind, _, err := wire.ReadFrame(c, wire.MaxFrame); err == nil {
			t.Errorf("a frame of type %d leaves a second after the stop", kind)
		}
		if _, dropped := b.told(); len(dropped) != 1 || dropped[1] != "unwritten" {
			t.Errorf("dropped: %v", dropped)
		}
		p := b.online(m, 2)
		time.Sleep(time.Minute)
		p.nothing()
		b.desk.works <- wire.Work{Number: 1}
		if first, second := p.request(), p.request(); first != 2 || second != 3 {
			t.Errorf("%d, then %d", first, second)
		}
	})
}

// A task that waits for a slow reader does not leave when its time is over, and nothing of it is left for the machine
// that takes the session.
func TestATaskThatWaitsForASlowReaderExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		c := b.slow(m)
		short := task(2, m.id)
		short.NotAfter = time.Now().Add(2 * time.Second)
		b.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{task(1, m.id), short, task(3, m.id)}}
		time.Sleep(5 * time.Second)
		for _, want := range []uint64{1, 3} {
			_, payload, err := wire.ReadFrame(c, wire.MaxFrame)
			check(t, err)
			if n, _, _ := wire.SplitPush(payload); n != want {
				t.Errorf("push %d came", n)
			}
		}
		b.desk.works <- wire.Work{Number: 2, Pushes: []wire.Push{task(4, m.id), task(5, m.id)}}
		time.Sleep(time.Second)
		p := b.online(m, 2)
		time.Sleep(15 * time.Second)
		p.nothing()
		_, dropped := b.told()
		if len(dropped) != 3 || dropped[2] != "expired" || dropped[4] != "unwritten" || dropped[5] != "unwritten" {
			t.Errorf("dropped: %v", dropped)
		}
	})
}

// signedAt is a signed time.
func signedAt(at time.Time) wire.SignedTime {
	return wire.SignTime(strings.Repeat("ab", 32), ed25519.NewKeyFromSeed(make([]byte, 32)), uuid.New(), at)
}

// This machine's clock ends no task and prolongs none once the manager told its time.
func TestI30TheSitesClockEndsATask(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 87_600 * time.Hour, "behind": -87_600 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, newSite(t), true, func(_ *Config, d *Deps) {
					d.Clock = func() time.Time { return time.Now().Add(off) }
				})
				m := b.site.enroll(t, "")
				p := b.online(m, 1)
				b.desk.works <- wire.Work{Number: 1, Time: signedAt(time.Now()).Encode()}
				time.Sleep(10 * time.Minute) // it goes on from there
				p.send(wire.KeepAlive, nil)
				p.expect(wire.KeepAliveAck)
				over := task(1, m.id)
				over.NotAfter = time.Now().Add(-time.Second)
				b.desk.works <- wire.Work{Number: 2, Pushes: []wire.Push{over, task(2, m.id)}}
				if n := p.request(); n != 2 {
					t.Errorf("push %d came", n)
				}
			})
		})
	}
}

// counted counts the bytes of a connection.
type counted struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c counted) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// The signed time comes with confirmations and answers to keep-alives once there is one, and a keep-alive stays small.
func TestClientsAreToldTheSignedTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.connect(m)
		if got := p.signIn(1); got.SignedTime != "" {
			t.Errorf("a confirmation with time %q", got.SignedTime)
		}
		p.send(wire.KeepAlive, nil)
		if len(p.expect(wire.KeepAliveAck)) > 0 {
			t.Error("a time before there is one")
		}
		at := signedAt(time.Now())
		b.desk.works <- wire.Work{Number: 1, Time: at.Encode()}
		b.desk.works <- wire.Work{Number: 2, Full: true}           // as before
		b.desk.works <- wire.Work{Number: 3, Time: []byte("none")} // none
		synctest.Wait()
		var bytes atomic.Int64
		c := tls.Client(counted{b.dial(), &bytes}, clientTLS(m))
		check(t, c.Handshake())
		defer c.NetConn().Close()
		_, err := c.Write(wire.AppendFrame(nil, wire.SignIn, hello(m, 2)))
		check(t, err)
		_, payload, err := wire.ReadFrame(c, wire.MaxFrame)
		check(t, err)
		confirm, err := wire.DecodeSignInConfirm(payload)
		check(t, err)
		if got, ok := wire.ParseSignedTime(confirm.SignedTime); !ok || got != at {
			t.Errorf("the confirmation says %q", confirm.SignedTime)
		}
		bytes.Store(0)
		_, err = c.Write(wire.AppendFrame(nil, wire.KeepAlive, nil))
		check(t, err)
		_, payload, err = wire.ReadFrame(c, wire.MaxFrame)
		check(t, err)
		if got, ok := wire.DecodeSignedTime(payload); !ok || got != at {
			t.Errorf("the answer says %x", payload)
		}
		if n := bytes.Load(); n > 140 {
			t.Errorf("a keep-alive and its answer take %d bytes", n)
		}
	})
}

// By HTTP a task is the answer at once; it comes again with each request until the client says that it has it, three
// times in all, and is told once. A sign-in begins anew.
func TestATaskByHTTPComesUntilItIsHad(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		h.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{task(5, m.id)}}
		time.Sleep(time.Second)
		began := time.Now()
		first := h.says(n, nil, wire.Request)
		if again := h.says(n, nil, wire.Request); string(again) != string(first) || time.Since(began) > 0 {
			t.Errorf("then %q comes after %v", again, time.Since(began))
		}
		h.ack = 5
		h.says(n, nil, 0)
		h.desk.works <- wire.Work{Number: 2, Pushes: []wire.Push{task(6, m.id)}}
		time.Sleep(1500 * time.Millisecond)
		for range sentAtMost {
			h.says(n, nil, wire.Request)
		}
		h.says(n, nil, 0)
		h.desk.works <- wire.Work{Number: 3, Pushes: []wire.Push{task(7, m.id)}}
		time.Sleep(1500 * time.Millisecond)
		h.says(n, nil, wire.Request)
		h.desk.works <- wire.Work{Number: 3, Stopped: true}
		time.Sleep(1500 * time.Millisecond)
		h.says(n, nil, 0) // not while tasks are stopped
		n = h.signIn(m, n+1)
		h.desk.works <- wire.Work{Number: 3}
		time.Sleep(1500 * time.Millisecond)
		h.says(n, nil, 0)
		results, dropped := h.told()
		if len(results) != 3 || len(dropped) > 0 {
			t.Errorf("told %d pushes and %v", len(results), dropped)
		}
	})
}

// What no request fetched is handed back when the session ends, and stays in the queue when tasks are stopped.
func TestATaskThatNoRequestFetchedIsHandedBack(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		h.desk.works <- wire.Work{Number: 1, Pushes: []wire.Push{task(5, m.id)}}
		time.Sleep(1500 * time.Millisecond)
		h.desk.works <- wire.Work{Number: 1, Stopped: true}
		time.Sleep(1500 * time.Millisecond)
		h.says(n, nil, 0)
		if h.metric("pushes_waiting", "") != 1 {
			t.Error("the task is not in the queue")
		}
		h.desk.works <- wire.Work{Number: 1}
		time.Sleep(10 * time.Second)
		if results, _ := h.told(); len(results) > 0 {
			t.Error("a task counts as pushed that no answer carried")
		}
		time.Sleep(time.Minute)
		h.is(m, false, "closed")
		if _, dropped := h.told(); dropped[5] != "unwritten" {
			t.Errorf("dropped: %v", dropped)
		}
	})
}

// A request that would say nothing tells a time that the client does not know yet, once.
func TestARequestTellsANewTime(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		h.says(n, nil, 0)
		at := signedAt(time.Now())
		h.desk.works <- wire.Work{Number: 1, Time: at.Encode()}
		time.Sleep(1500 * time.Millisecond)
		if got, ok := wire.DecodeSignedTime(h.says(n, nil, wire.KeepAliveAck)); !ok || got != at {
			t.Errorf("%v", got)
		}
		h.says(n, nil, 0)
	})
}

// Drops and steps are told until the manager has them.
func TestWhatTheManagerIsNotToldIsToldAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		b.desk.setAway(errAway)
		b.queue.add([]wire.Push{task(1, m.id), task(2, uuid.New())})
		p.request()
		time.Sleep(time.Minute)
		b.desk.setAway(nil)
		time.Sleep(time.Minute)
		if results, dropped := b.told(); len(results) != 1 || len(dropped) != 1 {
			t.Errorf("told %v and %v", results, dropped)
		}
	})
}

// A client that sleeps does not keep a server from stopping for longer than it has to read its good-bye.
func TestAStopDoesNotWaitForClientsThatSleep(t *testing.T) {
	t.Parallel()
	b := start(t, newSite(t), false)
	b.slow(b.site.enroll(t, "")) // its system takes what is written, and nobody hangs up
	began := time.Now()
	b.stop()
	if took := time.Since(began); took >= writeWithin {
		t.Errorf("it took %v", took)
	}
}

// A client that comes by HTTP and asks for nothing is sent so much and no more; what is taken back it always learns.
func TestAMailboxTakesCancellationsWhenItIsFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		box, client := newMailbox(b.Server), uuid.New()
		one := task(1, client)
		one.Envelope = make([]byte, 30<<10)
		n := 0
		for ; box.push(&push{one, wire.Request}); n++ {
		}
		if n != maxUnsent/len(one.Envelope) {
			t.Errorf("%d tasks wait", n)
		}
		if !box.push(&push{one, wire.Cancel}) {
			t.Error("a cancellation finds no room")
		}
		if box.end(nil); box.push(&push{one, wire.Cancel}) {
			t.Error("a mailbox that ended takes a cancellation")
		}
	})
}

package notifier

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"statewire/notifier/wire"
)

// recorder is a link of many clients that notes when they were woken.
type recorder struct {
	mu sync.Mutex
	at []time.Time
}

func (r *recorder) send([]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Now())
	return true
}

func (r *recorder) push(*push) bool { return r.send(nil) }

func (r *recorder) recall() {}

func (r *recorder) end([]byte) {}

// since are the times from the n-th on.
func (r *recorder) since(n int) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.at[n:])
}

func (r *recorder) count() int { return len(r.since(0)) }

// manyOnline makes clients that are online and note wakes.
func (b *bed) manyOnline(n int, at *recorder) (ids []uuid.UUID) {
	caller := b.site.caller(b.t, b.site.enrollOnce(b.t))
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	for i := range n {
		id := uuid.UUID{1, byte(i >> 16), byte(i >> 8), byte(i)}
		s := &session{link: at, caller: caller}
		s.caller.Client = id
		s.hear(b.steady.now())
		b.hub.clients[id] = &client{live: s, row: wire.Row{Client: id, Online: true}}
		b.hub.count(wire.TCP, 1)
		ids = append(ids, id)
	}
	return ids
}

// Any w seconds hold at most 42 × w + 42 wakes, also across a restart and while the throttle is changed, and the
// throttle is used.
func TestI25NoTimeHoldsMoreWakesThanTheThrottle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		site := newSite(t)
		at := &recorder{}
		b := start(t, site, true)
		time.Sleep(10 * time.Minute) // something could have been saved up
		ids := b.manyOnline(2000, at)
		b.desk.works <- wire.Work{Number: 1, Wakes: ids}
		time.Sleep(20 * time.Second)
		if rate := float64(at.count()-42) / 20; rate < 42*.95 || rate > 42*1.05 {
			t.Errorf("%v a second", rate)
		}
		b.stop()
		b = start(t, site, true)
		ids = b.manyOnline(2000, at)
		b.desk.works <- wire.Work{Number: 1, Wakes: ids}
		time.Sleep(20 * time.Second)
		b.stop()
		holds(t, at.since(0), 42)
	})
}

func TestTheThrottleChangesWhileWakesWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		at := &recorder{}
		b.desk.works <- wire.Work{Number: 1, Wakes: b.manyOnline(5000, at)}
		time.Sleep(10 * time.Second)
		cfg := DefaultConfig()
		cfg.ThrottlePerSecond = 10
		check(t, b.Configure(cfg))
		from := at.count()
		time.Sleep(60 * time.Second)
		if rate := float64(at.count()-from) / 60; rate < 9.5 || rate > 10.5 {
			t.Errorf("%v a second", rate)
		}
		holds(t, at.since(from), 10)
		b.queue.mu.Lock()
		b.queue.wakes = b.queue.wakes[:1]
		clear(b.queue.queued)
		b.queue.mu.Unlock()
		time.Sleep(10 * time.Minute) // something is saved up, but no more than the throttle
		from = at.count()
		ids := b.manyOnline(5000, at)
		b.desk.works <- wire.Work{Number: 2, Wakes: ids}
		time.Sleep(10 * time.Second)
		holds(t, at.since(from), 10)
		cfg.ThrottlePerSecond = 100
		check(t, b.Configure(cfg))
		from = at.count()
		time.Sleep(10 * time.Second)
		if rate := float64(at.count()-from) / 10; rate < 95 || rate > 105 {
			t.Errorf("then %v a second", rate)
		}
		cfg.ThrottlePerSecond = 0
		if b.Configure(cfg) == nil {
			t.Error("a throttle of 0 is taken")
		}
	})
}

// holds checks every window of a sequence.
func holds(t *testing.T, at []time.Time, throttle int) {
	t.Helper()
	for i := range at {
		for j := i; j < len(at); j++ {
			w := at[j].Sub(at[i]).Seconds()
			if n := j - i + 1; float64(n) > float64(throttle)*w+float64(throttle)+1e-6 {
				t.Fatalf("%d wakes in %v seconds", n, w)
			}
		}
	}
}

// A client waits for one wake at most, however often it is to be woken, and those who are offline use up nothing.
func TestAClientWaitsForOneWake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.ThrottlePerSecond = 1 })
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		var nobody []uuid.UUID
		for i := range 1000 {
			nobody = append(nobody, uuid.UUID{9, byte(i >> 8), byte(i)})
		}
		b.desk.works <- wire.Work{Number: 1, Wakes: nobody}
		b.desk.works <- wire.Work{Number: 2, Wakes: uuids(m, m)}
		time.Sleep(time.Millisecond)
		b.queue.wake(uuids(m)) // as at a sign-in
		p.expect(wire.Wake)
		time.Sleep(10 * time.Second)
		p.nothing()
		if b.metric("wakes_total", "sent") != 1 || b.metric("wakes_total", "kept") != 1000 ||
			b.metric("wakes_waiting", "") != 0 {
			t.Error("the wakes are counted wrong")
		}
	})
}

// A wake that did not reach its client, or may not have, comes when it signs in.
func TestAWakeWaitsForItsClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		b.desk.works <- wire.Work{Number: 1, Wakes: uuids(m)}
		time.Sleep(time.Second)
		p := b.online(m, 1)
		p.expect(wire.Wake)
		p.raw.Close() // nobody knows whether it has read
		time.Sleep(time.Second)
		p = b.online(m, 2)
		p.expect(wire.Wake)
		time.Sleep(time.Minute)
		p.send(wire.KeepAlive, nil)
		p.expect(wire.KeepAliveAck)
		p.raw.Close()
		time.Sleep(time.Second)
		p = b.online(m, 3)
		time.Sleep(10 * time.Second)
		p.nothing()
	})
}

// A client that comes back before the server knows that its connection is dead may not have got its wake: it comes
// again. One that was heard since has got it.
func TestAWakeOfAReplacedSessionComesAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		time.Sleep(time.Second)
		b.desk.works <- wire.Work{Number: 1, Wakes: uuids(m)}
		p.expect(wire.Wake)
		p = b.online(m, 2)
		p.expect(wire.Wake)
		time.Sleep(time.Second)
		p.send(wire.KeepAlive, nil)
		p.expect(wire.KeepAliveAck)
		p = b.online(m, 3)
		time.Sleep(10 * time.Second)
		p.nothing()
	})
}

// The order in which clients are woken is that of the work.
func TestWakesKeepTheirOrder(t *testing.T) {
	w := newQueue(1000, &Server{metrics: newMetrics(nil)})
	ids := []uuid.UUID{{1}, {2}, {3}}
	w.wake(ids)
	w.wake([]uuid.UUID{{2}, {4}})
	if want := append(ids, uuid.UUID{4}); !slices.Equal(w.wakes, want) {
		t.Errorf("%v", w.wakes)
	}
	if w.limiter.Limit() != rate.Limit(1000) || w.limiter.Tokens() > 100 {
		t.Error("something is saved up at the start")
	}
}

// Work is got when it comes, and its wakes once they are handed out: a server that stops before is given them again
// when it starts. A question that waits does not keep the manager from learning it, and the next work comes meanwhile.
func TestWakesAreHandedOutBeforeTheyCountAsDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.ThrottlePerSecond = 1 })
		said := func(got, woken uint64) {
			t.Helper()
			b.desk.mu.Lock()
			defer b.desk.mu.Unlock()
			if ask := b.desk.asks[len(b.desk.asks)-1]; ask.Got != got || ask.Woken != woken {
				t.Errorf("got %d and woken %d, not %d and %d", ask.Got, ask.Woken, got, woken)
			}
		}
		var members []member
		for range 5 {
			m := b.site.enroll(t, "")
			b.online(m, 1)
			members = append(members, m)
		}
		b.desk.works <- wire.Work{Number: 1, Wakes: uuids(members[:3]...)}
		time.Sleep(2500 * time.Millisecond)
		said(1, 0)
		b.desk.works <- wire.Work{Number: 2, Wakes: uuids(members...)}
		b.desk.works <- wire.Work{Number: 3, Full: true}
		time.Sleep(time.Second)
		said(3, 0)
		time.Sleep(5 * time.Second)
		said(3, 3)
	})
}

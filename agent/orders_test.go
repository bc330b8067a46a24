package agent

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/topics"
	"statewire/smx/policy"
)

// Other intervals take effect at once, neither put off what is due nor undercut what a relay asked for, and leave the
// policy's alone.
func TestIntervalsChangeWhileTheClientRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		defer run(t, a)()
		time.Sleep(time.Hour)
		polls := func(d time.Duration) int {
			before := relay.Counted(func() int { return len(relay.PollTimes) })
			time.Sleep(d)
			synctest.Wait()
			return relay.Counted(func() int { return len(relay.PollTimes) }) - before
		}
		a.Configure(Config{SendInterval: time.Minute, PolicyInterval: 10 * time.Minute})
		raise(t, a, detected("a", 1))
		if n := polls(2 * time.Minute); n > 0 || len(relay.Times) != 1 {
			t.Errorf("two minutes later %d polls and %d reports, want none and one", n, len(relay.Times))
		}
		if n := polls(10 * time.Hour); n < 59 || n > 67 {
			t.Errorf("%d polls in ten hours of ten minutes", n)
		}
		for range 600 { // the same again and again: it puts nothing off
			a.Configure(Config{SendInterval: time.Minute, PolicyInterval: 10 * time.Minute})
			time.Sleep(time.Minute)
		}
		if n := polls(0); n < 0 || len(relay.PollTimes) < 2*59 {
			t.Errorf("%d polls in twenty hours", len(relay.PollTimes))
		}
		want(relay, policy.Document{PolicyInterval: time.Hour, SendInterval: time.Hour})
		polls(time.Hour)
		a.Configure(Config{SendInterval: time.Second, PolicyInterval: time.Second})
		if n := polls(10 * time.Hour); n > 12 || a.SendInterval() != time.Hour {
			t.Errorf("%d polls in ten hours although the policy says one an hour", n)
		}
	})
}

// A relay that asked to be left alone is, whatever the intervals become meanwhile.
func TestOtherIntervalsUndercutNoRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		relay.Fault = func(int) *transport.Answer {
			return &transport.Answer{Outcome: transport.Again, Status: 503, After: 30 * time.Minute}
		}
		relay.PollFault = func(int) *transport.PolicyAnswer {
			return &transport.PolicyAnswer{Outcome: transport.Again, Status: 503, After: 30 * time.Minute}
		}
		defer run(t, a)()
		raise(t, a, detected("a", 1))
		time.Sleep(10*time.Minute + time.Second)
		a.SendNow()
		synctest.Wait()
		sent, polled := relay.Counted(func() int { return len(relay.Times) }), len(relay.PollTimes)
		a.Configure(Config{SendInterval: time.Second, PolicyInterval: time.Second})
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if len(relay.Times) != sent || len(relay.PollTimes) != polled || sent == 0 || polled == 0 {
			t.Errorf("%d reports and %d polls went to a relay that asked to be left alone; before it were %d and %d",
				len(relay.Times)-sent, len(relay.PollTimes)-polled, sent, polled)
		}
	})
}

func TestANewSendIntervalCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		a.own.send = 24 * time.Hour
		want(relay, policy.Document{SendInterval: time.Minute})
		defer run(t, a)()
		time.Sleep(20 * time.Minute) // sent and polled once
		raise(t, a, detected("a", 1))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(relay.Times) != 1 {
			t.Errorf("%d reports two minutes after a state was raised, want 1", len(relay.Times))
		}
	})
}

func TestPausedAndSlowedTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, memory, relay := testAgent(t, 0)
		want(relay, policy.Document{Topics: []policy.Topic{{Type: 300, Interval: 2 * time.Hour}, {Type: 500, Paused: true}}})
		defer run(t, a)()
		time.Sleep(15 * time.Minute)
		for i := range 4 * 10 { // ten hours
			slowed, paused, usual := detected("s", uint32(i)), detected("p", uint32(i)), detected("u", uint32(i))
			slowed.TopicType, usual.TopicType = 300, 400
			raise(t, a, slowed, paused, usual)
			time.Sleep(15 * time.Minute)
		}
		synctest.Wait()
		came := func(topicType uint32) int { return relay.Counted(func() int { return relay.Topics[topicType] }) }
		if n := came(300); n < 5 || n > 6 {
			t.Errorf("the slowed topic came %d times in ten hours, want every two hours", n)
		}
		if came(500) != 0 || came(400) < 35 {
			t.Errorf("the paused topic came %d times, the usual one %d times", came(500), came(400))
		}
		want(relay, policy.Document{})
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		client := relay.Clients[testIdentity.Client]
		if got := client.State(500, "p"); got.StateID != 39 || relay.Topics[500] != 1 {
			t.Errorf("after the pause the site has %+v, from %d messages", got, relay.Topics[500])
		}
		if missing := client.Missing(1); missing != nil || waiting(t, memory) != 0 {
			t.Errorf("missing %v, %d waiting", missing, waiting(t, memory))
		}
	})
}

// TestARestartRemembersSlowedTopics: an agent that is started again and again sends a slowed topic no more often than
// the site wants.
func TestARestartRemembersSlowedTopics(t *testing.T) {
	relay, memory := agenttest.NewSite(t), cache.NewMemory(0)
	memory.KeepSent(100)
	wall := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	start := func() *Agent {
		t.Helper()
		began := wall
		a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: memory, Relay: relay, Log: quiet,
			Clock: Clock{Wall: func() time.Time { return wall }, Steady: func() time.Duration { return wall.Sub(began) }}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := start()
	want(relay, policy.Document{Topics: []policy.Topic{{Type: topics.UpdateDetection, Interval: 6 * time.Hour}}})
	poll(t, a, PolicyAdopted)
	raise(t, a, detected("a", 1))
	send(t, a, transport.Accepted)
	step := func(after time.Duration, outcome transport.Outcome) {
		t.Helper()
		wall = wall.Add(after)
		raise(t, a, detected("a", 2))
		a = start()
		send(t, a, outcome)
	}
	step(time.Hour, transport.Idle)
	step(4*time.Hour, transport.Idle)
	step(time.Hour, transport.Accepted)              // it was off in between
	step(-365*24*time.Hour, transport.Accepted)      // sent in the future, by a clock that was wrong
	step(2*365*24*time.Hour, transport.Accepted)     // that one was far back
	step(5*time.Hour+59*time.Minute, transport.Idle) // and now it is right
	wall = wall.Add(time.Minute)
	send(t, a, transport.Accepted)
}

// TestTheWallClockDecidesNothing lets the wall clock jump by years, to and fro, while the client works for a week.
func TestTheWallClockDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay, memory, off := agenttest.NewSite(t), cache.NewMemory(0), time.Duration(0)
		a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: memory, Relay: relay, Log: quiet,
			Clock: Clock{Wall: func() time.Time { return time.Now().Add(off) }}})
		if err != nil {
			t.Fatal(err)
		}
		want(relay, policy.Document{Topics: []policy.Topic{{Type: 300, Interval: 6 * time.Hour}}})
		stop, began := run(t, a), time.Now()
		const decade = 10 * 365 * 24 * time.Hour
		for hour := range 7 * 24 {
			synctest.Wait()
			off = []time.Duration{0, decade, -decade, 0, 17 * time.Hour}[hour%5]
			slowed, usual := detected("s", uint32(hour)), detected(fmt.Sprint("u", hour%9), uint32(hour))
			slowed.TopicType = 300
			slowed.Time, usual.Time = time.Now().Add(off), time.Now().Add(off)
			raise(t, a, slowed, usual)
			if status, err := a.Status(); err != nil || status.OldestUnsent > 8*time.Hour {
				t.Fatalf("hour %d: %+v, %v", hour, status, err)
			}
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		time.Sleep(7 * time.Hour)
		synctest.Wait()
		stop()
		if n := len(relay.PollTimes); n < 7*24 || n > 8*24+8 {
			t.Errorf("%d polls in a week", n)
		}
		if n := relay.Topics[300]; n < 27 || n > 31 {
			t.Errorf("the slowed topic came %d times, want every six hours", n)
		}
		for i, at := range relay.Times[1:] {
			if wait := at.Sub(relay.Times[i]); wait > 80*time.Minute && at.Before(began.Add(7*24*time.Hour)) {
				t.Errorf("%v between two reports, of states raised every hour", wait)
			}
		}
		if missing := relay.Clients[testIdentity.Client].Missing(1); missing != nil || waiting(t, memory) != 0 {
			t.Errorf("missing %v, %d waiting", missing, waiting(t, memory))
		}
	})
}

// TestAnotherPolicyRemembersSlowedTopics: what was sent of a slowed topic counts on when some other setting changes.
func TestAnotherPolicyRemembersSlowedTopics(t *testing.T) {
	relay, wall := agenttest.NewSite(t), time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	began := wall
	a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: cache.NewMemory(0), Relay: relay, Log: quiet,
		Clock: Clock{Wall: func() time.Time { return wall }, Steady: func() time.Duration { return wall.Sub(began) }}})
	if err != nil {
		t.Fatal(err)
	}
	slowed := []policy.Topic{{Type: topics.UpdateDetection, Interval: 6 * time.Hour}}
	want(relay, policy.Document{Topics: slowed})
	poll(t, a, PolicyAdopted)
	raise(t, a, detected("a", 1))
	send(t, a, transport.Accepted)
	wall = wall.Add(time.Hour)
	want(relay, policy.Document{Topics: slowed, SendInterval: 20 * time.Minute})
	poll(t, a, PolicyAdopted)
	raise(t, a, detected("a", 2))
	send(t, a, transport.Idle)
	wall = wall.Add(5 * time.Hour)
	send(t, a, transport.Accepted)
}

// TestAPollThatSucceedsEndsTheGrowingWait: the wait after the next failure is the first one again.
func TestAPollThatSucceedsEndsTheGrowingWait(t *testing.T) {
	a, _, relay := testAgent(t, 0)
	relay.PollFault = func(int) *transport.PolicyAnswer { return &transport.PolicyAnswer{Outcome: transport.Again} }
	first := Pause(0, 0)
	for range 8 {
		if got := poll(t, a, PolicyAgain); got.Wait == 0 {
			t.Fatal("it asks again at once")
		}
	}
	if long := poll(t, a, PolicyAgain).Wait; long < 4*first {
		t.Fatalf("after nine failures it waits %v", long)
	}
	relay.PollFault = nil
	poll(t, a, PolicyAdopted)
	relay.PollFault = func(int) *transport.PolicyAnswer { return &transport.PolicyAnswer{Outcome: transport.Again} }
	if again := poll(t, a, PolicyAgain).Wait; again >= 4*time.Second {
		t.Errorf("after one failure it waits %v", again)
	}
}

package agent

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
	"statewire/smx/policy"
)

func poll(t *testing.T, a *Agent, want PolicyOutcome) PollOutcome {
	t.Helper()
	got, err := a.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != want {
		t.Fatalf("outcome is %d (%v), want %d", got.Outcome, got.Err, want)
	}
	return got
}

func want(relay *agenttest.Site, p policy.Document) {
	p.Client = testIdentity.Client
	relay.Mu.Lock()
	defer relay.Mu.Unlock()
	relay.Document = policy.Encode(p)
}

func drainAll(t *testing.T, a *Agent) (reports []*cache.Report) {
	t.Helper()
	for {
		attempt, err := a.Send(t.Context())
		if err != nil || attempt.Outcome == transport.Again {
			t.Fatalf("%+v, %v", attempt.Answer, err)
		}
		if attempt.Outcome == transport.Idle {
			return reports
		}
		reports = append(reports, attempt.Report)
	}
}

func TestAPolicyIsAdoptedOnceAndOutlivesARestart(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		relay := agenttest.NewSite(t)
		a := agentOn(t, s, relay)
		poll(t, a, PolicyAdopted) // one that wants nothing
		poll(t, a, PolicyUnchanged)
		if a.SendInterval() != 15*time.Minute || a.PolicyInterval() != time.Hour {
			t.Error("an empty policy changed the intervals")
		}
		want(relay, policy.Document{
			SendInterval: time.Minute, PolicyInterval: 2 * time.Hour, Notifier: "push.example:10123",
			Topics: []policy.Topic{{Type: 500, Paused: true}, {Type: 300, Interval: time.Hour}},
		})
		poll(t, a, PolicyAdopted)
		for range 2 {
			status, err := a.Status()
			if err != nil || status.SendInterval != time.Minute || status.PolicyInterval != 2*time.Hour || status.Notifier != "push.example:10123" ||
				fmt.Sprint(status.PausedTopics, status.SlowedTopics) != "[500] [300]" {
				t.Errorf("status %+v, %v", status, err)
			}
			s.reopen()
			a = agentOn(t, s, relay)
		}
	})
}

func TestAKeptPolicyThatIsNotUnderstoodIsAskedForAnew(t *testing.T) {
	memory, relay := cache.NewMemory(0), agenttest.NewSite(t)
	want(relay, policy.Document{SendInterval: time.Minute})
	poll(t, agentOn(t, memory, relay), PolicyAdopted)
	kept, _ := memory.Policy()
	kept.Document = []byte(`<Policy Version="99"/>`)
	if _, err := memory.Adopt(kept, nil); err != nil {
		t.Fatal(err)
	}
	a := agentOn(t, memory, relay)
	poll(t, a, PolicyAdopted)
	if a.SendInterval() != time.Minute {
		t.Error("the policy is not in force")
	}
	poll(t, a, PolicyUnchanged)
}

func TestAPolicyForSomebodyElseIsDeclined(t *testing.T) {
	for name, document := range map[string]string{
		"another client's":  string(policy.Encode(policy.Document{Client: smx.ClientID{9}, SendInterval: time.Second})),
		"no policy":         "<html>log in</html>",
		"relay without TLS": string(policy.Encode(policy.Document{Client: testIdentity.Client, Relay: "http://relay.example"})),
	} {
		t.Run(name, func(t *testing.T) {
			a, memory, relay := testAgent(t, 0)
			want(relay, policy.Document{SendInterval: time.Minute})
			poll(t, a, PolicyAdopted)
			before, _ := memory.Policy()
			relay.Document = []byte(document)
			if got := poll(t, a, PolicyDeclined); got.Err == nil || got.Wait < 54*time.Minute {
				t.Errorf("declined with %v, next in %v", got.Err, got.Wait)
			}
			if after, _ := memory.Policy(); after.ETag != before.ETag || a.SendInterval() != time.Minute {
				t.Error("the policy in force changed")
			}
		})
	}
}

func TestAResyncIsAnsweredOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		relay := agenttest.NewSite(t)
		a := agentOn(t, s, relay)
		raise(t, a, detected("a", 1), detected("b", 1), detected("c", 1))
		drainAll(t, a)
		want(relay, policy.Document{Resync: &policy.Resync{Number: 4, NextSerial: 50, Issued: testTime, Reason: "missing"}})
		if got := poll(t, a, PolicyAdopted); !got.Resync {
			t.Fatal("no resync began")
		}
		s.reopen()
		a = agentOn(t, s, relay)
		raise(t, a, detected("b", 2))
		reports := drainAll(t, a)
		if len(reports) != 1 || texts(reports[0])[:19] != "50:a=1 51:c=1 52:b=" || reports[0].States[3].Params[0] != "50" {
			t.Fatalf("answered with %d reports, the first %s", len(reports), texts(reports[0]))
		}
		if body := string(reports[0].Body); !strings.Contains(body, "<Priority>8</Priority>") || !strings.Contains(body, `Topic ID="`+testIdentity.Client.String()+`" Type="700"`) {
			t.Errorf("the answer is\n%s", body)
		}
		poll(t, a, PolicyUnchanged)
		want(relay, policy.Document{SendInterval: time.Minute, Resync: &policy.Resync{Number: 4, NextSerial: 90, Issued: testTime}})
		if got := poll(t, a, PolicyAdopted); got.Resync || len(drainAll(t, a)) != 0 {
			t.Error("a resync was carried out twice")
		}
		client := relay.Clients[testIdentity.Client]
		if got := client.State(TopicUpdateDetection, "b"); got.StateID != 2 || got.Serial != 52 || client.Missing(50) != nil {
			t.Errorf("the site has %+v, missing %v", got, client.Missing(50))
		}
		if err := a.Resend(); err != nil {
			t.Fatal(err)
		}
		if reports := drainAll(t, a); len(reports) != 1 || reports[0].First != 54 || reports[0].States[3].Params[0] != "54" {
			t.Errorf("resent %s", texts(reports[0]))
		}
	})
}

func TestTheClaimIsWhatTheSiteShouldHold(t *testing.T) {
	a, _, relay := testAgent(t, 0)
	raise(t, a, detected("a", 1), detected("b", 1))
	poll(t, a, PolicyAdopted)
	drainAll(t, a)
	raise(t, a, detected("odd\uFFFD\r\n\t<", 3))
	drainAll(t, a)
	poll(t, a, PolicyUnchanged)
	digest := uint64(0)
	for _, s := range relay.Clients[testIdentity.Client].States {
		digest = smx.StateDigest(digest, smx.PayloadHash(&smx.Message{Time: s.Time, TopicType: s.TopicType, TopicID: s.TopicID, StateID: s.StateID, Params: s.Params}))
	}
	if got := relay.Polls[0]; got.LastSerial != 0 || got.Unsent != 2 || got.States != 2 || got.Client != testIdentity.Client {
		t.Errorf("first claim %+v", got)
	}
	if got := relay.Polls[1]; got.LastSerial != 3 || got.Unsent != 0 || got.States != 3 || got.Digest != digest {
		t.Errorf("second claim %+v; the site's digest is %d", got, digest)
	}
}

func TestPollCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		defer run(t, a)()
		began := time.Now()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := relay.Counted(func() int { return len(relay.PollTimes) }); n < 24 || n > 28 {
			t.Errorf("%d polls in a day", n)
		}
		want(relay, policy.Document{PolicyInterval: 10 * time.Minute})
		time.Sleep(time.Hour)
		before := relay.Counted(func() int { return len(relay.PollTimes) })
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if n := len(relay.PollTimes) - before; n < 59 || n > 67 {
			t.Errorf("%d polls in ten hours of ten minutes", n)
		}
		if first := relay.PollTimes[0].Sub(began); first >= 10*time.Minute {
			t.Errorf("first poll after %v, want within the startup jitter", first)
		}
	})
}

// Other intervals take effect at once, neither put off what is due nor undercut what a relay asked for, and leave the policy's alone.
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
			t.Errorf("%d reports and %d polls went to a relay that asked to be left alone; before it were %d and %d", len(relay.Times)-sent, len(relay.PollTimes)-polled, sent, polled)
		}
	})
}

func TestAPollThatFailsIsRepeatedWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		relay.PollFault = func(poll int) *transport.PolicyAnswer {
			if poll < 4 {
				return &transport.PolicyAnswer{Outcome: transport.Again, Status: 503, After: 2 * time.Minute}
			}
			return nil
		}
		defer run(t, a)()
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		if len(relay.PollTimes) != 5 {
			t.Fatalf("%d polls, want 5", len(relay.PollTimes))
		}
		for i, at := range relay.PollTimes[1:] {
			if wait := at.Sub(relay.PollTimes[i]); wait < 2*time.Minute || wait > 3*time.Minute {
				t.Errorf("poll %d came after %v; the relay asked for 2 minutes", i+2, wait)
			}
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

// TestARestartRemembersSlowedTopics: an agent that is started again and again sends a slowed topic no more often than the site wants.
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
	want(relay, policy.Document{Topics: []policy.Topic{{Type: TopicUpdateDetection, Interval: 6 * time.Hour}}})
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

func TestPoisonIsSetAsideAndAResyncConverges(t *testing.T) {
	for _, guilty := range []int{1, 2, 3} {
		a, memory, relay := testAgent(t, 0)
		relay.Poison = func(body string) bool { return strings.Contains(body, "poison") }
		for i := range 20 {
			id := fmt.Sprint("sound", i)
			if i%7 < guilty && i < 15 && i%7 > 0 {
				id = fmt.Sprint("poison", i)
			}
			raise(t, a, detected(id, 1))
		}
		drainAll(t, a)
		dead, err := memory.DeadLetters()
		if err != nil || (len(dead) > 0) != (guilty > 1) {
			t.Fatalf("%d dead letters, %v", len(dead), err)
		}
		client := relay.Clients[testIdentity.Client]
		if len(client.States)+len(dead) != 20 {
			t.Errorf("%d states at the site and %d dead letters of 20", len(client.States), len(dead))
		}
		if err := a.Resend(); err != nil {
			t.Fatal(err)
		}
		if reports := drainAll(t, a); len(reports) != 1 {
			t.Errorf("the answer took %d reports: it brought again what was refused", len(reports))
		}
		if missing := client.Missing(21); missing != nil {
			t.Errorf("missing %v of the answer", missing)
		}
	}
}

func TestARelayThatIsNotThereIsNotBlamedOnTheContext(t *testing.T) {
	a, _, _ := testAgent(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Poll(ctx); err != nil {
		t.Fatal(err)
	}
	if status, err := a.Status(); err != nil || status.Attempts > 0 || status.Problem != "" {
		t.Errorf("status %+v, %v: stopping says nothing of the relay", status, err)
	}
}

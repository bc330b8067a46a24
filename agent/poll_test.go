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
	"statewire/internal/topics"
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
			if err != nil || status.SendInterval != time.Minute || status.PolicyInterval != 2*time.Hour ||
				status.Notifier != "push.example:10123" ||
				fmt.Sprint(status.PausedTopics, status.SlowedTopics) != "[500] [300]" {
				t.Errorf("status %+v, %v", status, err)
			}
			s.reopen()
			a = agentOn(t, s, relay)
		}
	})
}

// Whoever is woken asks for the policy at once, unless the relay asked to be left alone.
func TestAPollCanBeHadNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := agenttest.NewSite(t)
		cfg := DefaultConfig()
		cfg.StartupJitter = 24 * time.Hour
		a, err := New(cfg, Deps{Identity: testIdentity, Store: cache.NewMemory(0), Relay: relay, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		if a.Assignment().Known {
			t.Error("before anything the policy is known")
		}
		a.Identified() // it has just enrolled: its poll does not wait for anything
		told := 0
		a.OnPoll(func() { told++ })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		defer func() { stop(); <-ended }()
		after := func(d time.Duration, polls int, what string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if n := relay.Counted(func() int { return len(relay.Polls) }); n != polls || told != polls {
				t.Fatalf("%s: %d polls, %d told; want %d", what, n, told, polls)
			}
		}
		after(time.Second, 1, "at its start")
		if !a.Assignment().Known {
			t.Error("after an answer the policy is not known")
		}
		want(relay, policy.Document{Notifier: ":10200"})
		a.Identified() // renewed: there is nothing to ask
		after(time.Second, 1, "renewed")
		a.PollNow()
		after(0, 2, "woken")
		if got := a.Assignment(); got.Notifier != ":10200" || got.Relay != "" || got.InUse {
			t.Errorf("assigned %+v", got)
		}
		after(50*time.Minute, 2, "the next one waits for its interval from then on")
		relay.PollFault = func(int) *transport.PolicyAnswer {
			return &transport.PolicyAnswer{Outcome: transport.Again, Status: 503, After: 10 * time.Minute}
		}
		a.PollNow()
		after(0, 3, "woken again")
		a.PollNow()
		after(time.Minute, 3, "the relay asked to be left alone")
		relay.Mu.Lock()
		relay.PollFault = nil
		relay.Mu.Unlock()
		after(9*time.Minute, 3, "and still is")
		a.PollNow()
		after(0, 4, "for ten minutes")
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
		"another client's": string(policy.Encode(policy.Document{Client: smx.ClientID{9}, SendInterval: time.Second})),
		"no policy":        "<html>log in</html>",
		"relay without TLS": string(policy.Encode(policy.Document{Client: testIdentity.Client,
			Relay: "http://relay.example"})),
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
		if body := string(reports[0].Body); !strings.Contains(body, "<Priority>8</Priority>") ||
			!strings.Contains(body, `Topic ID="`+testIdentity.Client.String()+`" Type="700"`) {
			t.Errorf("the answer is\n%s", body)
		}
		poll(t, a, PolicyUnchanged)
		want(relay, policy.Document{SendInterval: time.Minute,
			Resync: &policy.Resync{Number: 4, NextSerial: 90, Issued: testTime}})
		if got := poll(t, a, PolicyAdopted); got.Resync || len(drainAll(t, a)) != 0 {
			t.Error("a resync was carried out twice")
		}
		client := relay.Clients[testIdentity.Client]
		if got := client.State(topics.UpdateDetection, "b"); got.StateID != 2 || got.Serial != 52 ||
			client.Missing(50) != nil {
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
		digest = smx.StateDigest(digest, smx.PayloadHash(&smx.Message{Time: s.Time, TopicType: s.TopicType,
			TopicID: s.TopicID, StateID: s.StateID, Params: s.Params}))
	}
	if got := relay.Polls[0]; got.LastSerial != 0 || got.Unsent != 2 || got.States != 2 ||
		got.Client != testIdentity.Client {
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

package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/topics"
	"statewire/smx"
)

const (
	urgentPriority    = 0
	usualPriority     = 5
	latePriority      = 8
	topicScriptResult = 9003
)

var testIdentity = Identity{Client: smx.ClientID{1, 2, 3}, NetBIOSName: "MUC-FIN-L0001",
	ClientVersion: "5.00.9132.1011", CodePage: "1252", LCID: 1031}

func testAgent(t testing.TB, last uint64) (*Agent, *cache.Memory, *agenttest.Site) {
	relay, memory := agenttest.NewSite(t), cache.NewMemory(last)
	return agentOn(t, memory, relay), memory, relay
}

// agentOn is an agent over a store that may have lived before.
func agentOn(t testing.TB, st Store, relay transport.Relay) *Agent {
	a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: st, Relay: relay, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// summary is what the store holds, in numbers.
func summary(t interface{ Fatal(args ...any) }, st Store) cache.Summary {
	sum, err := st.Summary()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func waiting(t interface{ Fatal(args ...any) }, st Store) int { return int(summary(t, st).Unsent) }

func detected(id string, state uint32) cache.State {
	return cache.State{Priority: usualPriority, Message: smx.Message{
		Time: time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC), TopicType: topics.UpdateDetection, TopicID: id,
		TopicIDType: 3, StateID: state, Params: []string{"102"},
	}}
}

func raise(t *testing.T, a *Agent, states ...cache.State) {
	t.Helper()
	for _, s := range states {
		if err := a.Raise(s); err != nil {
			t.Fatal(err)
		}
	}
}

func send(t *testing.T, a *Agent, want transport.Outcome) Attempt {
	t.Helper()
	attempt, err := a.Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if attempt.Outcome != want {
		t.Fatalf("outcome is %d (%+v), want %d", attempt.Outcome, attempt.Answer, want)
	}
	return attempt
}

func TestSupersededStateLeavesNoGap(t *testing.T) {
	a, _, relay := testAgent(t, 7)
	raise(t, a, detected("a", 2), detected("b", 2), detected("a", 3))
	if got := send(t, a, transport.Accepted).Report; got.First != 8 || got.Last != 9 {
		t.Errorf("serials %d to %d, want 8 to 9", got.First, got.Last)
	}
	send(t, a, transport.Idle)
	client := relay.Clients[testIdentity.Client]
	if got := client.State(topics.UpdateDetection, "a"); got.StateID != 3 || got.Serial != 9 {
		t.Errorf("topic a is %+v, want state 3 under serial 9: it was raised last", got)
	}
	if missing := client.Missing(8); missing != nil {
		t.Errorf("missing %v", missing)
	}
}

func TestSameBytesUntilAnswered(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	relay.Fault = func(attempt int) *transport.Answer {
		if attempt < 3 {
			return &transport.Answer{Outcome: transport.Again, Err: errors.New("no route")}
		}
		return nil
	}
	raise(t, a, detected("a", 2))
	first := send(t, a, transport.Again).Report.Body
	raise(t, a, detected("a", 3), detected("b", 2)) // changes meanwhile wait
	for range 2 {
		if again := send(t, a, transport.Again).Report.Body; string(again) != string(first) {
			t.Fatal("the repeat differs")
		}
	}
	if got := send(t, a, transport.Accepted).Report; string(got.Body) != string(first) || got.Last != 1 {
		t.Fatal("the accepted repeat differs")
	}
	if got := send(t, a, transport.Accepted).Report; got.First != 2 || got.Last != 3 {
		t.Errorf("then serials %d to %d, want 2 to 3", got.First, got.Last)
	}
	if memory.LastSerial() != 3 || waiting(t, memory) != 0 {
		t.Errorf("last serial %d, %d waiting; want 3 and none", memory.LastSerial(), waiting(t, memory))
	}
}

func TestReportsHaveOnePriorityUrgentFirst(t *testing.T) {
	a, _, _ := testAgent(t, 0)
	low, none, urgent := detected("low", 1), detected("none", 1), detected("urgent", 1)
	low.Priority, none.Priority, urgent.Priority, urgent.Instant = latePriority, smx.NoPriority, urgentPriority, true
	raise(t, a, low, none, detected("usual", 1), urgent)
	for _, want := range []string{"urgent", "usual", "none", "low"} {
		if got := send(t, a, transport.Accepted).Report.States; len(got) != 1 || got[0].TopicID != want {
			t.Fatalf("report holds %v, want %s", got, want)
		}
	}
	send(t, a, transport.Idle)
}

func TestInstantStatesHaveNoSerialAndAreForgotten(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	script := detected("script", 1)
	script.TopicType, script.Instant = topicScriptResult, true
	raise(t, a, script)
	if got := send(t, a, transport.Accepted).Report; got.Last != 0 || got.States[0].Serial != 0 {
		t.Errorf("instant report has serials up to %d", got.Last)
	}
	if held, err := memory.Held(); len(held) != 0 || memory.LastSerial() != 0 || err != nil {
		t.Errorf("%d states kept, last serial %d, %v; want none", len(held), memory.LastSerial(), err)
	}
	if got := relay.Clients[testIdentity.Client].States; len(got) != 1 {
		t.Errorf("the site has %v", got)
	}
}

func TestBigReportsAreSplit(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	for i := range 6 {
		s := detected(fmt.Sprint("detail", i), 1)
		s.Details = strings.Repeat("x", 900<<10)
		raise(t, a, s)
	}
	for i := range smx.MaxMessages + 10 {
		raise(t, a, detected(fmt.Sprint("many", i), 1))
	}
	for send := 0; ; send++ {
		attempt, err := a.Send(t.Context())
		if err != nil || attempt.Outcome == transport.Refused || send > 100 {
			t.Fatalf("%+v, %v", attempt.Answer, err)
		}
		if attempt.Outcome == transport.Idle {
			break
		}
		if len(attempt.Report.Body) > smx.MaxReportBytes-64<<10 || len(attempt.Report.States) > smx.MaxMessages {
			t.Errorf("report of %d bytes, %d states", len(attempt.Report.Body), len(attempt.Report.States))
		}
	}
	client := relay.Clients[testIdentity.Client]
	if len(client.Came) != smx.MaxMessages+16 || client.Missing(1) != nil ||
		memory.LastSerial() != uint64(len(client.Came)) {
		t.Errorf("%d serials came, missing %v", len(client.Came), client.Missing(1))
	}
}

func TestRaiseRefusesWhatNoRelayTakes(t *testing.T) {
	long := strings.Repeat("x", smx.MaxDetailsBytes+1)
	for _, c := range []struct {
		name string
		edit func(*cache.State)
	}{
		{"no time", func(s *cache.State) { s.Time = time.Time{} }},
		{"no topic id", func(s *cache.State) { s.TopicID = "" }},
		{"long topic id", func(s *cache.State) { s.TopicID = long }},
		{"long user", func(s *cache.State) { s.User = long }},
		{"long details", func(s *cache.State) { s.Details = long }},
		{"long parameter", func(s *cache.State) { s.Params = []string{long} }},
		{"many parameters", func(s *cache.State) { s.Params = make([]string, smx.MaxParams+1) }},
		{"parameters that escaping blows up", func(s *cache.State) {
			for range smx.MaxParams - 1 {
				s.Params = append(s.Params, strings.Repeat("&", smx.MaxTextBytes))
			}
		}},
		{"a time no report can carry", func(s *cache.State) { s.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"what only the agent says", func(s *cache.State) { s.TopicType = topics.Resync }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, memory, _ := testAgent(t, 0)
			s := detected("a", 1)
			c.edit(&s)
			if err := a.Raise(detected("sound", 1), s); err == nil || waiting(t, memory) != 0 {
				t.Errorf("raised, %d waiting; want a refusal of all", waiting(t, memory))
			}
		})
	}
}

// run runs the agent until the test's end of the bubble.
func run(t *testing.T, a *Agent) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestSendCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		defer run(t, a)()
		began := time.Now()
		for i := range 20 {
			raise(t, a, detected("a", uint32(i)))
			time.Sleep(15 * time.Minute)
		}
		synctest.Wait()
		if n := len(relay.Times); n < 18 || n > 22 {
			t.Errorf("%d reports in 20 send intervals", n)
		}
		if first := relay.Times[0].Sub(began); first >= 10*time.Minute {
			t.Errorf("first report after %v, want within the startup jitter", first)
		}
		raise(t, a, detected("a", 99))
		a.SendNow()
		synctest.Wait()
		if last := relay.Times[len(relay.Times)-1]; !last.Equal(time.Now()) {
			t.Errorf("SendNow sent %v late", time.Since(last))
		}
	})
}

func TestRetryAfterIsNeverUndercut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, relay := testAgent(t, 0)
		relay.Fault = func(attempt int) *transport.Answer {
			if attempt < 5 {
				return &transport.Answer{Outcome: transport.Again, Status: 503, After: 90 * time.Second}
			}
			return nil
		}
		defer run(t, a)()
		raise(t, a, detected("a", 1))
		for range 3600 { // somebody in a hurry
			time.Sleep(time.Second)
			if relay.Counted(func() int { return len(relay.Times) }) > 0 {
				a.SendNow()
			}
		}
		synctest.Wait()
		if len(relay.Times) != 6 {
			t.Fatalf("%d attempts, want 6", len(relay.Times))
		}
		for i, at := range relay.Times[1:] {
			if wait := at.Sub(relay.Times[i]); wait < 90*time.Second || wait > 92*time.Second {
				t.Errorf("attempt %d came after %v; the relay asked for 90 s", i+2, wait)
			}
		}
	})
}

func TestOutageOfWeeksCostsOneReportAndOneStatePerTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, memory, relay := testAgent(t, 0)
		back := time.Now().Add(21 * 24 * time.Hour)
		relay.Fault = func(int) *transport.Answer {
			if time.Now().Before(back) {
				return &transport.Answer{Outcome: transport.Again, Err: errors.New("no route")}
			}
			return nil
		}
		defer run(t, a)()
		raise(t, a, detected("first", 1))
		time.Sleep(time.Hour)
		for i := range 21 * 24 {
			raise(t, a, detected(fmt.Sprint("topic", i%50), uint32(i)))
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		if sum := summary(t, memory); sum.States != 51 || sum.LastSerial != 51 {
			t.Errorf("%d states, last serial %d; want 51 each", sum.States, sum.LastSerial)
		}
		if n := len(relay.Times); n > 21*24*20 {
			t.Errorf("%d attempts in three weeks", n)
		}
		if missing := relay.Clients[testIdentity.Client].Missing(1); missing != nil {
			t.Errorf("missing %v", missing)
		}
	})
}

// TestSerialsAreNeverSkipped holds the agent against a relay that does what it likes.
func TestSerialsAreNeverSkipped(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, memory, relay := testAgent(t, 0)
		outcomes := rapid.SliceOfN(rapid.SampledFrom([]transport.Outcome{transport.Accepted, transport.Again,
			transport.Again, transport.Refused}), 1, 40).Draw(rt, "outcomes")
		relay.Fault = func(attempt int) *transport.Answer {
			if outcome := outcomes[min(attempt, len(outcomes)-1)]; outcome != transport.Accepted {
				return &transport.Answer{Outcome: outcome}
			}
			return nil
		}
		next, top := uint64(1), uint64(0)
		for range outcomes {
			for _, id := range rapid.SliceOf(rapid.IntRange(0, 9)).Draw(rt, "topics") {
				if err := a.Raise(detected(fmt.Sprint(id), 1)); err != nil {
					rt.Fatal(err)
				}
			}
			attempt, err := a.Send(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			if attempt.Report != nil && attempt.Report.First != next {
				rt.Fatalf("report begins with %d, want %d", attempt.Report.First, next)
			}
			if attempt.Report != nil {
				top = max(top, attempt.Report.Last)
			}
			if attempt.Outcome == transport.Accepted || attempt.Outcome == transport.Refused && len(attempt.Report.States) == 1 {
				next = attempt.Report.Last + 1
			}
		}
		if memory.LastSerial() != top {
			rt.Fatalf("last serial %d, want %d: the greatest sent", memory.LastSerial(), top)
		}
	})
}

func TestPause(t *testing.T) {
	for _, c := range []struct {
		name        string
		failures    int
		after       time.Duration
		least, most time.Duration
	}{
		{"the first is short", 0, 0, time.Second, 2 * time.Second},
		{"it doubles", 3, 0, 8 * time.Second, 16 * time.Second},
		{"it has a bound", 1000, 0, 150 * time.Second, 5 * time.Minute},
		{"what the relay asks for is the least", 0, time.Minute, time.Minute, 77 * time.Second},
		{"a relay may not silence a client for ever", 0, 1000 * time.Hour, time.Hour, 76 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 100 {
				if got := Pause(c.failures, c.after); got < c.least || got > c.most {
					t.Fatalf("pause is %v, want %v to %v", got, c.least, c.most)
				}
			}
		})
	}
}

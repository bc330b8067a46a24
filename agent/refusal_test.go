package agent

import (
	"fmt"
	"strings"
	"testing"

	"statewire/agent/transport"
	"statewire/internal/topics"
)

func TestRefusedReportIsSetAsideAndTheRestGoesOn(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	relay.Fault = func(attempt int) *transport.Answer {
		if attempt == 0 {
			return &transport.Answer{Outcome: transport.Refused, Status: 400, Code: "xml_syntax"}
		}
		return nil
	}
	raise(t, a, detected("a", 2))
	send(t, a, transport.Refused)
	raise(t, a, detected("b", 2))
	if got := send(t, a, transport.Accepted).Report; got.First != 2 {
		t.Errorf("the next report begins with serial %d, want 2: a serial is never used twice", got.First)
	}
	if dead, err := memory.DeadLetters(); len(dead) != 1 || dead[0].State.Serial != 1 ||
		dead[0].End.Code != "xml_syntax" || err != nil {
		t.Errorf("dead letters %+v, %v; want the first state", dead, err)
	}
}

// A filter before the relay that takes offence at one report does not keep back the others for ever, nor for one bad
// hour lose a state.
func TestWhatAFilterRefusesStopsNothing(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	filter := &transport.Answer{Outcome: transport.Again, Status: 400, Err: transport.ErrNotRelay}
	relay.Fault = func(attempt int) *transport.Answer {
		switch {
		case attempt == 5:
			return &transport.Answer{Outcome: transport.Again, Status: 503}
		case attempt < 5+forbiddenAttempts+1:
			return filter
		}
		return nil
	}
	raise(t, a, detected("a", 2))
	for range 5 + forbiddenAttempts {
		send(t, a, transport.Again)
	}
	send(t, a, transport.Refused)
	raise(t, a, detected("b", 2))
	send(t, a, transport.Accepted)
	if dead, err := memory.DeadLetters(); len(dead) != 1 || err != nil {
		t.Errorf("%d dead letters, %v; want the state of the report", len(dead), err)
	}
	if err := a.Resend(); err != nil {
		t.Fatal(err)
	}
	send(t, a, transport.Accepted)
	if got := relay.Clients[testIdentity.Client].State(topics.UpdateDetection, "a"); got.StateID != 2 {
		t.Errorf("the site has %+v after the whole cache was sent again", got)
	}
}

// A wrong address refuses everything. Nothing goes in a loop, and nothing is lost: the states stay in the cache for the
// resync that their gap leads to.
func TestARefusalThatBlamesNoStateKeepsTheStates(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	relay.Fault = func(attempt int) *transport.Answer {
		if attempt == 0 {
			return &transport.Answer{Outcome: transport.Refused, Whole: true, Status: 404}
		}
		return nil
	}
	raise(t, a, detected("a", 2), detected("b", 2))
	send(t, a, transport.Refused)
	send(t, a, transport.Idle)
	if dead, err := memory.DeadLetters(); len(dead) != 2 || err != nil {
		t.Fatalf("%d dead letters, %v; want both states of the report", len(dead), err)
	}
	raise(t, a, detected("c", 2))
	send(t, a, transport.Accepted)
	if err := a.Resend(); err != nil {
		t.Fatal(err)
	}
	send(t, a, transport.Accepted)
	for _, id := range []string{"a", "b", "c"} {
		if got := relay.Clients[testIdentity.Client].State(topics.UpdateDetection, id); got.StateID != 2 {
			t.Errorf("the site has %+v of topic %s after the whole cache was sent again", got, id)
		}
	}
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

package agent

import (
	"testing"

	"statewire/agent/transport"
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
	if dead, err := memory.DeadLetters(); len(dead) != 1 || dead[0].State.Serial != 1 || dead[0].End.Code != "xml_syntax" || err != nil {
		t.Errorf("dead letters %+v, %v; want the first state", dead, err)
	}
}

// A filter before the relay that takes offence at one report does not keep back the others for ever, nor for one bad hour lose a state.
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
	if got := relay.Clients[testIdentity.Client].State(TopicUpdateDetection, "a"); got.StateID != 2 {
		t.Errorf("the site has %+v after the whole cache was sent again", got)
	}
}

// A wrong address refuses everything. Nothing goes in a loop, and nothing is lost: the states stay in the cache for the resync that
// their gap leads to.
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
		if got := relay.Clients[testIdentity.Client].State(TopicUpdateDetection, id); got.StateID != 2 {
			t.Errorf("the site has %+v of topic %s after the whole cache was sent again", got, id)
		}
	}
}

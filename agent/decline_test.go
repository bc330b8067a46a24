package agent

import (
	"errors"
	"testing"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
	"statewire/smx/policy"
)

// asks is a policy that asks for a resync.
func asks(number uint32, next uint64) policy.Document {
	return policy.Document{Resync: &policy.Resync{Number: number, NextSerial: next, Issued: testTime, Reason: "missing"}}
}

// A client whose serials are used up stays, keeps what it has, and says so: nothing ends, nothing wraps.
func TestAClientWithoutSerialsStays(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		relay := agenttest.NewSite(t)
		if err := s.Continue(smx.MaxSerial - 2); err != nil {
			t.Fatal(err)
		}
		a := agentOn(t, s, relay)
		raise(t, a, detected("a", 1), detected("b", 1), detected("c", 1))
		reports := drainAll(t, a)
		if len(reports) != 1 || reports[0].Last != smx.MaxSerial || len(reports[0].States) != 2 {
			t.Fatalf("%d reports, the first %s", len(reports), texts(reports[0]))
		}
		s.reopen()
		a = agentOn(t, s, relay)
		for range 2 {
			if attempt, err := a.Send(t.Context()); err != nil || attempt.Outcome != transport.Idle {
				t.Fatalf("outcome %v, %v", attempt.Outcome, err)
			}
		}
		instant := detected("now", 1)
		instant.Instant = true
		raise(t, a, instant)
		if reports := drainAll(t, a); len(reports) != 1 || texts(reports[0]) != "0:now=1" {
			t.Errorf("an instant state needs no serial: %d reports", len(reports))
		}
		policy := asks(7, 1)
		policy.SendInterval = time.Minute
		want(relay, policy)
		if got := poll(t, a, PolicyAdopted); got.Resync || a.SendInterval() != time.Minute {
			t.Errorf("adopted %+v, interval %v", got, a.SendInterval())
		}
		if err := a.Resend(); !errors.Is(err, cache.ErrUsedUp) {
			t.Errorf("resend: %v", err)
		}
		status, err := a.Status()
		if err != nil || !status.UsedUp || status.Held != 3 || status.Unsent != 1 ||
			status.LastSerial != smx.MaxSerial || status.Answering {
			t.Errorf("status %+v, %v", status, err)
		}
	})
}

// No policy silences a client for longer than a week.
func TestIntervalsOfAPolicyAreBounded(t *testing.T) {
	a, _, relay := testAgent(t, 0)
	want(relay, policy.Document{SendInterval: policy.MaxInterval, PolicyInterval: policy.MaxInterval,
		Topics: []policy.Topic{{Type: 300, Interval: policy.MaxInterval}, {Type: 500, Interval: time.Hour}}})
	got := poll(t, a, PolicyAdopted)
	if a.SendInterval() != mostInterval || a.PolicyInterval() != mostInterval || got.Wait > mostInterval ||
		a.orders.topics[300].interval != mostInterval || a.orders.topics[500].interval != time.Hour {
		t.Errorf("send %v, poll %v, next in %v", a.SendInterval(), a.PolicyInterval(), got.Wait)
	}
}

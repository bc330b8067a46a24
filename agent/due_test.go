package agent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
)

// An agent that has just started waits before it asks its relay; its status says until when, and it keeps to that.
func TestAStartedAgentSaysWhenItFirstAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.SendInterval, cfg.PolicyInterval = time.Hour, 24*time.Hour
		a, err := New(cfg, Deps{Identity: testIdentity, Store: cache.NewMemory(1), Relay: agenttest.NewSite(t), Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		status := func() Status {
			t.Helper()
			s, err := a.Status()
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := status(); !s.NextContact.IsZero() {
			t.Errorf("before it runs, the next contact is %v", s.NextContact)
		}
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		synctest.Wait()
		first := status().NextContact
		if wait := first.Sub(began); wait <= 0 || wait > cfg.StartupJitter {
			t.Fatalf("the first contact comes after %v, want up to %v", wait, cfg.StartupJitter)
		}
		time.Sleep(time.Until(first) - time.Microsecond)
		if s := status(); s.Attempts != 0 {
			t.Errorf("it asked %d times before %v", s.Attempts, first)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s := status()
		if wait := time.Until(s.NextContact); s.Attempts != 1 || wait < 21*time.Hour || wait > 24*time.Hour {
			t.Errorf("it asked %d times and next asks in %v; want once, and the policy interval", s.Attempts, wait)
		}
		raise(t, a, detected("a", 2))
		if wait := time.Until(status().NextContact); wait <= 0 || wait > time.Hour {
			t.Errorf("with a state to send it next asks in %v, want within the send interval", wait)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

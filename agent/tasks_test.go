package agent

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/smx/policy"
)

// Lasting tasks are handed out with each poll that is answered, and after a start: whoever takes them may have ended
// before it kept them.
func TestLastingTasksAreHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay, memory := agenttest.NewSite(t), cache.NewMemory(0)
		var got []string
		start := func() *Agent {
			a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: memory, Relay: relay, Log: quiet,
				Tasks: func(envelopes [][]byte) { got = append(got, fmt.Sprintf("%s", envelopes)) }})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		expect := func(when string, want ...string) {
			t.Helper()
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
			got = nil
		}
		a := start()
		want(relay, policy.Document{})
		poll(t, a, PolicyAdopted)
		expect("no task")
		want(relay, policy.Document{Tasks: [][]byte{[]byte(`{"a":1}`), []byte(`{"b":2}`)}})
		poll(t, a, PolicyAdopted)
		expect("a new policy", `[{"a":1} {"b":2}]`)
		poll(t, a, PolicyUnchanged)
		expect("the same policy", `[{"a":1} {"b":2}]`)
		relay.Mu.Lock()
		relay.Document = []byte("<Policy/>")
		relay.Mu.Unlock()
		poll(t, a, PolicyDeclined)
		expect("a policy that is declined")

		a = start()
		expect("before Run")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := a.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 || got[0] != `[{"a":1} {"b":2}]` {
			t.Errorf("after a start: %q", got)
		}
		got = nil
		want(relay, policy.Document{Tasks: [][]byte{[]byte(`{"b":2}`)}})
		poll(t, a, PolicyAdopted)
		expect("one is over", `[{"b":2}]`)
	})
}

package agent

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/serials"
	"statewire/smx/policy"
)

// What a client bears of an assigned relay before it goes back, and for how long.
const (
	assignedAttempts = 5
	assignedRetry    = time.Hour
)

// TestAnAssignedRelay follows a client from the relay it was configured with to the one it is assigned to, and back
// while that one does not answer.
func TestAnAssignedRelay(t *testing.T) {
	configured, assigned := agenttest.NewSite(t), agenttest.NewSite(t)
	server, authority, _ := agenttest.Listen(t, assigned)
	steady := time.Duration(0)
	dialled := 0
	dial := func(address string) (*transport.Sender, error) {
		dialled++
		return agenttest.Connect(t, address, authority, ""), nil
	}
	memory := cache.NewMemory(0)
	deps := Deps{Identity: testIdentity, Store: memory, Relay: configured, Dial: dial, Log: quiet,
		Clock: Clock{Steady: func() time.Duration { return steady }}}
	a, err := New(DefaultConfig(), deps)
	if err != nil {
		t.Fatal(err)
	}
	step := func(id, inUse string, outcome transport.Outcome) {
		t.Helper()
		raise(t, a, detected(id, 1))
		send(t, a, outcome)
		if status, err := a.Status(); err != nil || status.RelayInUse != inUse {
			t.Fatalf("%s: the relay in use is %s (%s, %v), want %s", id, status.RelayInUse, status.Problem, err, inUse)
		}
	}
	step("a", "configured", transport.Accepted)
	want(configured, policy.Document{Relay: server.URL})
	poll(t, a, PolicyAdopted)
	step("b", "assigned", transport.Accepted)
	if a, err = New(DefaultConfig(), deps); err != nil { // the assignment outlives a restart
		t.Fatal(err)
	}
	step("c", "assigned", transport.Accepted)
	address := server.Listener.Addr().String()
	server.Close()
	for range assignedAttempts - 1 {
		step("d", "assigned", transport.Again)
	}
	step("d", "fallback", transport.Again)
	step("d", "fallback", transport.Accepted)
	steady += assignedRetry
	if status, _ := a.Status(); status.RelayInUse != "assigned" || status.AssignedRelay != server.URL ||
		!strings.Contains(server.URL, address) {
		t.Errorf("after an hour: %+v", status)
	}
	step("e", "fallback", transport.Again) // one attempt is enough to know
	step("e", "fallback", transport.Accepted)
	want(configured, policy.Document{})
	poll(t, a, PolicyAdopted)
	step("f", "configured", transport.Accepted)
	drainAll(t, a)
	if came := assigned.Clients[testIdentity.Client].Came; len(came) != 2 || !came[2] || !came[3] || dialled != 2 {
		t.Errorf("to the assigned relay came %v, dialled %d times; want b and c, and twice", came, dialled)
	}
	if missing := configured.Clients[testIdentity.Client].Missing(1); len(missing) != 1 ||
		missing[0] != (serials.Run{First: 2, Last: 3}) {
		t.Errorf("to the configured relay did not come %v, want b and c only", missing)
	}
}

// TestAnAssignmentByMistake is a policy that names what is no relay of this client's. While the client asked only
// there, no policy could ever correct it.
func TestAnAssignmentByMistake(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		inUse      string
	}{
		{"a web server", "<html>welcome", 200, "fallback"},
		{"another web server", "<html>not found", 404, "fallback"},
		{"a balancer without a relay", "", 502, "fallback"},
		{"a relay that does not know the client", `{"code":"unknown_client","retry":true}`, 401, "fallback"},
		{"a relay that is busy", `{"code":"busy","retry":true}`, 503, "assigned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, authority, _ := agenttest.Listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			configured := agenttest.NewSite(t)
			a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: cache.NewMemory(0), Relay: configured, Log: quiet,
				Dial: func(address string) (*transport.Sender, error) {
					return agenttest.Connect(t, address, authority, ""), nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			want(configured, policy.Document{Relay: server.URL})
			poll(t, a, PolicyAdopted)
			raise(t, a, detected("a", 1))
			for range assignedAttempts {
				if status, err := a.Status(); err != nil || status.RelayInUse != "assigned" {
					t.Fatalf("status %+v, %v", status, err)
				}
				send(t, a, transport.Again)
			}
			status, err := a.Status()
			if err != nil || status.RelayInUse != c.inUse || status.Problem == "" {
				t.Fatalf("the relay in use is %s (%q, %v), want %s", status.RelayInUse, status.Problem, err, c.inUse)
			}
			if c.inUse == "fallback" {
				send(t, a, transport.Accepted)
			}
		})
	}
}

func TestAnAssignedRelayThatCannotBeUsed(t *testing.T) {
	relay := agenttest.NewSite(t)
	a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: cache.NewMemory(0), Relay: relay, Log: quiet,
		Dial: func(string) (*transport.Sender, error) { return nil, errors.New("no such scheme") }})
	if err != nil {
		t.Fatal(err)
	}
	want(relay, policy.Document{Relay: "https://relay.example"})
	poll(t, a, PolicyAdopted)
	raise(t, a, detected("a", 1))
	send(t, a, transport.Accepted)
	if status, err := a.Status(); err != nil || status.RelayInUse != "fallback" ||
		status.AssignedRelay != "https://relay.example" {
		t.Errorf("status %+v, %v", status, err)
	}
}

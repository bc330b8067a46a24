package agent

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx/policy"
	"statewire/trust"
)

// Whom to believe is on disk before the policy that says so: once the policy is kept, nobody says it again.
func TestWhomToBelieveComesBeforeThePolicy(t *testing.T) {
	relay, memory := agenttest.NewSite(t), cache.NewMemory(0)
	var told []string
	broken := errors.New("no space left on device")
	a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: memory, Relay: relay, Log: quiet,
		Believe: func(ca, document []byte) error {
			told = append(told, string(document))
			kept, err := memory.Policy()
			if err != nil || strings.Contains(string(kept.Document), "Trust") {
				t.Error("the policy was kept first")
			}
			return broken
		}})
	if err != nil {
		t.Fatal(err)
	}
	want(relay, policy.Document{})
	poll(t, a, PolicyAdopted)
	want(relay, policy.Document{Trust: &policy.Trust{Document: []byte(`{"payload":"x"}`)}})
	if _, err := a.Poll(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("a disk that is full ended in %v", err)
	}
	broken = nil
	poll(t, a, PolicyAdopted)
	poll(t, a, PolicyUnchanged)
	if len(told) != 2 || told[0] != `{"payload":"x"}` || told[1] != told[0] {
		t.Errorf("told %q", told)
	}
}

// renewing is a relay that gives certificates.
type renewing struct {
	*agenttest.Site
	closed int
}

func (r *renewing) Renew(_ context.Context, request trust.RenewRequest) transport.Issue {
	return transport.Issue{Outcome: transport.Idle, Detail: request.CSR}
}

func (r *renewing) Close() { r.closed++ }

// A renewal goes to the relay in use; with the new certificate what waits is sent at once, over new connections.
func TestARenewalGoesTheWayOfReports(t *testing.T) {
	relay := &renewing{Site: agenttest.NewSite(t)}
	a := agentOn(t, cache.NewMemory(0), relay)
	if got := a.Renew(t.Context(), trust.RenewRequest{CSR: "csr"}); got.Outcome != transport.Idle || got.Detail != "csr" {
		t.Errorf("got %+v", got)
	}
	a.Identified()
	if relay.closed != 1 || len(a.wake) != 1 {
		t.Errorf("connections ended %d times, sending woken %d times", relay.closed, len(a.wake))
	}
	plain := agentOn(t, cache.NewMemory(0), agenttest.NewSite(t))
	if got := plain.Renew(t.Context(), trust.RenewRequest{}); got.Outcome != transport.Again || got.Err == nil {
		t.Errorf("a way without certificates gave %+v", got)
	}
}

// A certificate that is refused in the handshake is said in words that tell a person what to do.
func TestARefusedCertificateIsSaid(t *testing.T) {
	a, _, relay := testAgent(t, 0)
	refused := &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
	relay.Fault = func(int) *transport.Answer { return &transport.Answer{Outcome: transport.Again, Err: refused} }
	raise(t, a, detected("a", 1))
	send(t, a, transport.Again)
	if status, err := a.Status(); err != nil || status.Connected || !strings.Contains(status.Problem, "revoked") ||
		!strings.Contains(status.Problem, "statewire agent enroll") {
		t.Errorf("%+v, %v", status.Problem, err)
	}
}

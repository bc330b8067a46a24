package agent

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"statewire/agent/cache"
	"statewire/smx"
	"statewire/smx/policy"
)

func TestPolicyRequest(t *testing.T) {
	var asked []*http.Request
	server, authority, pin := listen(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked = append(asked, req)
		if req.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(304)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		_, _ = w.Write([]byte("<Policy/>"))
	}))
	claim := smx.Poll{Client: testIdentity.Client, LastSerial: 1431, States: 7, Digest: 0xab, Unsent: 2}
	for name, s := range map[string]*Sender{"authority": connect(t, server.URL, authority, ""), "pin": connect(t, server.URL, nil, pin)} {
		asked = nil
		if got := s.Policy(t.Context(), claim, ""); got.Outcome != Accepted || string(got.Document) != "<Policy/>" || got.ETag != `"v1"` {
			t.Errorf("%s: %+v", name, got)
		}
		if got := s.Policy(t.Context(), claim, `"v1"`); got.Outcome != Idle || got.Status != 304 {
			t.Errorf("%s, known: %+v", name, got)
		}
		want := "client=GUID%3A01020300-0000-0000-0000-000000000000&digest=00000000000000ab&serial=1431&states=7&unsent=2"
		if len(asked) != 2 || asked[0].Method != http.MethodGet || asked[0].URL.Path != "/mp/policy" || asked[0].URL.RawQuery != want {
			t.Errorf("%s: asked %v", name, asked[0].URL)
		}
	}
}

func TestPolicyAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		header  [2]string
		body    string
		outcome Outcome
		after   time.Duration
	}{
		{name: "no policies there", status: 404, outcome: Refused},
		{name: "a portal's page", status: 200, body: "<html>", outcome: Refused},
		{name: "a claim the relay can't read", status: 400, body: `{"code":"bad_poll","detail":"serial"}`, outcome: Refused},
		{name: "no identity yet", status: 401, outcome: Again},
		{name: "another client's identity", status: 403, outcome: Again},
		{name: "too many polls", status: 429, header: [2]string{"Retry-After", "30"}, outcome: Again, after: 30 * time.Second},
		{name: "the site is not there", status: 503, header: [2]string{"Retry-After", "60"}, body: `{"code":"policy_unavailable"}`, outcome: Again, after: time.Minute},
		{name: "a redirect is not followed", status: 307, header: [2]string{"Location", "https://elsewhere.invalid/"}, outcome: Again},
		{name: "a success that is no policy", status: 204, outcome: Again},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, authority, _ := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.header[0] != "" {
					w.Header().Set(c.header[0], c.header[1])
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			got := connect(t, server.URL, authority, "").Policy(t.Context(), smx.Poll{}, "")
			if got.Outcome != c.outcome || got.After != c.after || got.Status != c.status || got.Err == nil || got.Document != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAPolicyOfAnUnknownHandIsNotTaken(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<Policy/>")) })
	plain := httptest.NewServer(handler)
	defer plain.Close()
	server, _, _ := listen(t, handler)
	s, err := NewSender(plain.URL, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	blind, err := NewSender(server.URL, &tls.Config{InsecureSkipVerify: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close()
	for name, s := range map[string]*Sender{"plain HTTP": s, "certificate not checked": blind} {
		if got := s.Policy(t.Context(), smx.Poll{}, ""); got.Outcome != Refused || !errors.Is(got.Err, errUntrusted) || got.Document != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRefusalsThatBlameNoState(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		want       Outcome
		whole      bool
	}{
		{"the client's header", `{"code":"bad_header"}`, 400, Refused, true},
		{"the client's id", `{"code":"bad_client_id"}`, 400, Refused, true},
		{"another address", `{"code":"not_found"}`, 404, Refused, true},
		{"the request's form", `{"code":"media_type"}`, 415, Refused, true},
		{"too early", ``, 425, Again, false},
		{"a state", `{"code":"bad_character"}`, 400, Refused, false},
		{"not a relay's words", `<html>bad request</html>`, 400, Again, false},
		{"too large", `{"code":"too_large"}`, 413, Refused, false},
	} {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}}
		if got := judge(resp, []byte(c.body), nil); got.Outcome != c.want || got.Whole != c.whole {
			t.Errorf("%s: outcome %d, whole %t, want %d and %t", c.name, got.Outcome, got.Whole, c.want, c.whole)
		}
	}
}

// TestAnAssignedRelay follows a client from the relay it was configured with to the one it is assigned to, and back while that one
// does not answer.
func TestAnAssignedRelay(t *testing.T) {
	configured, assigned := newSite(t), newSite(t)
	server, authority, _ := listen(t, assigned)
	steady := time.Duration(0)
	dialled := 0
	dial := func(address string) (*Sender, error) {
		dialled++
		return connect(t, address, authority, ""), nil
	}
	memory := cache.NewMemory(0)
	deps := Deps{Identity: testIdentity, Store: memory, Relay: configured, Dial: dial, Log: quiet, Clock: Clock{Steady: func() time.Duration { return steady }}}
	a, err := New(DefaultConfig(), deps)
	if err != nil {
		t.Fatal(err)
	}
	step := func(id, inUse string, outcome Outcome) {
		t.Helper()
		raise(t, a, detected(id, 1))
		send(t, a, outcome)
		if status, err := a.Status(); err != nil || status.RelayInUse != inUse {
			t.Fatalf("%s: the relay in use is %s (%s, %v), want %s", id, status.RelayInUse, status.Problem, err, inUse)
		}
	}
	step("a", "configured", Accepted)
	want(configured, policy.Document{Relay: server.URL})
	poll(t, a, PolicyAdopted)
	step("b", "assigned", Accepted)
	if a, err = New(DefaultConfig(), deps); err != nil { // the assignment outlives a restart
		t.Fatal(err)
	}
	step("c", "assigned", Accepted)
	address := server.Listener.Addr().String()
	server.Close()
	for range assignedAttempts - 1 {
		step("d", "assigned", Again)
	}
	step("d", "fallback", Again)
	step("d", "fallback", Accepted)
	steady += assignedRetry
	if status, _ := a.Status(); status.RelayInUse != "assigned" || status.AssignedRelay != server.URL || !strings.Contains(server.URL, address) {
		t.Errorf("after an hour: %+v", status)
	}
	step("e", "fallback", Again) // one attempt is enough to know
	step("e", "fallback", Accepted)
	want(configured, policy.Document{})
	poll(t, a, PolicyAdopted)
	step("f", "configured", Accepted)
	drainAll(t, a)
	if came := assigned.clients[testIdentity.Client].came; len(came) != 2 || !came[2] || !came[3] || dialled != 2 {
		t.Errorf("to the assigned relay came %v, dialled %d times; want b and c, and twice", came, dialled)
	}
	if missing := configured.clients[testIdentity.Client].missing(1); len(missing) != 1 || missing[0] != (serialRange{2, 3}) {
		t.Errorf("to the configured relay did not come %v, want b and c only", missing)
	}
}

// TestAnAssignmentByMistake is a policy that names what is no relay of this client's. While the client asked only there, no policy
// could ever correct it.
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
			server, authority, _ := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			configured := newSite(t)
			a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: cache.NewMemory(0), Relay: configured, Log: quiet,
				Dial: func(address string) (*Sender, error) { return connect(t, address, authority, ""), nil }})
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
				send(t, a, Again)
			}
			status, err := a.Status()
			if err != nil || status.RelayInUse != c.inUse || status.Problem == "" {
				t.Fatalf("the relay in use is %s (%q, %v), want %s", status.RelayInUse, status.Problem, err, c.inUse)
			}
			if c.inUse == "fallback" {
				send(t, a, Accepted)
			}
		})
	}
}

func TestAnAssignedRelayThatCannotBeUsed(t *testing.T) {
	relay := newSite(t)
	a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: cache.NewMemory(0), Relay: relay, Log: quiet,
		Dial: func(string) (*Sender, error) { return nil, errors.New("no such scheme") }})
	if err != nil {
		t.Fatal(err)
	}
	want(relay, policy.Document{Relay: "https://relay.example"})
	poll(t, a, PolicyAdopted)
	raise(t, a, detected("a", 1))
	send(t, a, Accepted)
	if status, err := a.Status(); err != nil || status.RelayInUse != "fallback" || status.AssignedRelay != "https://relay.example" {
		t.Errorf("status %+v, %v", status, err)
	}
}

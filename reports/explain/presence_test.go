package explain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/internal/humanize"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

type presence = reportstest.Presence

// presenceSite has clients of every kind that a notification server can tell of.
func presenceSite(t *testing.T) *reportstest.Site {
	s := reportstest.NewSite(t)
	s.NotificationServer(1, "push1", 3*time.Minute)
	for n := 1; n <= 14; n++ {
		s.Client(n, 9, 3*hour)
	}
	refused := "tcp push1.example:10123: connect: connection refused"
	s.Presence(
		presence{Client: 1, Online: true, Since: 5 * hour, Heard: 5 * hour, Address: "10.0.0.7", Reason: "signin"},
		presence{Client: 2, Online: true, HTTP: true, Since: 2 * hour, Heard: 2 * hour, Address: "10.0.0.8", Reason: "signin",
			Why: refused},
		presence{Client: 3, Online: true, HTTP: true, Since: time.Minute, Heard: time.Minute, Reason: "signin"},
		presence{Client: 4, Since: 2 * hour, Heard: 2*hour + 20*time.Minute, Reason: "silent"},
		presence{Client: 5, HTTP: true, Since: 2 * hour, Heard: 2 * hour, Reason: "closed", Why: refused},
		presence{Client: 6, Since: 2 * hour, Heard: 4 * hour, Reason: "server_lost"},
		presence{Client: 7, Online: true, Since: hour, Heard: hour, Reason: "duplicate"},
		presence{Client: 8, Since: 2 * hour, Heard: 2 * hour, Reason: "revoked"},
		presence{Client: 9, Since: 5 * hour, Heard: 5 * hour, Reason: "reset"},
		presence{Client: 10, Since: 3*hour + 19*time.Minute, Heard: 3*hour + 19*time.Minute,
			Reason: "what a later version says"},
		presence{Client: 13, Since: 2 * hour, Heard: 2 * hour, Reason: "closed"},
		presence{Client: 14, Since: 2 * hour, Heard: 2 * hour, Reason: "silent"},
		presence{Client: 11, Server: 9, Online: true, Since: hour, Heard: hour, Reason: "signin"},
	)
	for n := range 12 {
		s.WasConnected(4, time.Duration(n+3)*hour, time.Duration(n+3)*hour-time.Minute, 7, map[bool]string{true: "reset",
			false: "silent"}[n > 3])
	}
	for n := range 11 {
		s.WasConnected(5, time.Duration(n+3)*hour, time.Duration(n+3)*hour-time.Minute, 7, "reset")
	}
	s.WasConnected(5, 26*hour, 25*hour, 7, "reset") // no more in the last day
	return s
}

// Whoever asks why a client is shown as it is gets the fact that decided, and no guess.
func TestPresenceIsExplained(t *testing.T) {
	s := presenceSite(t)
	clock := func(ago time.Duration) string { return humanize.Clock(s.Now.Add(-ago)) }
	for _, c := range []struct {
		name       string
		client     int
		code, want string
		not        string // this code is not among the facts
	}{
		{"over TCP: server, port, address, since when, and how fresh that is", 1, "online", "Connected over TCP to push1 " +
			"from 10.0.0.7 since " + clock(5*hour) + " (5 h ago). Its server reported last at " +
			clock(3*time.Minute) + " (3 min ago), and said nothing else.", "offline"},
		{"over HTTP: why, in the client's words", 2, "online_http", "Connected over HTTP to push1 from 10.0.0.8 since " +
			clock(2*hour) + " (2 h ago): it says that TCP failed: tcp push1.example:10123: connect: connection refused. Its " +
			"server reported last at", "online"},
		{"over HTTP without a reason; no report of its server has it yet", 3, "online_http", "Connected over HTTP to push1 " +
			"since " + clock(time.Minute) + " (1 min ago): it did not say why TCP is not used.", "online"},
		{"silent: how long, and the last byte", 4, "offline", "Not connected: push1 declared it offline at " + clock(2*hour) +
			" (2 h ago) because nothing came from it for 20 min: the machine may sleep, be switched off, or have lost the " +
			"network. The last byte of it that is known of came at " + clock(2*hour+20*time.Minute) +
			" (2 h 20 min ago), over " +
			"TCP.", "online"},
		{"over HTTP it made no further request", 5, "offline", "because it made no further request", "online"},
		{"over TCP the connection was closed", 13, "offline", "because the connection was closed", "online"},
		{"silent, and no last byte is known", 14, "offline", "because nothing came from it for too long", "online"},
		{"what it met when it was connected last", 5, "last_http", "it says that TCP failed: tcp push1", "online_http"},
		{"its server is lost: nothing is said of the machine", 6, "server_lost",
			"Whether it is connected is not known since " +
				clock(2*hour) + " (2 h ago): its server push1 does not report. That says nothing about the machine.", "offline"},
		{"several machines", 7, "duplicate_identity", "Several machines sign in with this client's identity", "offline"},
		{"revoked", 8, "offline", "because its certificate is refused.", "online"},
		{"it reports, and yet has no connection", 9, "offline_but_heard", "it reached a relay at " + clock(3*hour), "online"},
		{"it reported when it may still have been connected", 10, "offline", "because of what a later version says.",
			"offline_but_heard"},
		{"a server without a name", 11, "online", "to server 9 since", "offline"},
		{"never connected", 12, "no_channel", "It has never been connected", "offline"},
		{"often", 4, "reconnects",
			"ended 12 times in the last 24 hours, most often (8 times) because the connection broke off.",
			"online"},
		{"not often", 5, "offline", "", "reconnects"},
	} {
		facts := s.Explained(c.client)
		got, told := facts[c.code]
		if !told || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if text, told := facts[c.not]; told {
			t.Errorf("%s: and yet %s: %s", c.name, c.not, text)
		}
	}
	if text := s.Explained(3)["online_http"]; strings.Contains(text, "reported last") {
		t.Errorf("its server reported 3 minutes ago, it came a minute ago: %q", text)
	}
}

// A site whose notification server never reported says nothing of connections, and a client that was retired or is not
// known is no client that lacks one.
func TestNoConnectionIsMissedWhereNoneCanBe(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	if facts := s.Explained(1); facts["no_channel"] != "" || facts["offline_but_heard"] != "" {
		t.Errorf("without a server: %v", facts)
	}
	s.NotificationServer(1, "push1", time.Minute)
	if facts := s.Explained(1); facts["no_channel"] == "" || facts["offline_but_heard"] == "" {
		t.Errorf("with a server: %v", facts)
	}
	e, err := s.Explainer(func(d *explain.Deps) {
		d.Schedule = func() explain.Schedule { return explain.Schedule{OfflineAfter: time.Minute, Uncertified: true} }
	}).Explain(t.Context(), id(1).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if facts := reportstest.Codes(e); facts["no_channel"] != "" || facts["offline_but_heard"] != "" {
		t.Errorf("where clients have no certificates: %v", facts)
	}
	s.Exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, version) "+
		"VALUES "+
		"('%s', 'retired', '%s', 'anna', 'sold', 1)", id(1), s.Micros(2*hour)))
	if facts := s.Explained(1); facts["no_channel"] != "" {
		t.Errorf("a retired client: %v", facts)
	}
	if facts := s.Explained(2); facts["no_channel"] != "" || facts["unknown_client"] == "" {
		t.Errorf("a client that nobody knows: %v", facts)
	}
}

// A connected client is heard of, however long ago it reported.
func TestAConnectedClientIsNotSilent(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, 3*day)
	s.Client(2, 9, 3*day)
	s.NotificationServer(1, "push1", 3*time.Minute)
	s.Presence(presence{Client: 1, Online: true, Since: 3 * day, Heard: 3 * day, Reason: "signin"},
		presence{Client: 2, Since: 2 * day, Heard: 2 * day, Reason: "closed"})
	if facts := s.Explained(1); facts["silent"] != "" {
		t.Errorf("connected: %v", facts)
	}
	if facts := s.Explained(2); !strings.HasPrefix(facts["silent"], "Silent since "+
		humanize.Clock(s.Now.Add(-2*day))) {
		t.Errorf("not connected: %v", facts)
	}
}

// A client that is not connected asks for its policy: it does so at a relay.
func TestConnectedIsSaidOfTheChannelAlone(t *testing.T) {
	s := reportstest.NewSite(t)
	s.NotificationServer(1, "push1", 3*time.Minute)
	s.Client(1, 9, 3*day)
	s.Client(2, 9, 3*day)
	s.Polled(1, 9, 0, 0, hour)
	s.Polled(2, 12, 4, 3, hour)
	s.Presence(presence{Client: 1, Since: 2 * hour, Heard: 2 * hour, Reason: "closed"},
		presence{Client: 2, Since: 2 * hour, Heard: 2 * hour, Reason: "closed"})
	for client, codes := range map[int][]string{1: {"quiet", "no_states"}, 2: {"connected_silent"}} {
		facts := s.Explained(client)
		for _, code := range codes {
			if text := facts[code]; text == "" || strings.Contains(strings.ToLower(text), "connect") {
				t.Errorf("client %d: %s: %q", client, code, text)
			}
		}
	}
}

func TestACertificateThatKeepsAClientAwayIsTold(t *testing.T) {
	s := reportstest.NewSite(t)
	s.NotificationServer(1, "push1", time.Minute)
	for n := 1; n <= 7; n++ {
		s.Client(n, 9, hour)
	}
	s.Presence(presence{Client: 6, Online: true, Since: hour, Heard: hour, Reason: "signin"})
	at := s.Now.Add(-hour)
	certificates := map[uuid.UUID]explain.Certificate{
		id(1): {State: "none"}, id(2): {State: "expired", NotAfter: at}, id(3): {State: "revoked", Since: at, By: "local:0",
			Why: "sold"}, id(4): {State: "shared", Since: at}, id(5): {State: "enrolled"}, id(6): {State: "revoked"},
	}
	x := s.Explainer(func(d *explain.Deps) {
		d.Certificate = func(_ context.Context, client uuid.UUID) (explain.Certificate, error) {
			c, known := certificates[client]
			if !known {
				return c, errors.New("away")
			}
			return c, nil
		}
	})
	for _, c := range []struct {
		client           int
		code, want, next string
	}{
		{1, "no_certificate", "has issued no certificate to it", "agent enroll"},
		{2, "certificate_expired", "valid until " + humanize.Clock(at), "agent enroll"},
		{3, "certificate_revoked", "revoked by root at " + humanize.Clock(at) + " (1 h ago), so it cannot sign in: sold",
			"enroll token create --client " + explain.WireID(id(3))},
		{4, "certificate_shared", "At " + humanize.Clock(at) + " (1 h ago) two machines showed certificates",
			"client revoke"},
		{5, "no_channel", "", "agent status"},
		{6, "online", "", "Nothing to do"},
		{7, "no_channel", "", "agent status"},
	} {
		e, err := x.Explain(t.Context(), id(c.client).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		facts := reportstest.Codes(e)
		if text, told := facts[c.code]; !told || !strings.Contains(text, c.want) {
			t.Errorf("client %d: %q, want %q", c.client, facts, c.want)
		}
		for code := range facts {
			if strings.Contains(code, "certificate") && code != c.code {
				t.Errorf("client %d: %s", c.client, code)
			}
		}
		steps := ""
		for _, step := range e.Next {
			steps += step.Text + "\n"
		}
		if !strings.Contains(steps, c.next) {
			t.Errorf("client %d: next is %s", c.client, steps)
		}
	}
}

// A client that enrolled is not unknown before its first contact.
func TestAClientThatEnrolledIsNoStranger(t *testing.T) {
	s := reportstest.NewSite(t)
	x := s.Explainer(func(d *explain.Deps) {
		d.Certificate = func(_ context.Context, client uuid.UUID) (explain.Certificate, error) {
			if client != id(1) {
				return explain.Certificate{State: "none"}, nil
			}
			return explain.Certificate{State: "enrolled", Enrolled: s.Now.Add(-time.Minute)}, nil
		}
	})
	for client, want := range map[int]string{1: "enrolled", 2: "unknown_client"} {
		e, err := x.Explain(t.Context(), id(client).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		waits := strings.Contains(e.Next[1].Text, "agent.startup_jitter")
		if facts := reportstest.Codes(e); facts[want] == "" || len(facts) != 1 || waits != (client == 1) ||
			strings.Contains(e.Summary, "does not know") == (client == 1) {
			t.Errorf("client %d: %q, %v, %v", client, e.Summary, facts, e.Next)
		}
	}
}

// What brings a client its connection.
func TestTheWayBackIsTold(t *testing.T) {
	s := presenceSite(t)
	for client, want := range map[int]string{2: "a way to push1.example:10123.",
		3: "a way to its notification server's TCP port.",
		4: "signs in by itself once the machine is there", 6: "When push1 reports again", 7: "client revoke GUID:",
		9: "`statewire agent status` on the machine", 12: "`statewire agent status` on the machine"} {
		e, err := s.Explainer().Explain(t.Context(), id(client).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, step := range e.Next {
			found = found || strings.Contains(step.Text, want)
		}
		if !found {
			t.Errorf("client %d: %v", client, e.Next)
		}
		if several := strings.Contains(e.Summary, "several machines sign in with its identity"); several != (client == 7) {
			t.Errorf("client %d: %s", client, e.Summary)
		}
	}
}

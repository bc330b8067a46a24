package relay

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
)

// issuer gives out certificates that are mere words, or an error.
type issuer struct {
	mu      sync.Mutex
	enrolls []identity.EnrollCall
	renews  []identity.RenewCall
	seen    []identity.Caller
	answer  identity.EnrollAnswer

	strangers []identity.Stranger
	err       error
	hold      chan struct{}
}

func (i *issuer) Enroll(_ context.Context, c identity.EnrollCall) (identity.EnrollAnswer, error) {
	i.mu.Lock()
	i.enrolls = append(i.enrolls, c)
	i.mu.Unlock()
	if i.hold != nil {
		<-i.hold
	}
	return i.answer, i.err
}

func (i *issuer) Renew(_ context.Context, c identity.RenewCall) (identity.RenewAnswer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.renews = append(i.renews, c)
	return identity.RenewAnswer{Certificate: "renewed"}, i.err
}

func (i *issuer) Seen(_ context.Context, callers []identity.Caller) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen = append(i.seen, callers...)
	return i.err
}

func (i *issuer) Strangers(_ context.Context, strangers []identity.Stranger) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.strangers = append(i.strangers, strangers...)
	return i.err
}

func ask(path, body string, header ...string) string {
	return request("POST "+path+" HTTP/1.1", append(header, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

func TestAnEnrolmentIsPassedOnAndAnswered(t *testing.T) {
	refusal := func(code string, status int, retry bool, after time.Duration) error {
		return &identity.Refusal{Code: code, Detail: "because", Status: status, Retry: retry, After: after}
	}
	whole := `{"token":"t","csr":"c","client_id":"GUID:X","netbios_name":"PC1","last_serial":7}`
	for _, tc := range []struct {
		name, body string
		issuer     *issuer
		status     int
		want       string
		retry      bool // a Retry-After
	}{
		{"issued", whole, &issuer{answer: identity.EnrollAnswer{ClientID: "GUID:X", Certificate: "pem"}}, 200,
			`"certificate":"pem"`, false},
		{"waits for approval", whole, &issuer{answer: identity.EnrollAnswer{Pending: "7Q2M4K8A"}}, 202,
			`{"pending":"7Q2M4K8A"}`, true},
		{"refused", whole, &issuer{err: refusal("token_used", 403, false, 0)}, 403, `"code":"token_used"`, false},
		{"known already", whole, &issuer{err: refusal("already_enrolled", 409, false, 0)}, 409,
			`"code":"already_enrolled"`, false},
		{"paused", whole, &issuer{err: refusal("enrolment_paused", 503, true, time.Minute)}, 503, `"retry":true`, true},
		{"too many", whole, &issuer{err: refusal("rate_limited", 429, true, time.Hour)}, 429, `"retry":true`, true},
		{"the stage is away", whole, &issuer{err: refusal("identity_unavailable", 503, true, 0)}, 503,
			`"code":"identity_unavailable"`, true},
		{"a fault", whole, &issuer{err: errors.New("secret path")}, 500, `"code":"internal"`, true},
		{"nobody gives any", whole, nil, 503, `"code":"identity_unavailable"`, true},
		{"no JSON", "<xml/>", &issuer{}, 400, `"code":"bad_enrolment"`, false},
		{"another kind of JSON", `{"last_serial":"7"}`, &issuer{}, 400, `"code":"bad_enrolment"`, false},
		{"something behind", whole + whole, &issuer{}, 400, `"code":"bad_enrolment"`, false},
		{"half", whole[:20], &issuer{}, 400, `"code":"bad_enrolment"`, false},
		{"nothing", "", &issuer{}, 400, `"code":"bad_enrolment"`, false},
		{"a serial below 0", `{"last_serial":-1}`, &issuer{}, 400, `"code":"bad_enrolment"`, false},
		{"as large as may be", whole + strings.Repeat(" ", maxEnrollBytes-len(whole)),
			&issuer{answer: identity.EnrollAnswer{Certificate: "pem"}}, 200, `"pem"`, false},
		{"larger", whole + strings.Repeat(" ", maxEnrollBytes+1-len(whole)), &issuer{}, 413, `"code":"too_large"`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			deps := Deps{}
			if tc.issuer != nil {
				deps.Enrolment = tc.issuer
			}
			cfg := testConfig()
			cfg.Auth = AuthMTLS // whoever enrols has no certificate to show
			s := start(t, cfg, deps)
			resp, body := s.raw(t, ask("/mp/enroll", tc.body))
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) || strings.Contains(body, "secret path") {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if (resp.Header.Get("Retry-After") != "") != tc.retry {
				t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
			}
			if tc.status < 400 && resp.Header.Get("Cache-Control") != "no-store" {
				t.Error("a certificate may be kept on its way")
			}
			if tc.name == "issued" {
				got := tc.issuer.enrolls[0]
				if got.Request.Token != "t" || got.Request.CSR != "c" || got.Request.ClientID != "GUID:X" ||
					got.Request.NetBIOSName != "PC1" || got.Request.LastSerial != 7 ||
					got.From != netip.MustParseAddr("127.0.0.1") {
					t.Errorf("asked for %+v", got)
				}
			}
		})
	}
}

// inState answers as an *identity.Verifier does of a certificate in some state.
type inState struct {
	knownCallers

	verify, caller error
}

func (s inState) Verify(tls.ConnectionState) error { return s.verify }

func (s inState) Caller(state *tls.ConnectionState) (identity.Caller, error) {
	if len(state.PeerCertificates) == 0 {
		return identity.Caller{}, &identity.Refusal{Code: identity.CodeNoIdentity, Status: 401, Retry: true}
	}
	c, err := s.knownCallers.Caller(state)
	return c, errors.Join(err, s.caller)
}

// What a certificate is good for, by its state: an expired one for its renewal alone.
func TestAttackACertificatesStateDecides(t *testing.T) {
	me := clientID(t, testClient)
	expired := &identity.Refusal{Code: identity.CodeExpired, Detail: "it ended", Status: 401, Retry: true}
	revoked := &identity.Refusal{Code: identity.CodeRevoked, Detail: "lost", Status: 401, Retry: true}
	for _, tc := range []struct {
		name           string
		auth           string
		shown          bool
		state          inState
		handshake      bool
		report, renew  int
		code           string // of the report's answer
		policy, enroll int
	}{
		{"good", AuthMTLS, true, inState{}, true, 202, 200, "", 200, 200},
		{"none", AuthMTLS, false, inState{}, true, 401, 401, "no_identity", 401, 200},
		{"expired", AuthMTLS, true, inState{caller: expired}, true, 401, 200, "certificate_expired", 401, 200},
		{"revoked on an open connection", AuthMTLS, true, inState{caller: revoked}, true, 401, 401, "certificate_revoked",
			401, 200},
		{"revoked", AuthMTLS, true, inState{verify: revoked}, false, 0, 0, "", 0, 0},
		{"anybody may send", AuthNone, true, inState{}, true, 202, 200, "", 200, 200},
		{"anybody may send, a revoked one", AuthNone, true, inState{verify: revoked}, true, 202, 401, "", 200, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Auth = tc.auth
			tc.state.knownCallers = knownCallers{me}
			given := &issuer{answer: identity.EnrollAnswer{Certificate: "pem"}}
			s := start(t, cfg, Deps{Callers: tc.state, Enrolment: given, Policies: &knownPolicies{document: "<Policy/>",
				etag: "e"}})
			if tc.shown {
				s.show(t)
			}
			if !tc.handshake {
				c, err := tls.Dial("tcp", s.addr, s.ca)
				if err == nil {
					_, err = c.Read(make([]byte, 1)) // TLS 1.3 tells the client after its own part
					c.Close()
				}
				if err == nil {
					t.Error("the handshake succeeded")
				}
				if n := counterOf(t, s.relay.metrics.tlsRefused.WithLabelValues("revoked")); n != 1 {
					t.Errorf("counted %v times", n)
				}
				return
			}
			for path, want := range map[string]int{"report": tc.report, "renew": tc.renew, "policy": tc.policy,
				"enroll": tc.enroll} {
				text := map[string]string{"report": post(report(testClient, 1)), "renew": ask("/mp/renew", `{"csr":"c"}`),
					"policy": poll("?client=" + testClient), "enroll": ask("/mp/enroll", `{"token":"t"}`)}[path]
				resp, body := s.raw(t, text)
				if resp.StatusCode != want || path == "report" && !strings.Contains(body, tc.code) {
					t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, want)
				}
				if resp.StatusCode == 401 && (!resp.Close || !strings.Contains(body, `"retry":true`)) {
					t.Errorf("%s: a refused caller keeps its connection, or is refused for good: %s", path, body)
				}
			}
			if tc.renew == 200 && (len(given.renews) != 1 || given.renews[0].Caller.Client != uuid.UUID(me) ||
				given.renews[0].Request.CSR != "c") {
				t.Errorf("renewals: %+v", given.renews)
			}
		})
	}
}

// A role's certificate is no client's.
func TestARoleIsNoClient(t *testing.T) {
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	s := start(t, cfg, Deps{Callers: roleCallers{}, Policies: &knownPolicies{etag: "e"}})
	s.show(t)
	for _, text := range []string{post(report(testClient, 1)), poll("?client=" + testClient)} {
		if resp, body := s.raw(t, text); resp.StatusCode != 403 || !strings.Contains(body, codeMismatch) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}

type roleCallers struct{ inState }

func (roleCallers) Caller(*tls.ConnectionState) (identity.Caller, error) {
	return identity.Caller{Role: "relay", Name: "x", Number: 1}, nil
}

// TestEnrolmentsTakeTurns: slow ones take no more than their places, and reports go on.
func TestEnrolmentsTakeTurns(t *testing.T) {
	held := &issuer{hold: make(chan struct{})}
	s := start(t, testConfig(), Deps{Enrolment: held})
	body := `{"token":"t"}`
	for range enrolmentsAtOnce + 5 {
		c := s.dial(t)
		if _, err := io.WriteString(c, ask("/mp/enroll", body)); err != nil {
			t.Fatal(err)
		}
	}
	working := func() int { held.mu.Lock(); defer held.mu.Unlock(); return len(held.enrolls) }
	for deadline := time.Now().Add(20 * time.Second); working() < enrolmentsAtOnce && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if resp, body := s.raw(t, post(report(testClient, 1))); resp.StatusCode != http.StatusAccepted {
		t.Errorf("a report meanwhile: %d %s", resp.StatusCode, body)
	}
	if n := working(); n != enrolmentsAtOnce {
		t.Errorf("%d enrolments are worked on at once, want %d", n, enrolmentsAtOnce)
	}
	close(held.hold)
}

// A decoder of what anybody may send: whatever it takes is one document.
func FuzzEnrolment(f *testing.F) {
	f.Add([]byte(`{"token":"t","csr":"c"}`))
	f.Add([]byte(`{"token":"t"}{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var call identity.EnrollCall
		if p := decode(body, &call.Request); p != nil {
			if p.Status != 400 || p.Retry {
				t.Fatalf("%q: %+v", body, p)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q was taken", body)
		}
	})
}

// Who speaks for another client is told of once an hour, whatever becomes of the telling.
func TestWhoSpeaksForAnotherIsToldOf(t *testing.T) {
	me := clientID(t, testClient)
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	told := &issuer{}
	s := start(t, cfg, Deps{Callers: knownCallers{me}, Enrolment: told, Policies: &knownPolicies{etag: "e"}})
	s.show(t)
	s.raw(t, post(report(thatClient, 1)))
	s.raw(t, poll("?client="+thatClient))
	heard := func() (list []identity.Stranger) {
		told.mu.Lock()
		defer told.mu.Unlock()
		return slices.Clone(told.strangers)
	}
	for deadline := time.Now().Add(20 * time.Second); len(heard()) == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := heard(); len(got) != 1 || got[0].Caller.Client != uuid.UUID(me) || got[0].Claimed != thatClient ||
		!strings.HasPrefix(got[0].From, "127.0.0.1:") {
		t.Errorf("told of %+v", got)
	}
	away, now := &issuer{err: errors.New("away")}, time.Unix(1_800_000_000, 0)
	own := newSeen(cfg, away, newMetrics(nil), s.relay.log)
	who := identity.Caller{Client: uuid.UUID(me)}
	own.stranger(who, thatClient, "", now)
	own.tell(t.Context())
	if len(own.untold) != 1 {
		t.Errorf("%d are told of later", len(own.untold))
	}
	away.err = nil
	own.tell(t.Context())
	own.stranger(who, thatClient, "", now.Add(strangerPause-time.Second))
	if len(own.untold) != 0 {
		t.Errorf("%d untold within the hour", len(own.untold))
	}
	own.stranger(who, thatClient, "", now.Add(strangerPause))
	if len(own.untold) != 1 {
		t.Errorf("%d untold after the hour", len(own.untold))
	}
}

// Each certificate is told once, and again when that did not get through.
func TestCertificatesInUseAreTold(t *testing.T) {
	told := &issuer{}
	m := newMetrics(nil)
	s := newSeen(testConfig(), told, m, start(t, testConfig(), Deps{}).relay.log)
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	first := identity.Caller{Client: uuid.UUID{1}, Number: 1}
	second := identity.Caller{Client: uuid.UUID{1}, Number: 2}
	s.note(first, here)
	s.note(first, here)
	s.note(second, here)
	s.tell(t.Context())
	s.note(first, here)
	s.tell(t.Context())
	if !slices.Equal(told.seen, []identity.Caller{first, second}) {
		t.Errorf("told %v", told.seen)
	}
	s.note(first, there)
	if n := counterOf(t, m.shared); n != 1 {
		t.Errorf("another address was counted %v times", n)
	}
	third := identity.Caller{Client: uuid.UUID{1}, Number: 3}
	told.err = errors.New("away")
	s.note(third, here)
	s.tell(t.Context())
	told.err, told.seen = nil, nil
	s.tell(t.Context())
	if len(told.seen) != 0 {
		t.Errorf("told %v without a further sign", told.seen)
	}
	s.note(third, here)
	s.tell(t.Context())
	if !slices.Equal(told.seen, []identity.Caller{third}) {
		t.Errorf("told %v", told.seen)
	}
}

// More certificates than one call takes are told in the next.
func TestManyCertificatesAreTold(t *testing.T) {
	told := &issuer{}
	cfg := testConfig()
	cfg.ClientsTracked = 3 * seenAtOnce
	s := newSeen(cfg, told, newMetrics(nil), slog.New(slog.DiscardHandler))
	for n := range seenAtOnce + 5 {
		s.note(identity.Caller{Client: uuid.UUID{1}, Number: uint64(n + 1)}, netip.MustParseAddr("192.0.2.1"))
	}
	s.tell(t.Context())
	if len(told.seen) != seenAtOnce {
		t.Errorf("%d are told at once", len(told.seen))
	}
	s.tell(t.Context())
	if len(told.seen) != seenAtOnce+5 {
		t.Errorf("told of %d", len(told.seen))
	}
}

func TestAnAddressHasOneSpelling(t *testing.T) {
	for from, want := range map[string]netip.Addr{"[::ffff:192.0.2.1]:5": netip.MustParseAddr("192.0.2.1"),
		"192.0.2.1:5": netip.MustParseAddr("192.0.2.1"), "pipe": {}} {
		if got := addressOf(&http.Request{RemoteAddr: from}); got != want {
			t.Errorf("%s is %v", from, got)
		}
	}
}

package relay

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"statewire/identity"
	"statewire/smx"
)

func TestRatesAreRememberedForSoManyClients(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ClientRate, cfg.ClientBurst, cfg.ClientsTracked = 1, 1, 2
	r, now := newRates(cfg), time.Unix(1_800_000_000, 0)
	take := func(id byte) bool { return r.take(smx.ClientID{id}, now) == nil }
	for _, tc := range []struct {
		name string
		id   byte
		want bool
	}{
		{"the first of 1", 1, true},
		{"the second of 1", 1, false},
		{"the first of 2", 2, true},
		{"1 again, so that 2 is the longest silent", 1, false},
		{"the first of 3", 3, true},
		{"2 was forgotten", 2, true},
		{"3 was not", 3, false},
	} {
		if got := take(tc.id); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if n := r.buckets.Len(); n != 2 {
		t.Errorf("%d clients remembered", n)
	}
	now = now.Add(time.Second)
	if !take(3) {
		t.Error("a second later there is no token")
	}
	if p := r.take(smx.ClientID{3}, now); p == nil || p.Code != codeRate || p.after < time.Second || !p.Retry {
		t.Errorf("refused with %+v", p)
	}
}

func TestARateOfZeroIsNoLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ClientRate = 0
	r := newRates(cfg)
	for range 10_000 {
		if p := r.take(smx.ClientID{}, time.Unix(0, 0)); p != nil {
			t.Fatal(p)
		}
	}
}

// brokenCallers stands for any fault in the code of a request.
type brokenCallers struct{}

func (brokenCallers) Verify(tls.ConnectionState) error { return nil }

func (brokenCallers) Caller(*tls.ConnectionState) (identity.Caller, error) { panic("a fault") }

func TestAPanicConcernsOneRequest(t *testing.T) {
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	s := start(t, cfg, Deps{Callers: brokenCallers{}})
	pair, err := s.relay.certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.ca.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	for range 2 {
		resp, body := s.raw(t, post(report(testClient, 1)))
		if resp.StatusCode != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "a fault") ||
			resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}

// Retry-After has whole seconds only: it never sends a client back before the time is over.
func TestRetryAfterIsNeverBelowTheWait(t *testing.T) {
	for _, wait := range []time.Duration{1, time.Millisecond, time.Second, time.Second + 1, 1500 * time.Millisecond,
		2*time.Second - 1, 90 * time.Second} {
		for range 200 {
			if got := time.Duration(jittered(wait)) * time.Second; got < wait || got >= 2*wait+time.Second {
				t.Fatalf("a wait of %v is told as %v", wait, got)
			}
		}
	}
}

// Between two tokens a client gets none, and is asked to wait a second at least.
func TestTokensComeOneByOne(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ClientRate, cfg.ClientBurst = 4, 2
	r, now := newRates(cfg), time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {0, true}, {0, false}, // the burst
		{249 * time.Millisecond, false}, {time.Millisecond, true}, {0, false},
		{500 * time.Millisecond, true}, {0, true}, {0, false},
		{time.Hour, true}, {0, true}, {0, false}, // no more than the burst is saved up
	} {
		now = now.Add(step.after)
		p := r.take(smx.ClientID{1}, now)
		if (p == nil) != step.want || p != nil && p.after != time.Second {
			t.Errorf("%v after the one before: %+v", step.after, p)
		}
	}
}

func TestRetryAfterIsSpread(t *testing.T) {
	seen := map[int]bool{}
	for range 1000 {
		n := jittered(30 * time.Second)
		if n < 30 || n > 60 {
			t.Fatalf("%d s", n)
		}
		seen[n] = true
	}
	if len(seen) < 20 {
		t.Errorf("only %d different times", len(seen))
	}
}

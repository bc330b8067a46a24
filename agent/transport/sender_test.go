package transport

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// listen serves h over TLS for the test, and returns its address, its certificate in PEM and its pin.
func listen(t *testing.T, h http.Handler) (server *httptest.Server, authority []byte, pin string) {
	server = httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	server.EnableHTTP2 = false
	server.StartTLS()
	t.Cleanup(server.Close)
	cert := server.Certificate()
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), hex.EncodeToString(sum[:])
}

func connect(t *testing.T, address string, authority []byte, pin string) *Sender {
	t.Helper()
	trust, err := Trust(authority, pin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSender(address, trust, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAnswers(t *testing.T) {
	date := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // both clocks wrong: only the difference counts
	for _, c := range []struct {
		name    string
		status  int
		header  map[string]string
		body    string
		outcome Outcome
		after   time.Duration
		receipt string
	}{
		{name: "202 is final", status: 202, body: `{"receipt":"abc","file":"x.SMX","messages":3}`, outcome: Accepted,
			receipt: "abc"},
		{name: "a portal's 200 is no receipt", status: 200, body: "<html>", outcome: Again},
		{name: "nor is another program's 202", status: 202, body: `{"ok":true}`, outcome: Again},
		{name: "400 is set aside", status: 400, body: `{"code":"xml_syntax","detail":"line 1"}`, outcome: Refused},
		{name: "400 that says retry goes again", status: 400, body: `{"code":"checksum_mismatch","retry":true}`,
			outcome: Again},
		{name: "401 may pass with another certificate", status: 401, outcome: Again},
		{name: "403 may pass after a migration", status: 403, outcome: Again},
		{name: "404 is set aside: it never goes in a loop", status: 404, body: `{"code":"not_found"}`, outcome: Refused},
		{name: "404 of a balancer may pass", status: 404, body: "<html>", outcome: Again},
		{name: "400 of a proxy says nothing of the report", status: 400, body: "<html>", outcome: Again},
		{name: "408 goes again", status: 408, outcome: Again},
		{name: "413 is cut in two, whoever says it", status: 413, outcome: Refused},
		{name: "415 is set aside", status: 415, body: `{"code":"media_type"}`, outcome: Refused},
		{name: "429 goes again after the time asked for", status: 429, header: map[string]string{"Retry-After": "17"},
			outcome: Again, after: 17 * time.Second},
		{name: "503 with a date counts from the answer's date", status: 503, outcome: Again, after: 2 * time.Minute,
			header: map[string]string{"Date": date.Format(http.TimeFormat),
				"Retry-After": date.Add(2 * time.Minute).Format(http.TimeFormat)}},
		{name: "503 with nonsense goes again", status: 503, header: map[string]string{"Retry-After": "-5"}, outcome: Again},
		{name: "500 goes again", status: 500, outcome: Again},
		{name: "a redirect is not followed", status: 307,
			header: map[string]string{"Location": "https://elsewhere.invalid/"}, outcome: Again},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, authority, _ := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			answer := connect(t, server.URL, authority, "").Post(t.Context(), []byte("<Report/>"))
			if answer.Outcome != c.outcome || answer.After != c.after || answer.Receipt != c.receipt ||
				answer.Status != c.status {
				t.Errorf("got %+v", answer)
			}
		})
	}
}

func TestNoAnswerGoesAgain(t *testing.T) {
	cut := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	server, authority, _ := listen(t, cut)
	s := connect(t, server.URL, authority, "")
	if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Outcome != Again || answer.Err == nil {
		t.Errorf("connection cut: %+v", answer)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answer := s.Post(ctx, []byte("<Report/>")); answer.Outcome != Again {
		t.Errorf("cancelled: %+v", answer)
	}
	server.Close()
	if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Outcome != Again || answer.Status != 0 {
		t.Errorf("relay away: %+v", answer)
	}
}

func TestTrust(t *testing.T) {
	server, authority, pin := listen(t, http.NotFoundHandler())
	otherPin := strings.Repeat("00", 32)
	for _, c := range []struct {
		name      string
		authority []byte
		pin       string
		ok        bool
	}{
		{"the authority alone", authority, "", true},
		{"authority and pin", authority, pin, true},
		{"the pin alone, spelled with colons", nil, pin[:2] + ":" + pin[2:], true},
		{"neither: the system does not know the relay", nil, "", false},
		{"authority, but another pin", authority, otherPin, false},
		{"another pin alone", nil, otherPin, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := connect(t, server.URL, c.authority, c.pin)
			for range 2 { // the second time on a resumed or kept connection
				answer := s.Post(t.Context(), []byte("<Report/>"))
				if got := answer.Status != 0; got != c.ok {
					t.Fatalf("reached is %v (%v), want %v", got, answer.Err, c.ok)
				}
				if c.pin == otherPin && !errors.Is(answer.Err, errPin) {
					t.Errorf("error is %v, want the pin's", answer.Err)
				}
				s.Close()
			}
		})
	}
	for name, bad := range map[string]func() (*tls.Config, error){
		"no certificate in the PEM": func() (*tls.Config, error) { return Trust([]byte("hello"), "") },
		"short pin":                 func() (*tls.Config, error) { return Trust(nil, "abcd") },
	} {
		if _, err := bad(); err == nil {
			t.Errorf("%s: want a refusal", name)
		}
	}
}

func TestBodiesAreZippedAndConnectionsKept(t *testing.T) {
	var mu sync.Mutex
	var sizes []int64
	encodings, remotes := map[string]bool{}, map[string]bool{}
	server, authority, _ := listen(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		n, _ := io.Copy(io.Discard, req.Body)
		sizes = append(sizes, n)
		encodings[req.Header.Get("Content-Encoding")] = true
		remotes[req.RemoteAddr] = true
		if req.ProtoMajor != 1 || req.TLS.Version != tls.VersionTLS13 {
			t.Errorf("HTTP %d over TLS %x", req.ProtoMajor, req.TLS.Version)
		}
		w.WriteHeader(202)
		_, _ = io.WriteString(w, `{"receipt":"abc"}`)
	}))
	s := connect(t, server.URL, authority, "")
	for _, body := range []string{"<short/>", strings.Repeat("<long/>", 1000), strings.Repeat("<long/>", 1000),
		strings.Repeat("x", 1<<20)} {
		if answer := s.Post(t.Context(), []byte(body)); answer.Outcome != Accepted {
			t.Fatalf("%+v", answer)
		}
	}
	if sizes[0] != 8 || sizes[1] > 1000 || sizes[1] != sizes[2] || !encodings["gzip"] || !encodings[""] {
		t.Errorf("bodies of %v bytes, encodings %v; want the short one plain, the long ones zipped and equal",
			sizes, encodings)
	}
	if sizes[3] != 1<<20 {
		t.Errorf("a body that expands a thousandfold came as %d bytes; want it plain, or the relay takes it for an "+
			"attack", sizes[3])
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for four reports, want one", len(remotes))
	}
}

// A report that is larger than the link is fast has the time it takes: its bytes never change, so that it would never
// arrive otherwise.
func TestALargeReportMayTakeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tenMinutes = 10 * time.Minute
		var slow roundTrip = func(req *http.Request) (*http.Response, error) {
			select {
			case <-req.Context().Done():
				return nil, req.Context().Err()
			case <-time.After(tenMinutes):
				return &http.Response{StatusCode: 202, Body: io.NopCloser(strings.NewReader(`{"receipt":"abc"}`))}, nil
			}
		}
		s := newSender("https://relay.example/mp/reports", slow)
		if answer := s.Post(t.Context(), incompressible(8<<20)); answer.Outcome != Accepted {
			t.Errorf("8 MiB in ten minutes: %+v", answer)
		}
		began := time.Now()
		if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Outcome != Again || time.Since(began) > 2*postTimeout {
			t.Errorf("a relay that hangs gave %+v after %v", answer, time.Since(began))
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func incompressible(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func TestNewSenderRefusesOtherAddresses(t *testing.T) {
	for _, address := range []string{"", "relay", "relay:8443", "ftp://relay", "https://"} {
		if _, err := NewSender(address, nil, 1); err == nil {
			t.Errorf("%q: want a refusal", address)
		}
	}
}

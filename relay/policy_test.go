package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"statewire/smx"
)

// knownPolicies answers every client with one document and keeps what it was told.
type knownPolicies struct {
	mu       sync.Mutex
	document string
	etag     string
	err      error
	polls    []smx.Poll
}

func (k *knownPolicies) Policy(_ context.Context, poll smx.Poll) ([]byte, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.polls = append(k.polls, poll)
	return []byte(k.document), k.etag, k.err
}

// last is what the last poll said.
func (k *knownPolicies) last() (poll smx.Poll) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.polls) > 0 {
		poll = k.polls[len(k.polls)-1]
	}
	return poll
}

const thatClient = "GUID:FFFFFFFF-1111-2222-3333-444455556666"

func clientID(t testing.TB, id string) smx.ClientID {
	t.Helper()
	client, err := smx.ParseClientID(id)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func poll(query string, headers ...string) string {
	return request("GET /mp/policy"+query+" HTTP/1.1", headers...)
}

func TestPollIsAnswered(t *testing.T) {
	const me = "?client=" + testClient
	for _, tc := range []struct {
		name, etag string
		request    string
		status     int
		result     string // counted
	}{
		{"the document", `"v1"`, poll(me), 200, "sent"},
		{"a tag without marks gets them", `v1`, poll(me), 200, "sent"},
		{"the caller has it", `"v1"`, poll(me, `If-None-Match: "v1"`), 304, "unchanged"},
		{"the caller has it, among others", `"v1"`, poll(me, `If-None-Match: "v0", W/"v1"`), 304, "unchanged"},
		{"the caller has it, in a second line", `"v1"`, poll(me, `If-None-Match: "v0"`, `If-None-Match: "v1"`), 304,
			"unchanged"},
		{"the caller has any", `"v1"`, poll(me, `If-None-Match: *`), 304, "unchanged"},
		{"the caller has another", `"v1"`, poll(me, `If-None-Match: "v0"`), 200, "sent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, testConfig(), Deps{Policies: &knownPolicies{document: "<Policy/>", etag: tc.etag}})
			resp, body := s.raw(t, tc.request)
			want := map[int]string{200: "<Policy/>"}[tc.status]
			if resp.StatusCode != tc.status || body != want || resp.Close {
				t.Errorf("%d %q, close %v", resp.StatusCode, body, resp.Close)
			}
			if etag, cache := resp.Header.Get("ETag"), resp.Header.Get("Cache-Control"); etag != `"v1"` || cache != "no-cache" {
				t.Errorf("ETag %s, Cache-Control %s", etag, cache)
			}
			if kind := resp.Header.Get("Content-Type"); tc.status == 200 && kind != "application/xml" {
				t.Errorf("Content-Type %s", kind)
			}
			if n := s.metric(t, "statewire_relay_policies_total", tc.result); n != 1 {
				t.Errorf("%v counted as %s", n, tc.result)
			}
		})
	}
}

func TestPollSaysWhatTheClientHolds(t *testing.T) {
	me := clientID(t, testClient)
	const unknown = math.MaxUint32
	for _, tc := range []struct {
		name, query string
		want        smx.Poll
	}{
		{"all of it", "&serial=77&states=12&digest=00ff00ff00ff00ff&unsent=3",
			smx.Poll{Client: me, LastSerial: 77, States: 12, Digest: 0xff00ff00ff00ff, Unsent: 3}},
		{"nothing", "", smx.Poll{Client: me, Unsent: unknown}},
		{"the greatest serial", "&serial=4611686018427387904", smx.Poll{Client: me, LastSerial: 1 << 62, Unsent: unknown}},
		{"without the digest nothing is compared", "&serial=1&states=1&unsent=0",
			smx.Poll{Client: me, LastSerial: 1, States: 1, Unsent: unknown}},
		{"an upper-case digest", "&states=1&unsent=0&digest=FFFFFFFFFFFFFFFF",
			smx.Poll{Client: me, States: 1, Digest: math.MaxUint64}},
		{"what is not known is ignored", "&serial=5&colour=blue", smx.Poll{Client: me, LastSerial: 5, Unsent: unknown}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			known := &knownPolicies{etag: "e"}
			s := start(t, testConfig(), Deps{Policies: known})
			if resp, body := s.raw(t, poll("?client="+testClient+tc.query)); resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			if got := known.last(); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestMalformedPollIsRefused(t *testing.T) {
	known := &knownPolicies{etag: "e"}
	s := start(t, testConfig(), Deps{Policies: known})
	const me = "?client=" + testClient
	for _, tc := range []struct{ name, request string }{
		{"no client", poll("?serial=1")},
		{"no query", poll("")},
		{"a client that is none", poll("?client=PC1")},
		{"an empty client", poll("?client=")},
		{"two clients", poll(me + "&client=" + thatClient)},
		{"two serials", poll(me + "&serial=1&serial=2")},
		{"a serial above 2^62", poll(me + "&serial=4611686018427387905")},
		{"a serial above 2^64", poll(me + "&serial=99999999999999999999")},
		{"a negative serial", poll(me + "&serial=-1")},
		{"a serial with a sign", poll(me + "&serial=%2B1")},
		{"an empty serial", poll(me + "&serial=")},
		{"too many states", poll(me + "&states=4294967296")},
		{"a short digest", poll(me + "&digest=ff")},
		{"a digest that is no number", poll(me + "&digest=zzzzzzzzzzzzzzzz")},
		{"unsent that is no number", poll(me + "&unsent=all")},
		{"a query that is none", poll(me + "&serial=%zz")},
		{"a separator of old", poll(me + "&serial=1;states=2")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := s.raw(t, tc.request)
			if resp.StatusCode != 400 || !strings.Contains(body, `"code":"bad_poll"`) ||
				!strings.Contains(body, `"retry":false`) || resp.Close {
				t.Errorf("%d %s, close %v", resp.StatusCode, body, resp.Close)
			}
		})
	}
	for _, body := range []string{
		poll(me, "Content-Length: 3") + "abc",
		poll(me, "Transfer-Encoding: chunked") + chunked("abc"),
	} {
		if resp, said := s.raw(t, body); resp.StatusCode != 400 || !strings.Contains(said, "no body") || !resp.Close {
			t.Errorf("%d %s, close %v", resp.StatusCode, said, resp.Close)
		}
	}
	if resp, said := s.raw(t, request("POST /mp/policy HTTP/1.1", "Content-Length: 0")); resp.StatusCode != 405 ||
		resp.Header.Get("Allow") != "GET" {
		t.Errorf("%d %s", resp.StatusCode, said)
	}
	if known.polls != nil {
		t.Errorf("taken note of: %+v", known.polls)
	}
}

func TestPolicyIsUnavailable(t *testing.T) {
	for _, tc := range []struct {
		name     string
		policies policies
	}{
		{"nobody serves it", nil},
		{"who serves it fails", &knownPolicies{err: errors.New("dial /secret/path: refused")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, testConfig(), Deps{Policies: tc.policies})
			resp, body := s.raw(t, poll("?client="+testClient))
			if resp.StatusCode != 503 || !strings.Contains(body, `"code":"policy_unavailable"`) ||
				!strings.Contains(body, `"retry":true`) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if resp.Header.Get("Retry-After") == "" || strings.Contains(body, "secret") || resp.Close {
				t.Errorf("Retry-After %q, close %v, body %s", resp.Header.Get("Retry-After"), resp.Close, body)
			}
			if n := s.metric(t, "statewire_relay_policies_total", "later"); n != 1 {
				t.Errorf("%v counted as later", n)
			}
		})
	}
}

// TestPollerIsWhoItSays: with certificates the caller's own decides, whatever the query says.
func TestPollerIsWhoItSays(t *testing.T) {
	me := clientID(t, testClient)
	mtls := testConfig()
	mtls.Auth = AuthMTLS
	for _, tc := range []struct {
		name    string
		callers Callers
		cert    bool
		query   string
		status  int
		code    string
	}{
		{"no certificate", knownCallers{me}, false, "?client=" + testClient, 401, codeNoIdentity},
		{"nobody is known", nil, true, "?client=" + testClient, 401, codeNoIdentity},
		{"the client is the caller", knownCallers{me}, true, "?client=" + testClient + "&serial=3", 200, ""},
		{"in another letter case", knownCallers{me}, true, "?client=" + strings.ToLower(testClient), 200, ""},
		{"the client is left out", knownCallers{me}, true, "?serial=3", 200, ""},
		{"the client is another", knownCallers{me}, true, "?client=" + thatClient, 403, codeMismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			known := &knownPolicies{etag: "e"}
			s := start(t, mtls, Deps{Callers: tc.callers, Policies: known})
			if tc.cert {
				s.show(t)
			}
			resp, body := s.raw(t, poll(tc.query))
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.code) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if got := known.last(); tc.status == 200 && got.Client != me || tc.status != 200 && got != (smx.Poll{}) {
				t.Errorf("taken note of %+v", got)
			}
		})
	}
}

// show makes callers of the site show a certificate.
func (s *site) show(t testing.TB) {
	t.Helper()
	pair, err := s.relay.certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.ca.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
}

func TestPollsCountTowardsTheRate(t *testing.T) {
	cfg := testConfig()
	cfg.ClientRate, cfg.ClientBurst = 1, 2
	s := start(t, cfg, Deps{Policies: &knownPolicies{etag: "e"},
		Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	c := s.dial(t)
	for i, request := range []string{post(report(testClient, 1)), poll("?client=" + testClient),
		poll("?client=" + testClient)} {
		io.WriteString(c, request)
		if resp, body := answerOf(t, c); resp.StatusCode != []int{202, 200, 429}[i] {
			t.Errorf("request %d: %d %s", i, resp.StatusCode, body)
		}
	}
}

func TestPollsAndReportsShareAConnectionWhileTheDiskIsFull(t *testing.T) {
	in := newMemoryInbox()
	s := start(t, testConfig(), Deps{Inbox: in, Policies: &knownPolicies{document: "<Policy/>", etag: "e"}})
	c := s.dial(t)
	for range 3 {
		io.WriteString(c, post(report(testClient, 1)))
		if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		io.WriteString(c, poll("?client="+testClient))
		if resp, body := answerOf(t, c); resp.StatusCode != 200 || body != "<Policy/>" {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	in.set(func(m *memoryInbox) { m.bytes = 0 })
	s.relay.gate.look()
	if resp, body := s.raw(t, poll("?client="+testClient)); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

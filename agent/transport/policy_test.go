package transport

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"statewire/smx"
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
	claim := smx.Poll{Client: smx.ClientID{1, 2, 3}, LastSerial: 1431, States: 7, Digest: 0xab, Unsent: 2}
	for name, s := range map[string]*Sender{"authority": connect(t, server.URL, authority, ""),
		"pin": connect(t, server.URL, nil, pin)} {
		asked = nil
		if got := s.Policy(t.Context(), claim, ""); got.Outcome != Accepted || string(got.Document) != "<Policy/>" ||
			got.ETag != `"v1"` {
			t.Errorf("%s: %+v", name, got)
		}
		if got := s.Policy(t.Context(), claim, `"v1"`); got.Outcome != Idle || got.Status != 304 {
			t.Errorf("%s, known: %+v", name, got)
		}
		want := "client=GUID%3A01020300-0000-0000-0000-000000000000&digest=00000000000000ab&serial=1431&states=7&unsent=2"
		if len(asked) != 2 || asked[0].Method != http.MethodGet || asked[0].URL.Path != "/mp/policy" ||
			asked[0].URL.RawQuery != want {
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
		{name: "too many polls", status: 429, header: [2]string{"Retry-After", "30"}, outcome: Again,
			after: 30 * time.Second},
		{name: "the site is not there", status: 503, header: [2]string{"Retry-After", "60"},
			body: `{"code":"policy_unavailable"}`, outcome: Again, after: time.Minute},
		{name: "a redirect is not followed", status: 307, header: [2]string{"Location", "https://elsewhere.invalid/"},
			outcome: Again},
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
			if got.Outcome != c.outcome || got.After != c.after || got.Status != c.status || got.Err == nil ||
				got.Document != nil {
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
		if got := s.Policy(t.Context(), smx.Poll{}, ""); got.Outcome != Refused || !errors.Is(got.Err, errUntrusted) ||
			got.Document != nil {
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

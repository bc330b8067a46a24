package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"statewire/identity"
)

// deniedList is a list of denied certificates that a test changes.
type deniedList struct {
	now atomic.Pointer[identity.DeniedText]
}

func (l *deniedList) Denied() identity.DeniedText { return *l.now.Load() }

func (l *deniedList) become(text string, version uint64) *deniedList {
	l.now.Store(&identity.DeniedText{Text: []byte(text), Version: version})
	return l
}

// asRole is a caller whose certificate is a role's, until it is denied.
type asRole struct {
	inState
	role   string
	denied *atomic.Bool
}

func (a asRole) Caller(*tls.ConnectionState) (identity.Caller, error) {
	if a.denied != nil && a.denied.Load() {
		return identity.Caller{}, &identity.Refusal{Code: identity.CodeRevoked, Status: 401, Retry: true}
	}
	return identity.Caller{Role: a.role, Name: "x", Number: 1}, nil
}

func askDenied(query string, header ...string) string {
	return request("GET /mp/denied"+query+" HTTP/1.1", header...)
}

func TestTheListOfDeniedCertificatesIsForRelaysAndNotifiers(t *testing.T) {
	for _, auth := range []string{AuthMTLS, AuthNone} {
		for role, want := range map[string]int{"relay": 200, "notifier": 200, "fsp": 403, "site": 403, "": 403} {
			cfg := testConfig()
			cfg.Auth = auth
			s := start(t, cfg, Deps{Callers: asRole{role: role}, Denied: new(deniedList).become("GUID:X below 7\n", 5)})
			s.show(t)
			resp, body := s.raw(t, askDenied(""))
			if resp.StatusCode != want || (want == 200) != (body == "GUID:X below 7\n") {
				t.Errorf("%s, %q: %d %s", auth, role, resp.StatusCode, body)
			}
			if want == 200 && (resp.Header.Get("ETag") != `"5"` || resp.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("%v", resp.Header)
			}
		}
	}
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	me := knownCallers{clientID(t, testClient)}
	s := start(t, cfg, Deps{Callers: inState{knownCallers: me}, Denied: new(deniedList).become("x below 7\n", 5)})
	if resp, body := s.raw(t, askDenied("")); resp.StatusCode != 401 {
		t.Errorf("nobody: %d %s", resp.StatusCode, body)
	}
	s.show(t)
	if resp, body := s.raw(t, askDenied("")); resp.StatusCode != 403 {
		t.Errorf("a client: %d %s", resp.StatusCode, body)
	}
	s = start(t, cfg, Deps{Callers: asRole{role: "relay"}, Denied: new(deniedList).become("", 5)})
	s.show(t)
	for _, query := range []string{"?after=x", "?after=-1", "?after=1&after=2", "?after=9223372036854775808", "?after=%zz"} {
		if resp, body := s.raw(t, askDenied(query)); resp.StatusCode != 400 {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
	if resp, body := s.raw(t, askDenied("?after=4")); resp.StatusCode != 200 || body != "" {
		t.Errorf("an empty list: %d %q", resp.StatusCode, body)
	}
	none := start(t, cfg, Deps{Callers: asRole{role: "relay"}})
	none.show(t)
	if resp, _ := none.raw(t, askDenied("")); resp.StatusCode != 503 {
		t.Error(resp.StatusCode)
	}
}

func TestWhoHasTheListIsHeldUntilItChanges(t *testing.T) {
	cfg := testConfig()
	cfg.Auth, cfg.WriteTimeout = AuthMTLS, 500*time.Millisecond // an answer that waited has its full time
	have, gone := new(deniedList).become("a below 1\n", 5), new(atomic.Bool)
	s := start(t, cfg, Deps{Callers: asRole{role: "relay", denied: gone}, Denied: have})
	s.show(t)
	type got struct {
		resp *http.Response
		body string
		took time.Duration
	}
	hold := func() chan got {
		c, began, done := s.dial(t), time.Now(), make(chan got, 1)
		if _, err := io.WriteString(c, askDenied("?after=5")); err != nil {
			t.Fatal(err)
		}
		go func() {
			resp, body := answerOf(t, c)
			done <- got{resp, body, time.Since(began)}
		}()
		for len(s.relay.holding) == 0 && time.Since(began) < 20*time.Second {
			time.Sleep(time.Millisecond)
		}
		return done
	}
	if s.relay.deniedHold != 50*time.Second {
		t.Error(s.relay.deniedHold)
	}
	waits := hold()
	have.become("a below 2\n", 6)
	if g := <-waits; g.resp.StatusCode != 200 || g.body != "a below 2\n" || g.resp.Header.Get("ETag") != `"6"` ||
		g.took > 20*time.Second {
		t.Errorf("%+v", g)
	}
	have.become("a below 1\n", 5)
	waits = hold()
	gone.Store(true)
	have.become("a below 2\n", 6)
	if g := <-waits; g.resp.StatusCode != 401 {
		t.Errorf("who was denied meanwhile: %+v", g)
	}
	gone.Store(false)
	have.become("a below 1\n", 5)
	s.relay.deniedHold = 1200 * time.Millisecond // nobody is held at this moment
	waits = hold()
	if g := <-waits; g.resp.StatusCode != 304 || g.body != "" || g.resp.Header.Get("ETag") != `"5"` ||
		g.took < time.Second {
		t.Errorf("nothing changed: %+v", g)
	}
	s.relay.deniedHold = time.Hour
	for range deniedAtOnce {
		c := s.dial(t)
		if _, err := io.WriteString(c, askDenied("?after=5")); err != nil {
			t.Fatal(err)
		}
	}
	for began := time.Now(); len(s.relay.holding) < deniedAtOnce && time.Since(began) < 20*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if resp, body := s.raw(t, askDenied("?after=5")); resp.StatusCode != 503 {
		t.Errorf("one too many: %d %s", resp.StatusCode, body)
	}
	if resp, body := s.raw(t, askDenied(fmt.Sprint("?after=", 4))); resp.StatusCode != 200 {
		t.Errorf("who lacks the list: %d %s", resp.StatusCode, body)
	}
	began := time.Now()
	if err := s.stop(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("the stop took %v: %v", time.Since(began), err)
	}
}

package identity

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"statewire/internal/control"
)

// serveTokens serves tokens on a socket, and says how often they were asked and how to stop.
func serveTokens(t *testing.T, s *tokenSite) (path string, calls *atomic.Int64, stop func()) {
	t.Helper()
	path, calls = filepath.Join(t.TempDir(), "identity.sock"), &atomic.Int64{}
	ln, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Handle(mux)
	counted := func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		mux.ServeHTTP(w, r)
	}
	server := &http.Server{ConnContext: control.ConnContext, Handler: http.HandlerFunc(counted)}
	go server.Serve(ln)
	stop = func() { server.Close() }
	t.Cleanup(stop)
	return path, calls, stop
}

func TestTokensAreMadeAndVerifiedThroughTheSocket(t *testing.T) {
	s := newTokenSite(t)
	path, _, _ := serveTokens(t, s)
	c := DialAPITokens(path)
	made, err := c.Create(t.Context(), Wanted{Role: Operator, Life: day, Collections: []string{"pilot"}})
	if err != nil || made.Token == "" || !strings.HasPrefix(made.Creator, "local:") {
		t.Fatalf("%+v %v", made, err)
	}
	list, err := c.List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Fatalf("%+v %v", list, err)
	}
	person, err := c.Verify(t.Context(), made.Token, "10.0.0.1")
	if err != nil || person.Role != Operator || len(person.Collections) != 1 || person.Actor != "token:"+made.ID {
		t.Fatalf("%+v %v", person, err)
	}
	if _, err := c.Verify(t.Context(), otherSecret(made.Token), "10.0.0.1"); codeOf(t, err) != "401 token_invalid" {
		t.Errorf("a wrong one: %v", err)
	}
	if _, err := c.Revoke(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := DialAPITokens(path).Verify(t.Context(), made.Token, "10.0.0.1"); codeOf(t, err) != "401 token_revoked" {
		t.Errorf("a revoked one: %v", err)
	}
	_, err = c.Create(t.Context(), Wanted{Role: "root", Life: day})
	if err == nil || !strings.Contains(err.Error(), `"root"`) {
		t.Errorf("a wish that makes no sense: %v", err)
	}
}

func TestARevokedTokenIsRefusedWithinTenSeconds(t *testing.T) {
	s := newTokenSite(t)
	path, calls, stop := serveTokens(t, s)
	c := DialAPITokens(path)
	at := tokenDay
	c.now = func() time.Time { return at }
	made, end := s.make(Wanted{Role: Viewer, Life: day}), s.make(Wanted{Role: Viewer, Life: time.Minute})
	code := func(token string) string {
		t.Helper()
		_, err := c.Verify(t.Context(), token, "10.0.0.1")
		return codeOf(t, err)
	}
	for range 5 {
		if got := code(made.Token); got != "" {
			t.Fatal(got)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("five questions in a moment made %d calls", n)
	}
	if _, err := s.Revoke(t.Context(), localAdmin, made.ID); err != nil {
		t.Fatal(err)
	}
	for at = tokenDay; at.Before(tokenDay.Add(10 * time.Second)); at = at.Add(time.Second) {
		code(made.Token) // using it keeps it no longer
	}
	if got := code(made.Token); got != "401 token_revoked" {
		t.Errorf("ten seconds after it was revoked: %q", got)
	}
	at = tokenDay.Add(59 * time.Second)
	s.at = at
	if got := code(end.Token); got != "" {
		t.Fatal(got)
	}
	at = tokenDay.Add(time.Minute)
	s.at = at
	if got := code(end.Token); got != "401 token_expired" {
		t.Errorf("what is believed outlives the token's end: %q", got)
	}
	for range 2 { // a refusal is not kept
		before := calls.Load()
		if got := code("swt_"); got != "401 token_invalid" || calls.Load() != before+1 {
			t.Errorf("a wrong one: %q, %d calls", got, calls.Load()-before)
		}
	}
	stop()
	at = at.Add(time.Hour)
	if got := code(made.Token); got != "503 identity_unavailable" {
		t.Errorf("while nobody answers: %q", got)
	}
}

func TestVerifiedTokensTakeBoundedMemory(t *testing.T) {
	c := DialAPITokens("/nowhere/identity.sock")
	for n := range 3 * verifiedKept {
		c.known.Add([32]byte{byte(n), byte(n >> 8)}, verified{})
	}
	if c.known.Len() != verifiedKept {
		t.Errorf("%d are kept", c.known.Len())
	}
}

// Another process of the site is trusted, but what it does not need it does not get: the secret of a token.
func TestTheSecretIsNotSentToBeVerified(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("c2VjcmV0", 6)[:42] + "A"
	sent := make(chan string, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		json.NewDecoder(r.Body).Decode(&body)
		sent <- string(body)
	})}
	go server.Serve(ln)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	DialAPITokens(path).Verify(ctx, "swt_AAAAAAAA_"+secret, "10.0.0.1")
	if body := <-sent; !strings.Contains(body, "AAAAAAAA") || strings.Contains(body, secret[:16]) {
		t.Errorf("sent was %s", body)
	}
}

// What somebody asked for with a token goes on as long as the token is good, here and in another process.
func TestTheStandingOfAToken(t *testing.T) {
	s := newTokenSite(t)
	path, _, stop := serveTokens(t, s)
	c := DialAPITokens(path)
	long, short := s.make(Wanted{Role: Operator, Life: 2 * day}), s.make(Wanted{Role: Operator, Life: day})
	want := func(what, id, want string) {
		t.Helper()
		if got := codeOf(t, s.Standing(t.Context(), id)); got != want {
			t.Errorf("%s: %q", what, got)
		}
		if got := codeOf(t, c.Standing(t.Context(), id)); got != want {
			t.Errorf("%s, in another process: %q", what, got)
		}
	}
	want("good", long.ID, "")
	want("nobody's", "AAAAAAAAAAAA", "401 token_invalid")
	s.at = s.at.Add(day)
	want("over", short.ID, "401 token_expired")
	want("good still", long.ID, "")
	if _, err := s.Revoke(t.Context(), localAdmin, long.ID); err != nil {
		t.Fatal(err)
	}
	want("revoked", long.ID, "401 token_revoked")
	stop()
	c = DialAPITokens(path)
	if got := codeOf(t, c.Standing(t.Context(), long.ID)); got != "503 identity_unavailable" {
		t.Errorf("nobody answers: %q", got)
	}
}

package client

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/credentials"
	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
)

// unenrolled are the credentials of a new client, over its store.
func unenrolled(t *testing.T) *credentials.Credentials {
	t.Helper()
	dir := t.TempDir()
	store, err := cache.Open(agentStore(dir), cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	creds, err := openCredentials(dir, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

// A client tries the token in its file, goes on looking for another one after a refusal, and removes the file once it
// has its certificate.
func TestAClientEnrolsItself(t *testing.T) {
	site, creds := agenttest.NewAuthority(t), unenrolled(t)
	file, relay := filepath.Join(t.TempDir(), "token"), site.Listen()
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := site.Token().String()
	site.Refuse = func(_ string, attempt int) *agenttest.Refusal {
		if attempt == 0 {
			return &agenttest.Refusal{Status: 403, Body: `{"code":"token_expired"}`}
		}
		return nil
	}
	put(bad)
	ended := make(chan error, 1)
	go func() {
		ended <- enrolItself(t.Context(), file, relay, creds, time.Millisecond, slog.New(slog.DiscardHandler))
	}()
	for range 1000 {
		if strings.Contains(creds.Status().Problem, "token_expired") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	if asked := len(site.Seen()); asked != 1 {
		t.Errorf("a refused token was tried %d times", asked)
	}
	put("nonsense")
	time.Sleep(20 * time.Millisecond)
	put(site.Token().String())
	if err := <-ended; err != nil || !creds.Enrolled() {
		t.Fatalf("%v, %+v", err, creds.Status())
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the token is still there")
	}
	put(bad) // as a process leaves it that was killed before it removed the file
	asked := len(site.Seen())
	err := enrolItself(t.Context(), file, relay, creds, time.Millisecond, slog.New(slog.DiscardHandler))
	if _, stat := os.Stat(file); err != nil || stat == nil || len(site.Seen()) != asked {
		t.Errorf("%v, the token is still there, or was tried again", err)
	}
}

// Without a token file a client just runs; one that is stopped while it enrols ends without an error.
func TestAClientWithoutATokenRuns(t *testing.T) {
	creds, quiet := unenrolled(t), slog.New(slog.DiscardHandler)
	if err := enrolItself(t.Context(), "/nowhere", "https://127.0.0.1:1", creds, time.Hour, quiet); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(agenttest.NewAuthority(t).Token().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := enrolItself(ctx, file, "https://127.0.0.1:1", creds, time.Hour, quiet); err != nil || creds.Enrolled() {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("a token that was not used was removed")
	}
}

func TestATokenIsReadFromAFileOrStandardInput(t *testing.T) {
	token := agenttest.NewAuthority(t).Token()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &commands{&cli.Globals{}}
	for name, c := range map[string]struct {
		file, in string
		ok       bool
	}{
		"a file": {file, "", true}, "standard input": {"-", " " + token.String(), true},
		"no such file": {"/nowhere", "", false},
		"nonsense":     {"-", "hello", false}, "a large file": {"-", token.String() + strings.Repeat(" ", 1<<20), false},
	} {
		cmd := &cobra.Command{}
		cmd.SetIn(strings.NewReader(c.in))
		cmd.SetOut(io.Discard)
		got, err := g.ReadToken(cmd, "token-file", c.file)
		if (err == nil) != c.ok || c.ok && got != token {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheHealthOfACertificate(t *testing.T) {
	for name, c := range map[string]struct {
		s    local.IdentityReport
		want cli.Health
		why  string
	}{
		"none, and none needed": {local.IdentityReport{}, cli.HealthOK, ""},
		"well":                  {local.IdentityReport{Enrolled: true}, cli.HealthOK, ""},
		"not renewed": {local.IdentityReport{Enrolled: true, Problem: "renewal: x"}, cli.HealthWarning,
			"renewal: x"},
		"expired":          {local.IdentityReport{Enrolled: true, Expired: true}, cli.HealthCritical, "expired"},
		"ended":            {local.IdentityReport{Enrolled: true, Ended: "superseded"}, cli.HealthCritical, "agent new-id"},
		"waits":            {local.IdentityReport{Pending: "7Q2M4KAB"}, cli.HealthWarning, "enroll approve 7Q2M4KAB"},
		"another client's": {local.IdentityReport{OtherID: "GUID:x"}, cli.HealthWarning, "GUID:x"},
		"refused":          {local.IdentityReport{Problem: "token_used"}, cli.HealthWarning, "token_used"},
		"distrust":         {local.IdentityReport{Enrolled: true, Distrust: "wrong_trust"}, cli.HealthWarning, "wrong_trust"},
	} {
		got, why := agentHealth(local.StatusReport{Identity: c.s}, time.Now())
		if got != c.want || !strings.Contains(strings.Join(why, ";"), c.why) {
			t.Errorf("%s: %v, %v", name, got, why)
		}
	}
}

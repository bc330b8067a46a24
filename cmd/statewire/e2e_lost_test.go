package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
)

// A part that disappears while the site is down is critical everywhere until somebody accepts it; a store that
// disappears is refused.
func TestALostPartIsCriticalUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	command(t, data, "load", "--create", mixedFolder(t, newLedger())) // a bad file among them makes it fail
	part := query(t, data,
		"SELECT path FROM system.parts WHERE active AND database = 'statewire' AND table = 'state_messages' LIMIT 1")[0][0]
	if err := os.RemoveAll(part); err != nil {
		t.Fatal(err)
	}
	s := serve(t, data)
	pages := s.reports
	lost := func() bool {
		code, text := fetch(t, pages+"/readyz")
		return code == 503 && strings.Contains(text, "rows are lost")
	}
	if !eventually(patience, lost) {
		t.Error("readyz never says that rows are lost")
	}
	if _, text := fetch(t, pages+"/reports"); !strings.Contains(text, `class="alarm"`) {
		t.Error("a page says nothing of it")
	}
	if r := command(t, data, "status"); r.code != int(cli.HealthCritical) ||
		!strings.Contains(r.out, "of state_messages") {
		t.Errorf("status ended with %d: %s", r.code, r.out)
	}
	done(t, data, "store", "accept-loss")
	if r := command(t, data, "status"); r.code == int(cli.HealthCritical) {
		t.Errorf("status after it was accepted: %s", r.out)
	}
	s.kill()
	if err := os.RemoveAll(filepath.Join(data, "store")); err != nil {
		t.Fatal(err)
	}
	if r := command(t, data, "ingest", "--once"); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "serve --new-store") {
		t.Errorf("without a store: ended with %d: %s", r.code, r.errOut)
	}
}

func fetch(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
)

// Files are dropped into an inbox before any site has run: commands that read answer and make no store, the first load
// makes it.
func TestASiteWithoutAStoreYet(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	oldReport(t, data)
	for _, query := range []string{"SELECT 7 AS n", "SELECT count() + 7 AS n FROM clients"} {
		r := command(t, data, "--format", "csv", "sql", query)
		if r.code != 0 || r.out != "n\n7\n" || !strings.Contains(r.errOut, "has no store yet") {
			t.Errorf("%s: ended with %d, printed %q, said %q", query, r.code, r.out, r.errOut)
		}
	}
	if r := command(t, data, "resync", "check"); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "has no store yet; `statewire serve` or `statewire ingest --once` makes it") {
		t.Errorf("resync check: ended with %d, said %q", r.code, r.errOut)
	}
	if _, err := os.Stat(filepath.Join(data, "store")); err == nil {
		t.Error("a command that reads made a store")
	}
	done(t, data, "ingest", "--once")
	if r := command(t, data, "--format", "csv", "sql", "SELECT count() AS n FROM clients"); r.out != "n\n1\n" ||
		r.errOut != "" {
		t.Errorf("after the first load: printed %q, said %q", r.out, r.errOut)
	}
}

// A mistyped folder stays what it is, and no command names a flag that it does not have.
func TestAFolderThatIsNoSite(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	for _, args := range [][]string{
		{"account"}, {"dead", "list"}, {"resync", "list"}, {"collection", "list"}, {"store", "migrate"}, {"explain",
			"X"}, {"sql", "SELECT 1"},
		{"resync", "check"}, {"load", "."},
	} {
		r := command(t, data, args...)
		advice := "start one there with `statewire serve`"
		if args[0] == "load" || args[1:] != nil && args[len(args)-1] == "check" {
			advice = "make a site there with --create"
		}
		if r.code != cli.ExitFailed || r.out != "" || !strings.HasSuffix(r.errOut, advice+"\n") ||
			strings.Count(r.errOut, "\n") != 1 {
			t.Errorf("%v ended with %d, printed %q, said %q", args, r.code, r.out, r.errOut)
		}
	}
	if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files are dropped into an inbox before any site has run: commands that read answer and make no store, the first load makes it.
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
	if r := command(t, data, "resync", "check"); r.code != exitFailed || !strings.Contains(r.errOut, "it has no store") {
		t.Errorf("resync check: ended with %d, said %q", r.code, r.errOut)
	}
	if _, err := os.Stat(filepath.Join(data, "store")); err == nil {
		t.Error("a command that reads made a store")
	}
	done(t, data, "ingest", "--once")
	if r := command(t, data, "--format", "csv", "sql", "SELECT count() AS n FROM clients"); r.out != "n\n1\n" || r.errOut != "" {
		t.Errorf("after the first load: printed %q, said %q", r.out, r.errOut)
	}
}

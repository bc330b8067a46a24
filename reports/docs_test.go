package reports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// TestTheDocumentationIsTrue runs the example of docs/reports.md and looks for every report in it.
func TestTheDocumentationIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "reports.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```sql\n")
	example, _, _ = strings.Cut(example, "```")
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "by-version.sql"), example)
	s := reportstest.Fleet(t)
	r := s.Runner(func(c *reports.Config, _ *reports.Deps) { c.Dir = dir })
	expect(t, lines(s.All(r, "by-version", nil), "client_version", "clients"), "5.00.9141.1000 | 5")
	for _, rep := range r.Catalog().List() {
		if rep.Name != "by-version" && !strings.Contains(string(text), "`"+rep.Name+"`") {
			t.Errorf("docs/reports.md doesn't name %s", rep.Name)
		}
	}
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

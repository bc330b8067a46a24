package explain_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"statewire/reports/reportstest"
)

var clockForm = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`)

// relative writes each time as its distance from the seed's now, so that a golden text holds at any time.
func relative(s *reportstest.Site, text string) string {
	return clockForm.ReplaceAllStringFunc(text, func(clock string) string {
		at, err := time.Parse("2006-01-02 15:04:05Z", clock)
		if err != nil {
			s.T.Fatal(err)
		}
		switch d := at.Sub(s.Now.Truncate(time.Second)); {
		case d < 0:
			return "[now-" + (-d).String() + "]"
		default:
			return "[now+" + d.String() + "]"
		}
	})
}

// golden compares with a file of testdata; UPDATE_GOLDEN=1 rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; UPDATE_GOLDEN=1 rewrites it\n%s", file, got)
	}
}

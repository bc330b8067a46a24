package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/internal/refusals"
	"statewire/site"
)

func TestStatusTellsOfRefusedReports(t *testing.T) {
	g := &globals{Globals: cli.Globals{Data: t.TempDir()}}
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	if err := os.MkdirAll(filepath.Dir(site.RefusedFile(g.Data)), 0o700); err != nil {
		t.Fatal(err)
	}
	refused := func(ago time.Duration, code string) refusals.Refusal {
		return refusals.Refusal{Time: now.Add(-ago), Code: code}
	}
	over := refused(time.Second, "over")
	over.Taken = now
	for _, c := range []struct {
		name string
		list []refusals.Refusal
		want string
	}{
		{"no relay ran here", nil, "[]"},
		{"nothing was refused since", []refusals.Refusal{over},
			"[{refused 0 a later report was taken of each client whose report was refused}]"},
		{"the latest is told", []refusals.Refusal{over, refused(time.Hour, "a"), refused(time.Minute, "b"),
			refused(2*time.Hour, "c")},
			"[{refused 1 the relay refused the last report of 3 clients, the latest 1m0s ago: b; `statewire report " +
				"refused-reports`}]"},
		{"nobody has to look at an old one", []refusals.Refusal{refused(24*time.Hour, "a")},
			"[{refused 0 the relay refused the last report of 1 client, the latest 24h0m0s ago: a; `statewire report " +
				"refused-reports`}]"},
	} {
		if c.list != nil {
			if err := refusals.Write(site.RefusedFile(g.Data), c.list); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(g.refusedCheck(now)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if err := os.WriteFile(site.RefusedFile(g.Data), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := g.refusedCheck(now); len(got) != 1 || got[0].health != cli.HealthUnknown {
		t.Errorf("a file that can't be read: %v", got)
	}
}

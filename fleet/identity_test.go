package fleet

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/agent/agenttest"
)

// enrolling is a fleet against a site that gives certificates.
func enrolling(t *testing.T, clients int) (*agenttest.Authority, *site, Config) {
	t.Helper()
	authority, reports := agenttest.NewAuthority(t), newSite(t)
	authority.Next = reports
	cfg := DefaultConfig()
	cfg.Clients, cfg.Relay, cfg.Senders = clients, authority.Listen(), 4
	cfg.Loss, cfg.Duplicate, cfg.Reorder, cfg.Damage, cfg.Leave, cfg.Silent = 0, 0, 0, 0, 0, 0.1
	cfg.PolicyInterval = 0
	cfg.PatchDay, cfg.For, cfg.Settle = time.Second, time.Second, 5*time.Second
	return authority, reports, cfg
}

// Each client of a fleet has a certificate of its own, by one token, and goes on with it without the token.
func TestAFleetEnrols(t *testing.T) {
	authority, reports, cfg := enrolling(t, 20)
	token := authority.Token()
	cfg.Token = &token
	path := filepath.Join(t.TempDir(), "fleet.db")
	run := func() Stats {
		t.Helper()
		fs, err := OpenStore(path)
		if err != nil {
			t.Fatal(err)
		}
		defer fs.Close()
		f, err := New(cfg, fs, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.Stats()
	}
	stats := run()
	speaking := stats.Clients - stats.Silent
	if stats.Silent == 0 || stats.Enrolled != int64(speaking) || stats.Unsettled > 0 || len(reports.Clients) != speaking {
		t.Errorf("%d enrolled of %d that speak; %d reported; %+v", stats.Enrolled, speaking, len(reports.Clients), stats)
	}
	shown := func() []string {
		seen := authority.Seen()
		slices.Sort(seen)
		return slices.DeleteFunc(slices.Compact(seen), func(number string) bool { return number == "" })
	}
	if n := len(shown()); n != speaking {
		t.Errorf("%d certificates were shown, want %d", n, speaking)
	}
	cfg.Token, cfg.For, cfg.PatchDay = nil, 0, time.Hour
	cfg.For = time.Second
	before := len(authority.Enrolled)
	if again := run(); again.Enrolled != 0 || len(authority.Enrolled) != before || again.Reports == 0 ||
		again.Unsettled > 0 || len(shown()) != speaking {
		t.Errorf("without the token: %+v, %d certificates", again, len(shown()))
	}
}

func TestAFleetThatMayNotEnrolSaysWhy(t *testing.T) {
	authority, _, cfg := enrolling(t, 5)
	authority.Refuse = func(string, int) *agenttest.Refusal {
		return &agenttest.Refusal{Status: 403, Body: `{"code":"token_used"}`}
	}
	token := authority.Token()
	cfg.Token = &token
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "token_used") {
		t.Errorf("%v", err)
	}
	cfg.Relay = "http://127.0.0.1:1"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("a token over plain HTTP: %v", err)
	}
}

// A fleet keeps a bounded number of connections open.
func TestAFleetsConnectionsAreBounded(t *testing.T) {
	authority, _, cfg := enrolling(t, 5)
	token := authority.Token()
	cfg.Token, cfg.Silent = &token, 0
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for range mostOpen {
		f.open(f.clients[0])
	}
	f.open(f.clients[1])
	f.open(f.clients[2])
	if len(f.opened) != mostOpen || f.opened[0] != f.clients[1] || f.opened[1] != f.clients[2] {
		t.Errorf("%d are kept", len(f.opened))
	}
}

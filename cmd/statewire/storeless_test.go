package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/site"
	"statewire/store"
)

// TestARelayOutlivesAStoreThatDoesNotOpen runs all roles without an engine: whoever looks is told why, and the site
// tries again.
func TestARelayOutlivesAStoreThatDoesNotOpen(t *testing.T) {
	g := &globals{Globals: cli.Globals{Data: t.TempDir(), Format: "csv", LogLevel: "error"}}
	cfg := configs.Default()
	cfg.Relay.Listen, cfg.Relay.Auth, cfg.Reports.Listen = "127.0.0.1:0", "none", "127.0.0.1:0"
	cfg.Notifier.Listen = "127.0.0.1:0"
	cfg.Store.Engine = filepath.Join(g.Data, "engine.so")
	pages, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.New(site.Config{Data: g.Data, Settings: cfg, Roles: site.Roles(site.Built),
		Log:   slog.New(slog.DiscardHandler),
		Pages: pages, RepairRetry: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	says := func(want string) func() bool {
		return func() bool {
			c := g.unserved()
			return c.health == cli.HealthCritical && strings.Contains(c.detail, want)
		}
	}
	eventually(patience, says("no engine library at "+cfg.Store.Engine))
	if !says("no engine library at " + cfg.Store.Engine)() {
		t.Fatalf("status says %v", g.unserved())
	}
	if err := os.WriteFile(cfg.Store.Engine, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Where another test of this process runs an engine, that is what it says next.
	again := func() bool { return says("load engine library")() || says("runs an embedded engine already")() }
	eventually(patience, again)
	if !again() {
		t.Errorf("it does not try again: %v", g.unserved())
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/": 503, "/reports/clients": 503,
		"/metrics": 200} {
		resp, err := http.Get("http://" + pages.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || err != nil || want == 503 && !strings.Contains(string(text), "statewire status") {
			t.Errorf("%s answers %d %s (%v)", path, resp.StatusCode, text, err)
		}
	}
	foreign, err := http.NewRequest(http.MethodGet, "http://"+pages.Addr().String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Host = "evil.example"
	if resp, err := http.DefaultClient.Do(foreign); err != nil || resp.Body.Close() != nil || resp.StatusCode != 421 {
		t.Errorf("a foreign name reads the metrics: %v, %v", resp, err)
	}
	select {
	case err := <-ended:
		t.Fatalf("the site ended: %v", err)
	default:
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("a stopped site ends with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestASiteWithoutARelayEndsWhenItsStoreDoesNotOpen: it has nothing to do, and its service manager starts it again.
func TestASiteWithoutARelayEndsWhenItsStoreDoesNotOpen(t *testing.T) {
	cfg := configs.Default()
	cfg.Store.Engine, cfg.Reports.Listen = "/nonexistent", "127.0.0.1:0"
	s, err := site.New(site.Config{Data: t.TempDir(), Settings: cfg, Roles: site.Roles{"ingest", "resync", "reports"},
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no engine library") {
		t.Errorf("it ended with %v", err)
	}
}

// TestADamagedMarkIsCriticalAndStopsNoRelay: what is wrong with the store is no reason to refuse reports.
func TestADamagedMarkIsCriticalAndStopsNoRelay(t *testing.T) {
	g := &globals{Globals: cli.Globals{Data: t.TempDir(), Format: "csv", LogLevel: "error"}}
	if err := errors.Join(os.MkdirAll(filepath.Join(g.Data, "store", "data"), 0o700),
		os.WriteFile(filepath.Join(g.Data, store.MarkName), []byte(`{"format":1,"sto`), 0o600)); err != nil {
		t.Fatal(err)
	}
	if checks := g.checkStore(t.Context(), configs.Default()); len(checks) != 1 ||
		checks[0].health != cli.HealthCritical ||
		!strings.Contains(checks[0].detail, "remove the file") {
		t.Errorf("status says %v", checks)
	}
	if _, err := site.New(site.Config{Data: g.Data, Settings: configs.Default(), Roles: site.Roles(site.Built),
		Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Errorf("a site does not start: %v", err)
	}
}

package site

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statewire/configs"
	"statewire/notifier"
)

// channelSite is a site without a store.
func channelSite(t *testing.T, roles Roles, change func(*configs.Config)) *Site {
	t.Helper()
	cfg := configs.Default()
	cfg.Relay.Listen, cfg.Notifier.Listen = "127.0.0.1:0", "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	s, err := New(Config{Data: t.TempDir(), Settings: cfg, Roles: roles, Log: slog.New(slog.DiscardHandler),
		RepairRetry: 10 * time.Millisecond, FirstSteps: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A port that is taken is told by its key.
func TestAPortThatIsTakenIsToldByItsKey(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := channelSite(t, Roles{"identity", "relay", "notifier"}, func(c *configs.Config) {
		c.Notifier.Listen = taken.Addr().String()
	})
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "notifier.listen "+taken.Addr().String()) ||
		!strings.Contains(err.Error(), "--roles") {
		t.Errorf("the site ends with %v", err)
	}
}

// Clients are told where the notifier is when they would not find it: its own port, once it is known, and no longer the
// one of before.
func TestClientsAreToldTheNotifiersPort(t *testing.T) {
	for port, want := range map[uint16]string{10123: "", 10200: ":10200", 1: ":1"} {
		if got := sayPort(port); got != want {
			t.Errorf("port %d: %q", port, got)
		}
	}
	s := channelSite(t, Roles{"identity", "relay", "notifier"}, nil)
	if port, err := readPort(s.cfg.Data); port != 0 || err != nil {
		t.Errorf("no notifier runs, and listens at %d: %v", port, err)
	}
	started := make(chan Addresses, 1)
	s.cfg.Started = func(a Addresses) { started <- a }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	at := <-started
	port, err := readPort(s.cfg.Data)
	if err != nil || !strings.HasSuffix(at.Notifier, sayPort(port)) || port == 0 {
		t.Errorf("it listens at %s, and says %d: %v", at.Notifier, port, err)
	}
	if s.selfTest == nil || s.selfTest.Notifier != at.Notifier || s.selfTest.Channel != at.Relay+"/mp/channel" {
		t.Errorf("it tries %+v", s.selfTest)
	}
	config := s.selfTest.TLS("127.0.0.1")
	pair, err := config.GetClientCertificate(nil)
	if err != nil || len(pair.Leaf.URIs) != 1 || !strings.HasSuffix(pair.Leaf.URIs[0].String(), ":role:notifier:local") {
		t.Errorf("it shows %v: %v", pair, err)
	}
	if err := s.readiness()(ctx); err != nil {
		t.Errorf("it is not ready: %v", err)
	}
	if err := os.RemoveAll(PresenceBox(s.cfg.Data)); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if port, err := readPort(s.cfg.Data); port != 0 || err != nil {
		t.Errorf("it has stopped, and listens at %d: %v", port, err)
	}
}

type toldPorts []string

func (t *toldPorts) NotifierAt(address string) { *t = append(*t, address) }

// A port that is another one after a restart of the site is a change, which wakes whoever is connected; the same one is
// none.
func TestAnotherPortAfterARestartIsAChange(t *testing.T) {
	s := channelSite(t, Roles{"resync", "notifier"}, nil)
	unlock, err := s.cfg.Roles.Lock(s.cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for _, start := range []struct {
		port uint16
		told []string // the first of them is what was known
	}{{10200, []string{":10200"}}, {10200, []string{":10200"}}, {10300, []string{":10200", ":10300"}},
		{10123, []string{":10300", ""}}, {10123, []string{""}}} {
		if err := writePort(s.cfg.Data, &net.TCPAddr{Port: int(start.port)}); err != nil {
			t.Fatal(err)
		}
		var told toldPorts
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 3*notifierLook)
			defer stop()
			s.tellNotifier(ctx, &told)
		})
		if !slices.Equal(told, start.told) {
			t.Errorf("a start at port %d tells %q, want %q", start.port, told, start.told)
		}
	}
}

// What a notifier's user writes is a port, or nothing.
func TestAPortIsANumber(t *testing.T) {
	s := channelSite(t, Roles{"notifier"}, nil)
	unlock, err := Roles{"notifier"}.Lock(s.cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for text, want := range map[string]uint16{"10200\n": 10200, "65536\n": 0, "-1": 0, "x:10200": 0, "": 0} {
		if err := os.WriteFile(NotifierPort(s.cfg.Data), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if port, err := readPort(s.cfg.Data); port != want || (err == nil) != (want != 0) {
			t.Errorf("%q is read as %d: %v", text, port, err)
		}
	}
}

// A manager that does not start stops no relay: it is tried again, and works once what hindered it is gone.
func TestARelayOutlivesItsManager(t *testing.T) {
	s := channelSite(t, Roles{"relay", "ingest"}, func(c *configs.Config) {
		c.Relay.Auth, c.Store.Engine = "none",
			"/nonexistent"
	})
	if err := os.WriteFile(NotifierDir(s.cfg.Data), nil, 0o600); err != nil { // where its folder is to be
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	eventually := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never: %s", what)
			}
		}
	}
	eventually("the relay is ready", func() bool {
		_, err := os.Stat(ProblemFile(s.cfg.Data))
		return err == nil
	})
	if s.manager.Wake(ctx, nil) == nil {
		t.Error("a manager that has not started wakes somebody")
	}
	if err := os.Remove(NotifierDir(s.cfg.Data)); err != nil {
		t.Fatal(err)
	}
	eventually("the manager runs", func() bool { return s.manager.Wake(ctx, nil) == nil })
	p, running, err := AskPresence(ctx, s.cfg.Data)
	if err != nil || !running || len(p.Servers) != 0 {
		t.Errorf("%+v %v %v", p, running, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What takes effect while the notifier runs is what the reloader calls live, and nothing else.
func TestTheNotifierTakesItsLiveKeys(t *testing.T) {
	started := notifier.DefaultConfig()
	now := notifier.Config{Listen: ":1", KeepAlive: 2, OfflineAfter: 3, TaskValidity: 4, ThrottlePerSecond: 5,
		PresenceInterval: 6, ResultsInterval: 7, MaxConnections: 8, MaxHTTP: 9, HTTPHold: 10, History: 11}
	want := started
	want.KeepAlive, want.OfflineAfter, want.ThrottlePerSecond, want.HTTPHold = 2, 3, 5, 10
	if got := liveNotifier(started, now); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Of the files that a process may have, those who report have theirs first.
func TestFilesAreSharedOut(t *testing.T) {
	s := channelSite(t, Roles{"relay", "notifier"}, nil)
	reports := s.relayFiles() + stageFiles
	waiting, beside := s.channelClients(), s.otherFiles()
	if waiting < 1 || waiting > s.cfg.Settings.Notifier.MaxHTTP || beside != reports+waiting {
		t.Errorf("%d wait, %d are not the notifier's", waiting, beside)
	}
	alone := channelSite(t, Roles{"relay"}, nil)
	if n := alone.channelClients(); n < 1 || n > max(1, (openFiles()-reports)/2) && n < s.cfg.Settings.Notifier.MaxHTTP {
		t.Errorf("%d wait at a relay that needs two files for each", n)
	}
}

package client

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"statewire/agent"
)

// A bundle of logs says how the client is doing, and no secret of the machine.
func TestABundleOfLogsHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	cfg := agent.DefaultConfig()
	cfg.Relay, cfg.StartupJitter, cfg.ScanInterval = "https://127.0.0.1:1", time.Hour, 0
	cfg.Commands.QuickScan = []string{"/opt/scan", "--password=hunter2"}
	log, kept := remembering(slog.New(slog.DiscardHandler))
	l, err := newLocalAgent(t.Context(), dir, cfg, kept, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		l.store.Close()
	}()
	log.Info("a line of the log")
	text, err := l.bundle(t.Context(), dir, cfg, kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"client": "` + l.id.Client.String(), "agent.relay: https://127.0.0.1:1\n",
		"agent.commands.quick-scan: /opt/scan\n", "a line of the log", "agent.tasks: run\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(string(text), "hunter2") {
		t.Error("it tells the arguments of the machine's own commands")
	}
}

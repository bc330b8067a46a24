package cli

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/configs"
)

// reloading runs a reloader over a file of its own; what it applies comes out of the channel.
func reloading(t *testing.T, text string) (file string, applied <-chan configs.Config) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "statewire.yaml")
	rewrite(t, file, text)
	load := func() (configs.Config, []configs.Value, error) { return configs.Load(configs.Source{File: file}) }
	_, values, err := load()
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan configs.Config, 16)
	r := &Reloader{Load: load, Apply: func(c configs.Config) { out <- c }, Log: slog.New(slog.DiscardHandler),
		Live: LiveKeys(), Values: values}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx, []string{file}) }()
	t.Cleanup(func() { cancel(); <-done })
	return file, out
}

// rewrite replaces the file as editors do: written elsewhere, then renamed.
func rewrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// rewriteUntil repeats the change until it is applied: nothing tells when the watch on the folder has begun.
func rewriteUntil(t *testing.T, file, text string, applied <-chan configs.Config) configs.Config {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		rewrite(t, file, text)
		select {
		case cfg := <-applied:
			return cfg
		case <-time.After(time.Second):
		}
	}
	t.Fatal("the change was never applied")
	return configs.Config{}
}

func TestAChangedResyncSettingTakesEffectWhileTheSiteRuns(t *testing.T) {
	file, applied := reloading(t, "resync:\n  max_outstanding: 5\n")
	cfg := rewriteUntil(t, file, "resync:\n  max_outstanding: 7\n", applied)
	if cfg.Resync.MaxOutstanding != 7 {
		t.Fatalf("applied max_outstanding %d, want 7", cfg.Resync.MaxOutstanding)
	}
}

func TestAFileWithAProblemChangesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "statewire.yaml")
	var log strings.Builder
	rewrite(t, file, "resync:\n  max_outstanding: 0\n")
	r := &Reloader{
		Load:  func() (configs.Config, []configs.Value, error) { return configs.Load(configs.Source{File: file}) },
		Apply: func(configs.Config) { t.Error("a wrong configuration was applied") },
		Log:   slog.New(slog.NewTextHandler(&log, nil)),
	}
	r.reload()
	if !strings.Contains(log.String(), "resync.max_outstanding is 0") {
		t.Errorf("the log does not name the key: %s", log.String())
	}
}

func TestOnlyLiveKeysAreApplied(t *testing.T) {
	before := []configs.Value{{Key: "relay.listen", Value: ":1"}, {Key: "resync.merge_interval", Value: "72h"},
		{Key: "notifier.throttle", Value: "42"}, {Key: "store.memory", Value: "1"}}
	after := []configs.Value{{Key: "relay.listen", Value: ":2"}, {Key: "resync.merge_interval", Value: "24h"},
		{Key: "notifier.throttle", Value: "10"}, {Key: "store.memory", Value: "1"}}
	r := &Reloader{Live: LiveKeys(), Values: before}
	live, later := r.changedKeys(after)
	if strings.Join(live, " ") != "resync.merge_interval=24h notifier.throttle=10" ||
		strings.Join(later, " ") != "relay.listen" {
		t.Errorf("live %v, later %v", live, later)
	}
	live, later = r.changedKeys(after)
	if len(live) > 0 || strings.Join(later, " ") != "relay.listen" {
		t.Errorf("read again: live %v, later %v; want only what is still not in force", live, later)
	}
	after[0].Value = ":1"
	if live, later = r.changedKeys(after); len(live)+len(later) > 0 {
		t.Errorf("set back: live %v, later %v; want nothing", live, later)
	}
	r.Concerns = []string{"agent."}
	after[0].Value = ":3"
	if live, later = r.changedKeys(after); len(live)+len(later) > 0 {
		t.Errorf("of another section: live %v, later %v; want nothing", live, later)
	}
}

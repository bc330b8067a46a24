package site

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"statewire/configs"
	"statewire/identity"
)

// A disk on which nothing can be noted keeps the identity role from starting. The relay goes on with the clients that it
// knows, and the role starts as soon as it can.
func TestARelayOutlivesItsIdentityRole(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	cfg := configs.Default()
	cfg.Relay.Listen = "127.0.0.1:0"
	run := func() (stop func() error) {
		s, err := New(Config{Data: data, Settings: cfg, Roles: Roles{"identity", "relay"},
			Log: slog.New(slog.DiscardHandler), RepairRetry: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		started, done := make(chan struct{}), make(chan error, 1)
		s.cfg.Started = func(Addresses) { close(started) }
		go func() { done <- s.Run(ctx) }()
		select {
		case <-started:
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		}
		return func() error { cancel(); return <-done }
	}
	blocked := func() error {
		return errors.Join(os.RemoveAll(AuditDir(data)), os.WriteFile(AuditDir(data), nil, 0o600))
	}
	if err := run()(); err != nil {
		t.Fatal(err)
	}
	if err := blocked(); err != nil {
		t.Fatal(err)
	}
	stop := run()
	if Listens(IdentitySocket(data)) {
		t.Error("the role runs without its audit log")
	}
	if err := os.Remove(AuditDir(data)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !Listens(IdentitySocket(data)) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := identity.Dial(IdentitySocket(data)).Summary(t.Context()); err != nil {
		t.Errorf("the role did not start: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

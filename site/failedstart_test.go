package site

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/configs"
)

// A stage that does not start ends those before it, and they end before what they use is closed.
func TestAStageThatDoesNotStartEndsTheOthers(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "d")
	cfg := configs.Default()
	cfg.Relay.Listen, cfg.Relay.Auth = "127.0.0.1:0", "none"
	s, err := New(Config{Data: data, Settings: cfg, Roles: Roles{"identity", "relay"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(metricsPath(data, "identity"), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context())
	if err == nil || s.addresses.Relay == "" {
		t.Fatalf("the site started, or not even its relay did: %v", err)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(s.addresses.Relay, "https://")); err == nil {
		c.Close()
		t.Error("the relay still listens though its inbox is closed")
	}
}

//go:build unix

package site

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/configs"
)

// A site does not start while others may read its keys; the error is the command that closes them. What is for
// everybody does not count.
func TestASiteRefusesKeysThatOthersMayRead(t *testing.T) {
	data := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(data, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := checkSecrets(data); err != nil {
		t.Errorf("a new data directory: %v", err)
	}
	for name, mode := range map[string]os.FileMode{"identity/ca.crt": 0o644, "identity/denied": 0o644,
		"identity/ca.key": 0o600, "identity/trust/root-1.key": 0o600, "identity/relay.pem": 0o400, "audit/key": 0o600,
		"inboxes/x.SMX": 0o644} {
		write(name, mode)
	}
	if err := checkSecrets(data); err != nil {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"identity/identity.db", "identity/trust/root-2.key", "audit/key"} {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
			path := write(name, mode)
			if err := checkSecrets(data); err == nil || !strings.HasSuffix(err.Error(), "run: chmod 600 "+path) {
				t.Errorf("%s with mode %o: %v", name, mode, err)
			}
			write(name, 0o600)
		}
	}
	open := write("identity/server.pem", 0o644)
	s, err := New(Config{Data: data, Settings: configs.Default(), Roles: Roles{"relay"},
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "chmod 600 "+open) {
		t.Errorf("the site ended with %v", err)
	}
}

// A file of somebody else's with a secret in it is used, and named where everybody may read it.
func TestASecretThatEverybodyMayReadIsLogged(t *testing.T) {
	cfg := configs.Default()
	cfg.Store.PasswordFile = filepath.Join(t.TempDir(), "password")
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true} {
		var log bytes.Buffer
		if err := os.WriteFile(cfg.Store.PasswordFile, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(cfg.Store.PasswordFile, mode); err != nil {
			t.Fatal(err)
		}
		warnSecrets(cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), "chmod o="); got != want {
			t.Errorf("mode %o: %s", mode, log.String())
		}
	}
}

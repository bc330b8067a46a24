package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"statewire/cmd/statewire/cli"
)

// The identity of a site, packed while it runs and while it does not, makes the same site of an empty folder.
func TestAnIdentityComesBackFromItsBackup(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := serve(t, data)
	s.awaitReady()
	done(t, data, "enroll", "token", "create", "--uses", "1")
	packed := func(name string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		done(t, data, "backup", "--identity-only", "--out", path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 1<<20 {
			t.Fatal(info, err)
		}
		before := read(t, path)
		if r := command(t, data, "backup", "--identity-only", "--out", path); r.code != cli.ExitUsage ||
			!bytes.Equal(read(t, path), before) {
			t.Errorf("a backup was overwritten: %d, %s", r.code, r.errOut)
		}
		return path
	}
	archives := []string{packed("running.tar")}
	s.signal(syscall.SIGTERM)
	s.wait(patience)
	archives = append(archives, packed("stopped.tar"))
	tokens := done(t, data, "--format", "csv", "enroll", "token", "list")
	if strings.Count(tokens, "\n") < 2 {
		t.Fatalf("tokens are %s", tokens)
	}
	for _, archive := range archives {
		restored := dataDir(t)
		names := unpack(t, archive, restored)
		for _, name := range []string{"identity/ca.crt", "identity/ca.key", "identity/trust/trust.json"} {
			if !bytes.Equal(read(t, filepath.Join(restored, name)), read(t, filepath.Join(data, name))) {
				t.Errorf("%s is another one", name)
			}
		}
		if !strings.Contains(names, "audit.head") {
			t.Errorf("%s has %s, and no head of the audit log", archive, names)
		}
		if got := done(t, restored, "--format", "csv", "enroll", "token", "list"); !strings.Contains(got, tokens[strings.
			Index(tokens, "\n")+1:][:8]) {
			t.Errorf("tokens are\n%s\nwant\n%s", got, tokens)
		}
	}
	if r := command(t, data, "backup"); r.code != cli.ExitUsage {
		t.Errorf("a backup of nothing ended with %d", r.code)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// unpack does what tar -x does, and returns the names.
func unpack(t *testing.T, archive, dir string) (names string) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(read(t, archive)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		data, err := io.ReadAll(r)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, data, os.FileMode(h.Mode))); err != nil {
			t.Fatal(err)
		}
		names += h.Name + " "
	}
}

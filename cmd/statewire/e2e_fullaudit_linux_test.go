package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"statewire/cmd/statewire/cli"
)

// TestAFullAuditDiskStopsActions has the audit log of a running site on a disk that is full: what a person asks for is
// refused and not done, reports are taken, and nobody has to start anything again when there is room.
func TestAFullAuditDiskStopsActions(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		required(t, "a small disk needs root, to mount it")
	}
	data := siteDir(t)
	disk := filepath.Join(data, "audit")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("statewire-test", disk, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := serve(t, data)
	s.awaitReady()
	const id = "GUID:F1B00000-0000-4000-8000-000000000001"
	if a := s.poster().post(t.Context(), identityReport(id, 1)); a.status != http.StatusAccepted {
		t.Fatalf("%+v", a)
	}
	s.awaitDrained()
	token(t, data)
	filler := filepath.Join(disk, "filler")
	full := func() {
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for chunk := make([]byte, 4096); err == nil; {
			_, err = f.Write(chunk)
		}
	}
	full()
	actions := map[string][]string{
		"a token":   {"enroll", "token", "create"},
		"a resync":  {"resync", "request", "--client", id},
		"a pause":   {"enroll", "pause"},
		"API token": {"token", "create", "--role", "viewer"},
		"a task":    {"notify", "TestEvent", "--client", id, "--yes"},
	}
	for range 40 { // the page of the log's last line has room for some more; those of a pause are the shortest
		if r := command(t, data, actions["a pause"]...); r.code != 0 {
			break
		}
		full()
	}
	tokens := done(t, data, "--format", "csv", "enroll", "token", "list")
	for name, args := range actions {
		r := command(t, data, args...)
		if r.code != cli.ExitFailed || !strings.Contains(r.errOut, "audit_unavailable") {
			t.Errorf("%s: ended with %d: %s%s", name, r.code, r.out, r.errOut)
		}
	}
	if got := done(t, data, "--format", "csv", "enroll", "token", "list"); got != tokens {
		t.Errorf("a token was made all the same:\n%s", got)
	}
	if rows := done(t, data, "--format", "csv", "resync", "list"); strings.Contains(rows, "F1B0") ||
		strings.Contains(rows, "f1b0") {
		t.Errorf("a resync was requested all the same:\n%s", rows)
	}
	if tasks := done(t, data, "--format", "csv", "tasks", "list"); strings.Contains(tasks, "TestEvent") {
		t.Errorf("a task is queued all the same:\n%s", tasks)
	}
	if a := s.poster().post(t.Context(), identityReport(id, 2)); a.status != http.StatusAccepted {
		t.Errorf("a report meanwhile: %+v", a)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for name, args := range actions {
		if r := command(t, data, args...); r.code != 0 {
			t.Errorf("%s, with room again: ended with %d: %s", name, r.code, r.errOut)
		}
	}
	if r := command(t, data, "audit", "verify"); r.code != 0 {
		t.Errorf("audit verify ended with %d: %s%s", r.code, r.out, r.errOut)
	}
}

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"statewire/cmd/statewire/cli"
	"statewire/smx"
)

// siteUser owns a site in these tests. It needs no name.
const siteUser = 54321

// foreignSite is a data directory that is not root's.
func foreignSite(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	for path := engineLibrary(t); ; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err != nil || info.Mode()&5 != 5 {
			t.Skipf("another user may not read %s, and so has no engine", path)
		}
		if path == "/" {
			break
		}
	}
	data := dataDir(t)
	if err := os.Chown(data, siteUser, siteUser); err != nil {
		t.Fatal(err)
	}
	return data
}

// asRoot runs a command in a folder of root's, under a shell's set-up.
func asRoot(t *testing.T, data, setup string, args ...string) result {
	t.Helper()
	line := append([]string{"-c", setup + ` "$0" "$@"`, program(t), "--data", data}, args...)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", line...)
	cmd.Env, cmd.Dir = siteEnv(t), t.TempDir()
	if err := os.Chmod(cmd.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run() // its state says how it ended
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// Root's commands leave nothing in a site that its own user could not open, and load files that only root may read.
func TestRootWorksAsTheOwnerOfTheData(t *testing.T) {
	t.Parallel()
	data, own := foreignSite(t), t.TempDir()
	secret, list := filepath.Join(own, "secret.SMX"), filepath.Join(own, "clients.txt")
	config := filepath.Join(own, "site.yaml")
	r, keys := report(1, smx.NoPriority, 1, 3)
	for path, text := range map[string][]byte{secret: smx.AppendReport(nil, r), list: []byte(clientID(1).String() + "\n"),
		config: []byte("ingest:\n  loader_threads: 2\n")} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(own, 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(umask string, want cli.Health, args ...string) {
		t.Helper()
		if r := asRoot(t, data, "umask "+umask+"; exec", args...); r.code != int(want) {
			t.Errorf("umask %s: %v ended with %d, want %d: %s%s", umask, args, r.code, want, r.out, r.errOut)
		}
	}
	s := serve(t, data)
	s.awaitReady()
	for _, id := range []string{"Uid", "Gid", "Groups"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil || !strings.Contains(string(text), fmt.Sprintf("\n%s:\t%d", id, siteUser)) {
			t.Errorf("the site's %s is not the owner's: %v\n%s", id, err, text)
		}
	}
	run("077", 0, "load", own)
	run("077", cli.HealthOK, "status")
	s.signal(syscall.SIGTERM)
	s.wait(patience)
	for _, umask := range []string{"022", "077"} {
		run(umask, 0, "load", own)
		run(umask, cli.HealthUnknown, "status")
		run(umask, 0, "sql", "SELECT 1")
		run(umask, 0, "resync", "check")
	}
	run("077", 0, "--config", config, "resync", "request", "--file", list)
	err := filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil && info.Sys().(*syscall.Stat_t).Uid != siteUser {
			t.Errorf("%s is not the owner's", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	serve(t, data).awaitReady()
	l := newLedger()
	l.ack(keys, "")
	delete(l.receipts, "")
	l.check(t, data)
	if bad := corrupt(t, data); len(bad) > 0 {
		t.Errorf("set aside: %v", bad)
	}
}

// Where root cannot become the owner, as in a container without the right to, it says who can.
func TestRootThatCannotBecomeTheOwner(t *testing.T) {
	t.Parallel()
	data := foreignSite(t)
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("setpriv takes the right away, and is not here")
	}
	for _, args := range [][]string{{"status"}, {"load", "--create", "/etc/hostname"}, {"serve"}} {
		r := asRoot(t, data, "exec "+setpriv+" --bounding-set=-setuid,-setgid", args...)
		if r.code != cli.ExitUsage || !strings.Contains(r.errOut, "run it as #54321: sudo -u #54321 statewire …") ||
			strings.Count(r.errOut, "\n") != 1 {
			t.Errorf("%v ended with %d and said %q", args, r.code, r.errOut)
		}
	}
	if left, _ := os.ReadDir(data); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// Who is not root, or works on root's own data, stays who it is.
func TestOpenReportsOpensWhatItMay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.SMX", "b.SMX", "c.SMX", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "p"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := openReports([]string{dir, filepath.Join(dir, "p")}, 2)
	if err != nil || len(found.files) != 4 || found.skipped != 2 {
		t.Fatalf("found %+v, %v", found, err)
	}
	for i, file := range found.files {
		if (file.file != nil) != (i < 2) {
			t.Errorf("%s: open %v", file.path, file.file != nil)
		}
		file.file.Close()
	}
}

package embedded

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// helper is this test binary in another role.
func helper(t testing.TB, role, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STATEWIRE_TEST_ROLE="+role, "STATEWIRE_TEST_PATH="+path)
	return cmd
}

func TestSecondProcessIsToldWhoHasThePath(t *testing.T) {
	path := strings.TrimPrefix(engine.args[1], "--path=")
	out, err := helper(t, "intruder", path).CombinedOutput()
	want := fmt.Sprintf("store %s: another process has it open (process %d); stop it, or let commands go through it\n",
		path, os.Getpid())
	if err != nil || string(out) != want {
		t.Errorf("the second process said %q (%v), want %q", out, err, want)
	}
}

func TestSecondEngineInAProcessIsRefused(t *testing.T) {
	library, err := FindLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := Open(Config{Library: library, Path: t.TempDir()}); err == nil {
		t.Error("opened", e.Close())
	}
}

// An engine that was killed opens again, nobody has to clear anything away, and
// what was acknowledged is there. Power cuts are another matter: see the store's
// own test.
func TestKilledEngineReopensWithEveryAcknowledgedRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	acked := -1
	for range 4 {
		last, err := writeAndKill(t, path, 25)
		if err != nil {
			t.Fatal(err)
		}
		acked = max(acked, last)
	}
	out, err := helper(t, "count", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || stored <= acked {
		t.Errorf("the table holds 0 to %d without a hole (%v), acknowledged was %d", stored-1, err, acked)
	}
}

// writeAndKill runs a writer, kills it after some acknowledgements and returns the
// last one.
func writeAndKill(t *testing.T, path string, acks int) (int, error) {
	cmd := helper(t, "writer", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(out)
	last := -1
	for n := 0; n < acks && lines.Scan(); n++ {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			return 0, err
		}
	}
	if last < 0 {
		return 0, errors.Join(errors.New("the writer acknowledged nothing"), cmd.Wait())
	}
	if err := cmd.Process.Kill(); err != nil {
		return 0, err
	}
	for lines.Scan() { // what was acknowledged before the kill
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			last = n
		}
	}
	_ = cmd.Wait() // killed, as wanted
	return last, nil
}

func TestEngineSaysNothingByItself(t *testing.T) {
	cmd := helper(t, "quiet", filepath.Join(t.TempDir(), "store"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("standard output and error hold %q (%v)", out, err)
	}
}

func TestClosedEngineOpensAgain(t *testing.T) {
	if out, err := helper(t, "reopen", filepath.Join(t.TempDir(), "store")).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestEngineThatDoesNotOpenSaysWhy(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "data"), []byte("a file where a folder belongs"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := helper(t, "intruder", path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "open the embedded engine on "+path+": ") ||
		!strings.Contains(string(out), "Not a directory") {
		t.Errorf("said %q (%v)", out, err)
	}
	if strings.Count(string(out), "\n") != 1 {
		t.Errorf("said more than one line: %q", out)
	}
}

// What the engine logged to say why it did not open is over when it does.
func TestEngineSaysNothingOnceItIsRepaired(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := helper(t, "repaired", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("said %q (%v)", out, err)
	}
}

// Without /proc nothing says where the program is but its own name.
func TestTheProgramIsFoundWithoutTheSystem(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "there"), filepath.Join(dir, "here")
	if err := errors.Join(os.WriteFile(real, nil, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	nobody := func() (string, error) { return "", os.ErrNotExist }
	for _, called := range []string{link, "./here", "here"} {
		if got, err := program(nobody, called); got != real || err != nil {
			t.Errorf("called %s it is %q, %v", called, got, err)
		}
	}
	if got, err := program(func() (string, error) { return link, nil }, "else"); got != real || err != nil {
		t.Errorf("known it is %q, %v", got, err)
	}
	if got, err := program(nobody, "else"); err == nil {
		t.Errorf("unknown it is %q", got)
	}
}

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "x.so")
	if err := os.WriteFile(lib, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("explicit wins", func(t *testing.T) {
		t.Setenv(EnvLibrary, "/nowhere")
		if got, err := FindLibrary(lib); got != lib || err != nil {
			t.Errorf("found %q, %v", got, err)
		}
	})
	t.Run("then the environment", func(t *testing.T) {
		t.Setenv(EnvLibrary, lib)
		if got, err := FindLibrary(""); got != lib || err != nil {
			t.Errorf("found %q, %v", got, err)
		}
	})
	t.Run("a missing one names the command that fetches it", func(t *testing.T) {
		if _, err := FindLibrary(filepath.Join(dir, "none.so")); err == nil || !strings.Contains(err.Error(), "make engine") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("found nowhere names it, too", func(t *testing.T) {
		t.Setenv(EnvLibrary, "")
		t.Chdir(dir)
		if got, err := FindLibrary(""); err == nil && strings.HasPrefix(got, dir) || err != nil &&
			!strings.Contains(err.Error(), "make engine") {
			t.Errorf("found %q, %v", got, err)
		}
	})
}

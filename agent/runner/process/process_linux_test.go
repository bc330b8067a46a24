package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// shell runs a script in a folder of its own.
func shell(t *testing.T, script string, change func(*Spec)) (Result, string) {
	t.Helper()
	s := Spec{Path: "/bin/sh", Script: []byte(script), Env: []string{"PATH=/usr/bin:/bin", "LANG=C"},
		Folder: t.TempDir(), Timeout: time.Minute, Output: 64 << 10}
	if change != nil {
		change(&s)
	}
	r, err := Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(s.Folder); err != nil || len(left) > 0 {
		t.Errorf("%v is left in the folder, %v", left, err)
	}
	return r, string(r.Output)
}

// pids are the numbers in an output.
func pids(t *testing.T, text string, want int) (list []int) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		list = append(list, pid)
	}
	if len(list) != want {
		t.Fatalf("%q has not %d numbers", text, want)
	}
	return list
}

// alive says whether a process is there and does something.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// gone wants a process to be gone that was ended, and sees to it. The system takes a moment for what is left of it.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d lives on", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
}

// A task sees nothing of the agent: no variable but its own, no open file, no terminal, no other folder.
func TestATaskSeesNothingOfTheAgent(t *testing.T) {
	t.Setenv("STATEWIRE_SECRET", "hush")
	inherited, err := syscall.Dup(1) // as what an agent was started with: it would go on to a program
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	folder := t.TempDir()
	_, out := shell(t, `env | sort; printenv SW_Text; echo "in $(pwd) $(stat -c %a .) $(ls -A | wc -l)"
echo "script $0 $(stat -c %a "$0")"; wc -c; ls /proc/self/fd | wc -l; (: </dev/tty) 2>/dev/null || echo no terminal
cut -d' ' -f5,6,7 /proc/self/stat`,
		func(s *Spec) {
			s.Folder = folder
			s.Env = append(s.Env, "SW_Text=a b\n; touch x", "SW_Empty=")
		})
	for _, want := range []string{"\na b\n; touch x\nin ", "SW_Empty=\n", "LANG=C\n", "PATH=/usr/bin:/bin\n",
		"in " + folder + "/run-", "/empty 700 0\n", "script " + folder + "/run-", "/script 500\n",
		"\n0\n4\nno terminal\n", " 0\n"} { // ls has one file open itself: the folder
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Contains(out, "SECRET") || strings.Contains(out, "HOME=") {
		t.Errorf("the agent's variables are there:\n%s", out)
	}
	group, session := "", ""
	last := strings.Fields(out)
	if group, session = last[len(last)-3], last[len(last)-2]; group != session ||
		group == strconv.Itoa(syscall.Getpgrp()) {
		t.Errorf("group %s, session %s; the agent's group is %d", group, session, syscall.Getpgrp())
	}
}

// Arguments reach a program as they are.
func TestArgumentsAreNotSplit(t *testing.T) {
	args := []string{"%s|", "a b", "", "; touch x", "$(id)", "`id`", "*", "-n", "ü\n"}
	r, out := shell(t, "", func(s *Spec) { s.Path, s.Args, s.Script = "/usr/bin/printf", args, nil })
	if want := strings.Join(args[1:], "|") + "|"; out != want || r.ExitCode != 0 {
		t.Errorf("%q, want %q", out, want)
	}
}

// How a program ended is told as shells do.
func TestHowATaskEnded(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -TERM $$": 143} {
		before := time.Now()
		r, _ := shell(t, script, nil)
		if r.ExitCode != want || r.TimedOut || r.Started.Before(before) || r.Finished.Before(r.Started) {
			t.Errorf("%s: %+v", script, r)
		}
	}
}

// Both outputs are kept in their order up to the bound, and the rest is counted.
func TestOutputIsBoundedAndCounted(t *testing.T) {
	r, out := shell(t, "echo one; echo two >&2; echo three; head -c 3000000 /dev/zero",
		func(s *Spec) { s.Output = 9 })
	if out != "one\ntwo\nt" || r.Size != 3_000_014 {
		t.Errorf("%q of %d", out, r.Size)
	}
	if r, out := shell(t, "echo one", func(s *Spec) { s.Output = 0 }); out != "" || r.Size != 4 {
		t.Errorf("%q of %d", out, r.Size)
	}
	if r, out := shell(t, "echo one", func(s *Spec) { s.Output = 4 }); out != "one\n" || r.Size != 4 {
		t.Errorf("%q of %d", out, r.Size)
	}
}

// At the end of its time everything in a task's group is ended, whatever it does against it.
func TestATaskEndsWithItsTime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script string
		pids   int
		least  time.Duration
	}{
		"sleeps":       {"echo $$; exec sleep 1000", 1, 0},
		"ignores TERM": {"trap '' TERM; echo $$; while :; do sleep 1000; done", 1, grace},
		"forks": {`trap '' TERM; sh -c 'echo $$; sleep 1000' & sh -c 'echo $$; sh -c "echo \$\$; sleep 1000"' & echo $$
wait; sleep 1000`, 4, grace},
		"stopped": {"echo $$; kill -STOP $$; sleep 1000", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, out := shell(t, tc.script, func(s *Spec) { s.Timeout = 500 * time.Millisecond })
			took := r.Finished.Sub(r.Started)
			if !r.TimedOut || took < tc.least+500*time.Millisecond || took > 4*time.Second {
				t.Errorf("%+v took %v", r, took)
			}
			for _, pid := range pids(t, out, tc.pids) {
				gone(t, pid)
			}
		})
	}
}

// A task may end in its own way when it is asked to.
func TestATaskIsAskedToEndFirst(t *testing.T) {
	r, out := shell(t, "trap 'echo bye; exit 3' TERM; echo on; while :; do sleep 0.01; done",
		func(s *Spec) { s.Timeout = 300 * time.Millisecond })
	if !strings.HasPrefix(out, "on\n") || !strings.HasSuffix(out, "bye\n") || r.ExitCode != 3 || !r.TimedOut {
		t.Errorf("%q, %+v", out, r)
	}
}

// A task that writes without end costs no memory, and ends.
func TestAFloodIsContained(t *testing.T) {
	r, out := shell(t, "yes", func(s *Spec) { s.Timeout, s.Output = 300*time.Millisecond, 100 })
	if !r.TimedOut || len(out) != 100 || r.Size < 1<<20 {
		t.Errorf("%d of %d bytes, %v", len(out), r.Size, r.TimedOut)
	}
}

// A task is over when its program is. What it left in the background goes, too.
func TestNothingOutlivesItsTask(t *testing.T) {
	r, out := shell(t, "(trap '' TERM; exec sleep 1000) & echo $! $$", nil)
	for _, pid := range pids(t, out, 2) {
		gone(t, pid)
	}
	if r.TimedOut || r.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
}

// A program that left the group keeps nobody waiting.
func TestAProgramThatLeftTheGroupIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	r, out := shell(t, "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.3",
		func(s *Spec) { s.Timeout = 10 * time.Second })
	left := pids(t, out, 1)[0]
	if !alive(left) {
		t.Error("it did not leave: this test tests nothing")
	}
	_ = syscall.Kill(left, syscall.SIGKILL)
	if r.TimedOut || r.Finished.Sub(r.Started) > 4*time.Second {
		t.Errorf("%+v", r)
	}
}

// When the agent stops, its tasks do.
func TestATaskEndsWithItsAgentsWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	folder := t.TempDir()
	s := Spec{Path: "/bin/sh", Script: []byte("echo $$ >../pid; exec sleep 1000"), Folder: folder, Timeout: time.Minute,
		Env: []string{"PATH=/usr/bin:/bin"}}
	pid := make(chan int, 1)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			found, _ := filepath.Glob(folder + "/run-*/pid")
			if len(found) == 1 {
				text, _ := os.ReadFile(found[0])
				if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
					pid <- n
					return
				}
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := Run(ctx, s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	gone(t, <-pid)
	if _, err := Run(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("started after the end: %v", err)
	}
}

// A program that hangs in the system is left to it, after its pauses.
func TestAProgramThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := end(&group{reaped: true}, make(chan error))
		if took := time.Since(began); !errors.Is(err, errHangs) || took != grace+patience {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// What could not be started, or was never meant to be, says so.
func TestWhatIsNotRun(t *testing.T) {
	good := Spec{Path: "/bin/true", Folder: t.TempDir(), Timeout: time.Second}
	if _, err := Run(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Spec){
		"a program that is not there": func(s *Spec) { s.Path = "/nowhere/true" },
		"a relative program":          func(s *Spec) { s.Path = "true" },
		"no folder":                   func(s *Spec) { s.Folder = "" },
		"a relative folder":           func(s *Spec) { s.Folder = "tasks" },
		"a folder that is not there":  func(s *Spec) { s.Folder = "/nowhere" },
		"no time":                     func(s *Spec) { s.Timeout = 0 },
		"another variable":            func(s *Spec) { s.Env = []string{"LD_PRELOAD=/x.so"} },
		"a variable without a value":  func(s *Spec) { s.Env = []string{"SW_X"} },
	} {
		s := good
		if change(&s); true {
			if r, err := Run(t.Context(), s); err == nil {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	if left, _ := os.ReadDir(good.Folder); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What an agent that was killed left in its folder is removed; nothing else is.
func TestWhatAKilledAgentLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(dir+"/run-1/empty", 0o700), os.WriteFile(dir+"/kept", nil, 0o600),
		Clean(dir)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); len(left) != 1 || left[0].Name() != "kept" {
		t.Errorf("%v, %v", left, err)
	}
}

// A program does not outlive an agent that was killed.
func TestATaskDiesWithItsAgent(t *testing.T) {
	const asAgent = "PROCESS_TEST_AGENT"
	if folder := os.Getenv(asAgent); folder != "" {
		_, _ = Run(t.Context(), Spec{Path: "/bin/sh", Script: []byte("exec sleep 1000"), Folder: folder,
			Timeout: time.Minute, Env: []string{"PATH=/usr/bin:/bin"}})
		return
	}
	dir := t.TempDir()
	agent := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	agent.Env = append(os.Environ(), asAgent+"="+dir)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = agent.Wait() }()
	pid := childOf(t, agent.Process.Pid)
	_ = agent.Process.Kill()
	gone(t, pid)
}

// childOf waits until a process has a child, any thread of it being the parent.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
		for _, list := range lists {
			text, _ := os.ReadFile(list)
			for _, word := range strings.Fields(string(text)) {
				pid, err := strconv.Atoi(word)
				if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil &&
					bytes.HasPrefix(line, []byte("sleep")) {
					return pid
				}
			}
		}
	}
	t.Fatal("it started nothing")
	return 0
}

// A script is given to its interpreter as that wants it.
func TestInterpreters(t *testing.T) {
	for path, want := range map[string]string{"/bin/sh": "", "/usr/bin/python3": "",
		`C:\Windows\System32\cmd.exe`: ".cmd", `C:\Windows\System32\WindowsPowerShell\v1.0\PowerShell.exe`: ".ps1",
		"/usr/bin/pwsh": ".ps1"} {
		args, suffix := interpreted(path)
		if suffix != want || (suffix == ".ps1") != slices.Contains(args, "-File") {
			t.Errorf("%s: %v, %q", path, args, suffix)
		}
	}
}

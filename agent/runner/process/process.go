// Package process runs what a task says, and ends it when its time is over. Whatever a program starts in its group of
// processes never outlives it, it sees no file and no variable of the agent, and a script is never where others write.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	// grace is what a program has between being asked to end and being ended, and what its pipes have after its end.
	grace = time.Second
	// patience is how long an ended program may take to be gone. One that hangs in the kernel is left to it.
	patience = 5 * time.Second

	// folderPrefix begins the names of folders of runs.
	folderPrefix = "run-"
)

// Spec is what is run.
type Spec struct {
	Path    string   // absolute: a program, or the interpreter of Script
	Args    []string // of the program
	Env     []string // all of its environment: PATH, LANG and SW_*, nothing else
	Script  []byte   // nil: the program alone; otherwise a file with it is the last argument
	Folder  string   // the agent's own, absolute: for scripts, and for the empty folders that programs begin in
	Timeout time.Duration
	Output  int // bytes of output that are kept
}

// Result is how it went.
type Result struct {
	ExitCode int  // as shells say it: 128 and the signal for one that a signal ended; -1 for one that hangs in the system
	TimedOut bool // it was ended because its time was over
	Started  time.Time
	Finished time.Time
	Output   []byte // the first bytes that it wrote, to either of its outputs
	Size     uint64 // how many it wrote
}

// Run runs a program to its end, or to the end of its time or of ctx. The error says why it could not be run, or is
// ctx's. When it returns, every process of the program's group was ended.
func Run(ctx context.Context, s Spec) (Result, error) {
	if err := s.check(); err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	folder, err := os.MkdirTemp(s.Folder, folderPrefix)
	if err != nil {
		return Result{}, fmt.Errorf("make a folder for a task: %w", err)
	}
	defer os.RemoveAll(folder) // what it leaves is gone at the next start
	cmd, err := s.command(folder)
	if err != nil {
		return Result{}, fmt.Errorf("prepare a task: %w", err)
	}
	out := &output{most: s.Output}
	cmd.Stdout, cmd.Stderr = out, out
	return run(ctx, cmd, out, s.Timeout)
}

// Clean removes what runs of an agent that was killed left in its folder.
func Clean(folder string) error {
	left, err := filepath.Glob(filepath.Join(folder, folderPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

func (s Spec) check() error {
	switch {
	case !filepath.IsAbs(s.Path):
		return fmt.Errorf("the path %.80q of a program is not absolute", s.Path)
	case !filepath.IsAbs(s.Folder):
		return fmt.Errorf("the folder %.80q of tasks is not absolute", s.Folder)
	case s.Timeout <= 0:
		return errors.New("a task needs a time-out")
	}
	for _, v := range s.Env {
		name, _, ok := strings.Cut(v, "=")
		if !ok || name != "PATH" && name != "LANG" && !strings.HasPrefix(name, "SW_") {
			return fmt.Errorf("the variable %.80q: a task has PATH, LANG and SW_… alone", name)
		}
	}
	return nil
}

// command is the call of the program, from an empty folder.
func (s Spec) command(folder string) (*exec.Cmd, error) {
	empty := filepath.Join(folder, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		return nil, err
	}
	args := s.Args
	if s.Script != nil {
		before, suffix := interpreted(s.Path)
		path := filepath.Join(folder, "script"+suffix)
		if err := os.WriteFile(path, s.Script, 0o500); err != nil {
			return nil, err
		}
		args = append(append(before, args...), path)
	}
	cmd := exec.Command(s.Path, args...)
	cmd.Dir, cmd.Env = empty, append([]string{}, s.Env...)
	cmd.WaitDelay = grace
	return cmd, nil
}

// interpreted are the arguments that an interpreter needs before a script, and how the script's name has to end.
func interpreted(path string) (args []string, suffix string) {
	name := strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:])
	switch strings.TrimSuffix(name, ".exe") {
	case "powershell", "pwsh":
		return []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"}, ".ps1"
	case "cmd":
		return []string{"/d", "/c"}, ".cmd"
	}
	return nil, ""
}

// run starts the program and stays until it is gone.
func run(ctx context.Context, cmd *exec.Cmd, out *output, timeout time.Duration) (Result, error) {
	// On Linux a program ends with the thread that started it, so that none outlives an agent that was killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := Result{Started: time.Now()}
	g, err := start(cmd)
	if err != nil {
		return Result{}, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	gone := make(chan error, 1)
	go func() { gone <- wait(cmd, g) }()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err = <-gone:
	case <-timer.C:
		r.TimedOut = true
		err = end(g, gone)
	case <-ctx.Done():
		err = errors.Join(ctx.Err(), end(g, gone))
	}
	r.Finished = time.Now()
	r.Output, r.Size = out.kept()
	switch {
	case err == nil:
		r.ExitCode = exitCode(cmd.ProcessState)
	case r.TimedOut && errors.Is(err, errHangs):
		r.ExitCode, err = -1, nil
	}
	return r, err
}

// errHangs says that a program was ended and does not go.
var errHangs = errors.New("the program was ended and does not go: it hangs in the system")

// wait stays until the program ended, and ends what is left of its group.
func wait(cmd *exec.Cmd, g *group) error {
	defer g.close()
	if g.awaitExit() {
		g.kill()
		g.close()
	}
	err := cmd.Wait()
	// How it ended is in its state; an output that somebody outside of the group keeps open is nobody's any more.
	if _, ended := errors.AsType[*exec.ExitError](err); ended || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return err
}

// end asks a group to end, and ends it.
func end(g *group, gone <-chan error) error {
	g.terminate()
	select {
	case err := <-gone:
		return err
	case <-time.After(grace):
	}
	g.kill()
	select {
	case err := <-gone:
		return err
	case <-time.After(patience):
		return errHangs
	}
}

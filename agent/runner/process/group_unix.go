//go:build !windows

package process

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// group is a program with everything it started that stayed with it: a session of its own, which has no terminal.
type group struct {
	pid int

	// Guarded by mu.
	mu     sync.Mutex
	reaped bool // its number may be another's
}

// start starts the program as the leader of a new group.
func start(cmd *exec.Cmd) (*group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	endWithParent(cmd.SysProcAttr)
	closeInherited()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &group{pid: cmd.Process.Pid}, nil
}

// closeInherited keeps from programs what the agent itself was started with: Go closes only what it opened.
func closeInherited() {
	const standard = 3 // input, output, errors
	open, _ := os.ReadDir("/dev/fd")
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= standard {
			syscall.CloseOnExec(fd)
		}
	}
}

func (g *group) terminate() { g.signal(syscall.SIGTERM) }
func (g *group) kill()      { g.signal(syscall.SIGKILL) }

// signal reaches the whole group. A group that is gone already is what the caller wanted.
func (g *group) signal(s syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reaped {
		_ = syscall.Kill(-g.pid, s)
	}
}

// close says that the group's number is not the group's any more.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reaped = true
}

func exitCode(state *os.ProcessState) int {
	const signalled = 128
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalled + int(status.Signal())
	}
	return state.ExitCode()
}

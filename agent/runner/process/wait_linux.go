package process

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// endWithParent has the program ended when the agent is gone.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// awaitExit stays until the program ended, and leaves it to be waited for: until then its number is no other's.
// False says that it can't be known so.
func (g *group) awaitExit() bool {
	for {
		err := unix.Waitid(unix.P_PID, g.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

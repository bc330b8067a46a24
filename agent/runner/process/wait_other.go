//go:build !windows && !linux

package process

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// endWithParent does nothing: only Linux ends a program when the agent is gone.
func endWithParent(*syscall.SysProcAttr) {}

// awaitExit stays until the program ended, and leaves it to be waited for: until then its number is no other's.
// False says that it can't be known so.
func (g *group) awaitExit() bool {
	queue, err := unix.Kqueue()
	if err != nil {
		return false
	}
	defer unix.Close(queue)
	unix.CloseOnExec(queue)
	change := make([]unix.Kevent_t, 1)
	unix.SetKevent(&change[0], g.pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	change[0].Fflags = unix.NOTE_EXIT
	for {
		n, err := unix.Kevent(queue, change, make([]unix.Kevent_t, 1), nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ESRCH): // it ended already
			return true
		default:
			return err == nil && n == 1
		}
	}
}

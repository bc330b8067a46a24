//go:build unix

package simulate

import "syscall"

// ownSession keeps a process out of the reach of this terminal's Ctrl-C.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

//go:build unix

package manager

import (
	"os"
	"syscall"
)

// unlock gives back the lock that bbolt took.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

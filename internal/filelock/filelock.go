//go:build unix

// Package filelock keeps a second process from what one process has: a file that is locked and names its holder. The kernel gives
// the lock back when the process ends, however it ends.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// HeldError is a lock that another process has.
type HeldError struct{ PID int } // 0 when the holder has not written it

// Error names the holder.
func (e *HeldError) Error() string { return fmt.Sprintf("process %d has the lock", e.PID) }

// Take takes the lock of the file at path, which it makes where it is missing. Another's is waited for, or is a *HeldError.
// The file is open for reading only, so that a disk can be turned read-only under a running process. Closing it gives the
// lock back.
func Take(path string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	share(f, filepath.Dir(path))
	if err := lock(f, wait); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// share lets the group of a folder that users share (setgid, and open to the group) take the lock and read its holder. It
// is for whoever made the file; another may not, and need not.
func share(f *os.File, dir string) {
	if info, err := os.Stat(dir); err == nil && info.Mode()&os.ModeSetgid != 0 && info.Mode().Perm()&0o050 == 0o050 {
		_ = f.Chmod(0o640)
	}
}

// Free fails with a *HeldError when another process has the lock of an open file.
func Free(f *os.File) error { return lock(f, false) }

func lock(f *os.File, wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		switch err := unix.Flock(int(f.Fd()), how); {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return &HeldError{holder(f)}
		default:
			return err
		}
	}
}

// Name writes this process's id into the file, for whoever finds the lock taken.
func Name(path string) error { return os.WriteFile(path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600) }

// Holder is the process that has the lock of the file at path, 0 when none has.
func Holder(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0
	}
	return holder(f)
}

var number = regexp.MustCompile(`\d+`)

// holder reads the id that is in a file; some programs write words before it.
func holder(f *os.File) int {
	text := make([]byte, 1024)
	n, _ := f.ReadAt(text, 0)
	pid, _ := strconv.Atoi(string(number.Find(text[:n])))
	return pid
}

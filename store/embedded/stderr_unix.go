//go:build unix

package embedded

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// captureStderr runs f and returns what was written to standard error meanwhile:
// the only place where the engine says why it does not open. What came beside a
// success is passed on.
func captureStderr(f func() error) (string, error) {
	kept, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return "", f()
	}
	defer unix.Close(kept)
	file, err := os.CreateTemp("", "statewire-engine-")
	if err != nil {
		return "", f()
	}
	defer file.Close()
	os.Remove(file.Name())
	if err := unix.Dup2(int(file.Fd()), 2); err != nil {
		return "", f()
	}
	ran := f()
	if err := unix.Dup2(kept, 2); err != nil {
		return "", fmt.Errorf("restore standard error: %w", err)
	}
	said, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if ran == nil && err == nil {
		_, err = os.Stderr.Write(said)
	}
	if ran == nil && err != nil {
		return "", fmt.Errorf("pass on what was written to standard error: %w", err)
	}
	return string(said), ran
}

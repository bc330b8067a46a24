//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// KeepStdin keeps standard input for the program's own use: the embedded engine takes what it finds there for rows of
// an insert. It returns the file that used to be os.Stdin, which would close the engine's input were it collected.
// Without a standard input there is nothing to keep.
func KeepStdin() (before *os.File) {
	before = os.Stdin
	kept, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return before
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		unix.Close(kept)
		return before
	}
	defer null.Close()
	if err := unix.Dup2(int(null.Fd()), 0); err != nil {
		unix.Close(kept)
		return before
	}
	os.Stdin = os.NewFile(uintptr(kept), "/dev/stdin")
	return before
}

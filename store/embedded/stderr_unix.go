//go:build unix

package embedded

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// captureStderr runs f and returns what was written to standard error meanwhile: the only
// place where the engine says why it does not open. Lines of this program's own log that
// came beside, and all of them beside a success, are passed on.
func captureStderr(f func() error) (string, error) {
	kept, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return "", f()
	}
	defer unix.Close(kept)
	r, w, err := os.Pipe() // needs no disk, and no temporary folder that may be missing
	if err != nil {
		return "", f()
	}
	defer r.Close()
	text := make(chan string)
	go func() {
		said, _ := io.ReadAll(r) // what came before an error is all there is
		text <- string(said)
	}()
	err = unix.Dup2(int(w.Fd()), 2)
	w.Close()
	if err != nil {
		<-text
		return "", f()
	}
	ran := f()
	if err := unix.Dup2(kept, 2); err != nil {
		return "", fmt.Errorf("restore standard error: %w", err)
	}
	said := <-text
	passOn(said, ran == nil)
	return said, ran
}

// ownLine is a line of this program's log, as text or JSON, with or without its level as
// the journal wants it.
var ownLine = regexp.MustCompile(`^(?:<\d>)?(?:time=|\{"time":)`)

func passOn(said string, all bool) {
	for line := range strings.Lines(said) {
		if all || ownLine.MatchString(line) {
			_, _ = os.Stderr.WriteString(line) // there is no place to report this to
		}
	}
}

//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile is held for as long as the engine is open; the kernel drops it with the
// process, however that ends.
type lockFile struct{ file *os.File }

// lockPath takes the directory's lock, or says who holds it.
func lockPath(dir string) (*lockFile, error) {
	path := filepath.Join(dir, "statewire.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the store's lock: %w", err)
	}
	if err := tryLock(file, dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := engineFree(dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := writeHolder(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write the store's lock: %w", err), file.Close())
	}
	return &lockFile{file}, nil
}

// writeHolder says in the lock who holds it.
func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(file, "PID: %d\n", os.Getpid())
	return err
}

func tryLock(file *os.File, dir string) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("store %s: %w%s; stop it, or let commands go through it", dir, ErrInUse, holder(file))
	}
	if err != nil {
		return fmt.Errorf("lock the store %s: %w", dir, err)
	}
	return nil
}

// engineFree looks at the engine's own lock, which another program of the same
// engine may hold.
func engineFree(dir string) error {
	file, err := os.Open(filepath.Join(dir, "status"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the engine's lock: %w", err)
	}
	defer file.Close()
	return tryLock(file, dir)
}

var pidLine = regexp.MustCompile(`PID:\s*(\d+)`)

func holder(file *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 1024))
	if err != nil {
		return ""
	}
	if m := pidLine.FindSubmatch(text); m != nil {
		return " (process " + strings.TrimSpace(string(m[1])) + ")"
	}
	return ""
}

func (l *lockFile) release() error { return l.file.Close() }

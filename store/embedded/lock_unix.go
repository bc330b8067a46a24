//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"statewire/internal/filelock"
)

// lockFile is held for as long as the engine is open; the kernel drops it with the
// process, however that ends.
type lockFile struct{ file *os.File }

// lockPath takes the directory's lock, or says who holds it.
func lockPath(dir string) (*lockFile, error) {
	path := filepath.Join(dir, "statewire.lock")
	file, err := filelock.Take(path, false)
	if err != nil {
		return nil, inUse(dir, err)
	}
	if err := engineFree(dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := filelock.Name(path); err != nil {
		return nil, errors.Join(fmt.Errorf("write the store's lock: %w", err), file.Close())
	}
	return &lockFile{file}, nil
}

// inUse says who holds the store, when that is why it cannot be locked.
func inUse(dir string, err error) error {
	var held *filelock.HeldError
	if !errors.As(err, &held) {
		return fmt.Errorf("lock the store %s: %w", dir, err)
	}
	who := ""
	if held.PID != 0 {
		who = fmt.Sprintf(" (process %d)", held.PID)
	}
	return fmt.Errorf("store %s: %w%s; stop it, or let commands go through it", dir, ErrInUse, who)
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
	if err := filelock.Free(file); err != nil {
		return inUse(dir, err)
	}
	return nil
}

func (l *lockFile) release() error { return l.file.Close() }

//go:build unix

package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"statewire/internal/filelock"
)

// take takes the lock of a log, or says which process has it.
func take(path string) (*os.File, error) {
	f, err := filelock.Take(path, false)
	var held *filelock.HeldError
	if errors.As(err, &held) {
		return nil, fmt.Errorf("%w: %w (%s); stop that first, or try again", ErrInUse, held, path)
	}
	if err != nil {
		return nil, err
	}
	_ = filelock.Name(path) // on a full disk the holder has no name
	return f, nil
}

// inUse says whether a process has the log.
func inUse(dir string) bool { return filelock.Holder(filepath.Join(dir, lockFile)) != 0 }

//go:build unix

package site

import (
	"errors"
	"fmt"
	"os"

	"statewire/internal/filelock"
)

// lockRole takes the lock at path, or says which process has it.
func lockRole(path string) (*os.File, error) {
	f, err := filelock.Take(path, false)
	var held *filelock.HeldError
	if errors.As(err, &held) {
		return nil, HeldError{held.PID}
	}
	if err != nil {
		return nil, err
	}
	if err := filelock.Name(path); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
	}
	return f, nil
}

// Holder is the process that runs a role on a data directory, 0 when none does.
func Holder(data, role string) int { return filelock.Holder(RoleLock(data, role)) }

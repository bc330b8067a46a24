package disk

import (
	"errors"
	"fmt"
)

var (
	// ErrMoved says that a folder is no longer where it was opened.
	ErrMoved = errors.New("folder moved or deleted")
	// ErrLocked says that another loader holds the inbox; the error is a *LockedError.
	ErrLocked = errors.New("another loader holds the inbox")
)

// LockedError names the process that holds the inbox.
type LockedError struct {
	Path string // the lock file
	PID  int    // 0 when the holder has not written it
}

// Error says who holds it and what to do.
func (e *LockedError) Error() string {
	return fmt.Sprintf("process %d is loading this inbox (it holds %s): stop it first, or let it do the work", e.PID,
		e.Path)
}

// Is makes every LockedError an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

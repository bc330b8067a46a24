package inbox

import (
	"errors"
	"fmt"
)

var (
	// errMoved says that a folder is no longer where it was opened.
	errMoved = errors.New("folder moved or deleted")
	// errLocked says that another loader holds the inbox; the error is a *lockedError.
	errLocked = errors.New("another loader holds the inbox")
)

// lockedError names the process that holds the inbox.
type lockedError struct {
	Path string // the lock file
	PID  int    // 0 when the holder has not written it
}

func (e *lockedError) Error() string {
	return fmt.Sprintf("process %d is loading this inbox (it holds %s): stop it first, or let it do the work", e.PID, e.Path)
}

// Is makes every lockedError an errLocked.
func (e *lockedError) Is(target error) bool { return target == errLocked }

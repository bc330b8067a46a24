// Package inbox uses a directory as a durable queue: a file appears only when whole and on disk, and leaves only when
// stored or set aside. Nothing it accepts is ever replaced, and nothing it does not know is ever deleted.
//
// Below its root lie incoming/{high,,low} with the waiting files, process/ with one durable list per claimed chunk,
// corrupt/ with what was set aside, and tmp/ with one folder per running process for files that are still being written.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Errors a caller branches on. Test them with errors.Is.
var (
	// ErrDiskFull says that the disk has no bytes, inodes or quota left for the file.
	ErrDiskFull = errors.New("inbox: disk full")
	// ErrFault says that the storage failed a write or a sync; the inbox refuses new files until a fresh probe file syncs.
	ErrFault = errors.New("inbox: storage fault")
	// ErrMoved says that a folder of the inbox was deleted or renamed under the running process.
	ErrMoved = errors.New("inbox: folder moved or deleted")
	// ErrLocked says that another loader holds the inbox; the error is a *LockedError.
	ErrLocked = errors.New("inbox: another loader holds it")
	// ErrTooLarge says that a file is larger than Config.MaxFileBytes.
	ErrTooLarge = errors.New("inbox: file too large")
	// ErrHashMismatch says that a file's bytes differ from the SHA-256 in its name.
	ErrHashMismatch = errors.New("inbox: bytes differ from the hash in the name")
	// ErrChanged says that what lies under the name is no longer the file that was claimed. It is also an fs.ErrNotExist;
	// the new file is claimed by itself later.
	ErrChanged = errors.New("inbox: file changed since it was claimed")
)

// LockedError names the process that holds the inbox.
type LockedError struct {
	Path string // the lock file
	PID  int    // 0 when the holder has not written it
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("inbox is being loaded by process %d (lock %s): stop it first, or let it do the work", e.PID, e.Path)
}

// Is makes every LockedError an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Dir is one inbox. Its methods may be called from many goroutines, and several processes may open the same folder:
// any number of them may Put, one may have the Loader.
type Dir struct{}

// Open opens the inbox below root with DefaultConfig. It makes missing folders (mode 0700), makes them durable, and sweeps
// temporary files that dead processes left.
func Open(root string, log *slog.Logger) (*Dir, error) { return DefaultConfig().Open(root, log) }

// Open is the package's Open with this configuration.
func (c Config) Open(root string, log *slog.Logger) (*Dir, error) { return nil, errors.ErrUnsupported }

// Close gives the folders back. Files stay.
func (d *Dir) Close() error { return errors.ErrUnsupported }

// Root is the folder given to Open, as an absolute path.
func (d *Dir) Root() string { return "" }

// Put makes data durable in a lane under a new name: the UTC time at to the microsecond, the SHA-256 of data, ".SMX".
// When it returns nil the file is synced, renamed and the folder synced; on any error nothing may be acknowledged
// (ErrDiskFull, ErrFault and ErrMoved tell the kinds apart), though the file may still turn up.
func (d *Dir) Put(lane Lane, data []byte, at time.Time) (name string, err error) {
	return "", errors.ErrUnsupported
}

// Copy makes a durable copy of the file at path in incoming, byte for byte, under its own name or, when that is taken,
// one close to it. A name that is not that of an SMX file gets the suffix .SMX.
func (d *Dir) Copy(ctx context.Context, path string) (name string, err error) {
	return "", errors.ErrUnsupported
}

// Free returns the bytes and inodes that an unprivileged process may still use on the inbox's file system.
func (d *Dir) Free() (bytes, inodes uint64, err error) { return 0, 0, errors.ErrUnsupported }

// Ready returns nil when Put may be tried: the folders are in place and no storage fault is open. After a fault it syncs
// a fresh probe file, at most once per Config.ProbeInterval, and stays an ErrFault until one succeeds.
func (d *Dir) Ready() error { return errors.ErrUnsupported }

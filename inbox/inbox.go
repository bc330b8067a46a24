// Package inbox uses a directory as a durable queue: a file appears only when whole and on disk, and leaves only when
// stored or set aside. Nothing it accepts is ever replaced, and nothing it does not know is ever deleted.
//
// Below its root lie incoming/{high,,low} with the waiting files, process/ with one durable list per claimed chunk,
// corrupt/ with what was set aside, and tmp/ with one folder per running process for files that are still being
// written.
package inbox

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"statewire/inbox/disk"
	"sync"
	"sync/atomic"
	"time"
)

// Dir is one inbox. Its methods may be called from many goroutines, and several processes may open the same folder:
// any number of them may Put, one may have the Loader.
type Dir struct {
	// Constant after Open.
	config Config
	root   string
	log    *slog.Logger
	disk   disk.Disk

	syncs  [disk.Folders]sharedSync
	health health
	counts counters
	stats  statsCache
	serial atomic.Uint64 // of temporary files

	reopening sync.Mutex
	reopened  atomic.Uint64 // how often folders were opened anew
}

// Open opens the inbox below root with DefaultConfig. It makes missing folders (mode 0700), makes them durable, and
// sweeps temporary files that dead processes left. A nil log says nothing.
func Open(root string, log *slog.Logger) (*Dir, error) { return DefaultConfig().Open(root, log) }

// Open is the package's Open with this configuration.
func (c Config) Open(root string, log *slog.Logger) (*Dir, error) {
	return c.openWith(root, log, disk.Open)
}

func (c Config) openWith(root string, log *slog.Logger, open func(string, *slog.Logger) (disk.Disk, error)) (*Dir,
	error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open inbox %s: %w", root, err)
	}
	disk, err := open(root, log)
	if err != nil {
		return nil, fmt.Errorf("open inbox %s: %w", root, err)
	}
	return newDir(c, root, disk, log), nil
}

func newDir(c Config, root string, disk disk.Disk, log *slog.Logger) *Dir {
	return &Dir{config: c, root: root, log: log, disk: disk}
}

// Close gives the folders back. Files stay.
func (d *Dir) Close() error { return d.disk.Close() }

// Root is the folder given to Open, as an absolute path.
func (d *Dir) Root() string { return d.root }

// Free returns the bytes and inodes that an unprivileged process may still use on the inbox's file system.
// A file system without a fixed number of inodes reports the greatest possible number.
func (d *Dir) Free() (bytes, inodes uint64, err error) { return d.disk.Free() }

// Errors a caller branches on. Test them with errors.Is.
var (
	// ErrDiskFull says that the disk has no bytes, inodes or quota left for the file.
	ErrDiskFull = errors.New("disk full")
	// ErrFault says that the storage failed a write or a sync; the inbox refuses new files until a fresh probe file syncs.
	ErrFault = errors.New("storage fault")
	// ErrMoved says that a folder of the inbox was deleted or renamed under the running process. Once it is there again,
	// or a new one, the inbox goes on by itself.
	ErrMoved = disk.ErrMoved
	// ErrLocked says that another loader holds the inbox; the error is a *LockedError.
	ErrLocked = disk.ErrLocked
	// ErrTooLarge says that a file is larger than Config.MaxFileBytes.
	ErrTooLarge = errors.New("file too large")
	// ErrHashMismatch says that a file's bytes differ from the SHA-256 in its name.
	ErrHashMismatch = errors.New("bytes differ from the hash in the name")
	// ErrChanged says that what lies under the name is no longer the file that was claimed. It is also an fs.ErrNotExist;
	// the new file is claimed by itself later.
	ErrChanged error = changedError{}
)

// LockedError names the process that holds the inbox.
type LockedError = disk.LockedError

// now is the time as files and lists keep it: UTC, whole microseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

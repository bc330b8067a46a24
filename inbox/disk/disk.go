// Package disk is what an inbox needs of a file system: a name that is synced stays, a rename never replaces, no link
// is followed, and a folder that was moved away is never taken for the one that was opened.
package disk

import (
	"io"
	"io/fs"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Folder is one of the folders an inbox consists of; the first three are the lanes.
type Folder uint8

const (
	highFolder Folder = iota
	incomingFolder
	lowFolder
	ProcessFolder     // claimed by a loader
	CorruptFolder     // what was set aside
	TempFolder        // this process's own
	Folders       int = iota
)

// laneFolders is how many of the folders are lanes.
const laneFolders = ProcessFolder

// FolderPaths are where they lie below the root.
var FolderPaths = [Folders]string{"incoming/high", "incoming", "incoming/low", "process", "corrupt", "tmp"}

// String is the folder's path below the root.
func (f Folder) String() string { return FolderPaths[f] }

// Disk is what the protocol needs of a file system. A crash may undo everything that was not followed by a sync: of the
// file for its bytes, of the folder for its names. Tests put a model in its place that crashes everywhere.
type Disk interface {
	Create(at Folder, name string) (Output, error)                    // fs.ErrExist when the name is taken
	Open(at Folder, name string) (Input, error)                       // never follows a link, never waits for a pipe
	Stat(at Folder, name string) (Stat, error)                        // of the name itself, not of what it links to
	Rename(from Folder, name string, to Folder, newName string) error // fs.ErrExist when newName is taken
	Replace(from Folder, name string, to Folder, newName string) error
	Remove(at Folder, name string) error
	Sync(at Folder) error
	Scan(at Folder) (Scan, error)
	Check(at Folder) error // ErrMoved when the path no longer leads to the folder held open
	// the folders that are no longer where they were; before: when nothing can fail any more
	Reopen(before func()) error
	Stamp(at Folder) (time.Time, error) // when a name last came or went
	Free() (bytes, inodes uint64, err error)
	Lock() (io.Closer, error) // the loader's lock; a *LockedError when it is taken
	Watch() (Watcher, error)  // of the lanes
	Close() error
}

// Output is a file being written.
type Output interface {
	io.Writer
	Sync() error
	Close() error
}

// Input is a file being read.
type Input interface {
	io.Reader
	Stat() (Stat, error)
	Close() error
}

// Scan goes once over the names in a folder. Names that neither come nor go meanwhile turn up exactly once.
type Scan interface {
	Next() ([]Entry, error) // some of them, io.EOF after the last
	Close() error
}

type Entry struct {
	Name string
	Kind string // as in stat
}

type Stat struct {
	Kind  string // regular, dir, symlink, fifo, socket, device
	Size  int64
	Inode uint64
	Mtime time.Time // of the bytes
	Ctime time.Time // of bytes, name or mode: not older than the file's stay in this folder
}

const Regular = "regular"

// KindOf is the kind of an entry, as in Stat.
func KindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return Regular
	case fs.ModeDir:
		return "dir"
	case fs.ModeSymlink:
		return "symlink"
	case fs.ModeNamedPipe:
		return "fifo"
	case fs.ModeSocket:
		return "socket"
	}
	return "device"
}

// Identity tells a file from another that took its name.
type Identity struct {
	Inode uint64
	Size  int64
	Mtime int64 // nanoseconds since 1970
}

// Identity is what of it changes when another file takes the name.
func (s Stat) Identity() Identity {
	return Identity{Inode: s.Inode, Size: s.Size, Mtime: s.Mtime.UnixNano()}
}

// Watcher tells that something came into a lane. What it tells are hints: any of them may be missing.
type Watcher interface {
	Events() <-chan fsnotify.Event
	Errors() <-chan error // fsnotify.ErrEventOverflow when hints were lost
	Close() error
}

package inbox

import (
	"io"
	"io/fs"
	"time"

	"github.com/fsnotify/fsnotify"
)

// folder is one of the folders an inbox consists of; the first three are the lanes.
type folder uint8

const (
	highFolder folder = iota
	incomingFolder
	lowFolder
	processFolder
	corruptFolder
	tempFolder     // this process's own
	folders    int = iota
)

// laneFolders is how many of the folders are lanes.
const laneFolders = processFolder

var folderPaths = [folders]string{"incoming/high", "incoming", "incoming/low", "process", "corrupt", "tmp"}

func (f folder) String() string { return folderPaths[f] }

// disk is what the protocol needs of a file system. A crash may undo everything that was not followed by a sync: of the
// file for its bytes, of the folder for its names. Tests put a model in its place that crashes everywhere.
type disk interface {
	create(at folder, name string) (output, error)                    // fs.ErrExist when the name is taken
	open(at folder, name string) (input, error)                       // never follows a link, never waits for a pipe
	stat(at folder, name string) (stat, error)                        // of the name itself, not of what it links to
	rename(from folder, name string, to folder, newName string) error // fs.ErrExist when newName is taken
	replace(from folder, name string, to folder, newName string) error
	remove(at folder, name string) error
	sync(at folder) error
	scan(at folder) (scan, error)
	check(at folder) error              // errMoved when the path no longer leads to the folder held open
	reopen(before func()) error         // the folders that are no longer where they were; before: when nothing can fail any more
	stamp(at folder) (time.Time, error) // when a name last came or went
	free() (bytes, inodes uint64, err error)
	lock() (io.Closer, error) // the loader's lock; a *lockedError when it is taken
	watch() (watcher, error)  // of the lanes
	close() error
}

// output is a file being written.
type output interface {
	io.Writer
	sync() error
	close() error
}

// input is a file being read.
type input interface {
	io.Reader
	stat() (stat, error)
	close() error
}

// scan goes once over the names in a folder. Names that neither come nor go meanwhile turn up exactly once.
type scan interface {
	next() ([]dirEntry, error) // some of them, io.EOF after the last
	close() error
}

type dirEntry struct {
	name string
	kind string // as in stat
}

type stat struct {
	kind  string // regular, dir, symlink, fifo, socket, device
	size  int64
	inode uint64
	mtime time.Time // of the bytes
	ctime time.Time // of bytes, name or mode: not older than the file's stay in this folder
}

const regular = "regular"

func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return regular
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

// identity tells a file from another that took its name.
type identity struct {
	inode uint64
	size  int64
	mtime int64 // nanoseconds since 1970
}

func (s stat) identity() identity {
	return identity{inode: s.inode, size: s.size, mtime: s.mtime.UnixNano()}
}

// watcher tells that something came into a lane. What it tells are hints: any of them may be missing.
type watcher interface {
	events() <-chan fsnotify.Event
	errors() <-chan error // fsnotify.ErrEventOverflow when hints were lost
	close() error
}

//go:build linux || darwin

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Unix holds every folder open and names files relative to it, so that no rename of a parent can lead a file astray.
type Unix struct {
	// Constant after Open.
	root  string
	paths [Folders]string
	Dirs  [Folders]*os.File
	mode  uint32 // of new files
	log   *slog.Logger

	making sync.Mutex
	loader *os.File                  // Guarded by making. The loader's lock, when this process has it
	Own    atomic.Pointer[ownFolder] // made by the first who needs it, when the disk was full at the start
}

// Open opens the folders below root and makes those that are missing.
func Open(root string, log *slog.Logger) (Disk, error) {
	if err := makeFolders(root); err != nil {
		return nil, err
	}
	k, err := openThere(root, log)
	if err != nil {
		return nil, err
	}
	switch err := k.makeTemp(); {
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		log.Warn("the disk is full; what waits can be loaded, nothing new can come in", "root", root)
	case err != nil:
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// Look opens the folders that are there, and changes nothing.
func Look(root string, log *slog.Logger) (Disk, error) { return openThere(root, log) }

func openThere(root string, log *slog.Logger) (*Unix, error) {
	k := &Unix{root: root, log: log, mode: 0o600}
	if isShared(root) {
		k.mode = 0o660 // another user's process loads what this one puts
	}
	for at := range Folder(Folders) {
		k.paths[at] = filepath.Join(root, at.String())
	}
	dirs, err := openFolders(k.paths)
	if err != nil {
		return nil, err
	}
	k.Dirs = dirs
	return k, nil
}

// makeTemp makes this process's folder for temporary files.
func (k *Unix) makeTemp() error {
	k.making.Lock()
	defer k.making.Unlock()
	if k.Own.Load() != nil {
		return nil
	}
	own, err := claimTemp(k.paths[TempFolder], k.log)
	if err != nil {
		return err
	}
	k.Own.Store(own)
	return nil
}

// openFolders opens all folders, or none.
func openFolders(paths [Folders]string) (dirs [Folders]*os.File, err error) {
	var device uint64
	for at, path := range paths {
		var st unix.Stat_t
		if dirs[at], err = os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err == nil {
			err = unix.Fstat(int(dirs[at].Fd()), &st)
		}
		if at > 0 && err == nil && uint64(st.Dev) != device {
			err = fmt.Errorf("%s is on another file system than %s: all folders of an inbox must share one, files move "+
				"between them by rename",
				path, paths[0])
		}
		if err != nil {
			return dirs, errors.Join(err, closeAll(dirs))
		}
		device = uint64(st.Dev)
	}
	return dirs, nil
}

func closeAll(dirs [Folders]*os.File) error {
	var errs []error
	for _, dir := range dirs {
		if dir != nil {
			errs = append(errs, dir.Close())
		}
	}
	return errors.Join(errs...)
}

// Close closes what it holds open.
func (k *Unix) Close() error {
	err := closeAll(k.Dirs)
	if own := k.Own.Load(); own != nil {
		err = errors.Join(err, own.release())
	}
	return err
}

// Fd of the folder for temporary files is that of this process's own, which create has made.
func (k *Unix) Fd(at Folder) int {
	if own := k.Own.Load(); at == TempFolder && own != nil {
		return int(own.Dir.Fd())
	}
	return int(k.Dirs[at].Fd())
}

// Create makes a file; the name must be free.
func (k *Unix) Create(at Folder, name string) (Output, error) {
	if at == TempFolder && k.Own.Load() == nil {
		if err := k.makeTemp(); err != nil {
			return nil, err
		}
	}
	return k.openFile(at, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

// Open opens a file to read.
func (k *Unix) Open(at Folder, name string) (Input, error) {
	return k.openFile(at, name, unix.O_RDONLY|unix.O_NONBLOCK)
}

func (k *Unix) openFile(at Folder, name string, flags int) (f *unixFile, err error) {
	err = again(func() error {
		fd, err := unix.Openat(k.Fd(at), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, k.mode)
		f = &unixFile{fd: fd}
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: at.String() + "/" + name, Err: err}
	}
	return f, nil
}

// Stat looks at a name.
func (k *Unix) Stat(at Folder, name string) (s Stat, err error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(k.Fd(at), name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: at.String() + "/" + name, Err: err}
	}
	return statOf(&st), nil
}

// Rename never replaces.
func (k *Unix) Rename(from Folder, name string, to Folder, newName string) error {
	return renameNew(k.Fd(from), name, k.Fd(to), newName)
}

// Replace may replace.
func (k *Unix) Replace(from Folder, name string, to Folder, newName string) error {
	return again(func() error { return unix.Renameat(k.Fd(from), name, k.Fd(to), newName) })
}

// Remove takes a name away.
func (k *Unix) Remove(at Folder, name string) error {
	return again(func() error { return unix.Unlinkat(k.Fd(at), name, 0) })
}

// Sync makes the names in a folder durable.
func (k *Unix) Sync(at Folder) error { return fullSync(k.Fd(at)) }

// Check fails with ErrMoved when the path no longer leads to the folder held open.
func (k *Unix) Check(at Folder) error {
	path := k.paths[at]
	if own := k.Own.Load(); at == TempFolder && own != nil {
		path = own.Path
	}
	var held, found unix.Stat_t
	if err := again(func() error { return unix.Lstat(path, &found) }); err == nil {
		if err := again(func() error { return unix.Fstat(k.Fd(at), &held) }); err != nil {
			return fmt.Errorf("stat open folder %s: %w", path, err)
		}
		if held.Dev == found.Dev && held.Ino == found.Ino {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	return fmt.Errorf("%w: %s is not the folder that was in use: put it back, or make a new one", ErrMoved, path)
}

// Stamp is when a name last came or went.
func (k *Unix) Stamp(at Folder) (time.Time, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(k.Fd(at), &st) }); err != nil {
		return time.Time{}, err
	}
	return time.Unix(st.Mtim.Unix()), nil
}

// Free is what is left for who is not root.
func (k *Unix) Free() (bytes, inodes uint64, err error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(k.Fd(TempFolder), &st) }); err != nil {
		return 0, 0, fmt.Errorf("free space at %s: %w", k.paths[TempFolder], err)
	}
	inodes = uint64(st.Ffree)
	if st.Files == 0 {
		inodes = ^uint64(0)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), inodes, nil
}

// Scan goes over the names in a folder.
func (k *Unix) Scan(at Folder) (Scan, error) {
	fd, err := unix.Openat(k.Fd(at), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: k.paths[at], Err: err}
	}
	return &unixScan{os.NewFile(uintptr(fd), k.paths[at])}, nil
}

// unixScan reads a folder through a descriptor of its own.
type unixScan struct{ dir *os.File }

func (s *unixScan) Next() ([]Entry, error) {
	const batch = 1024
	found, err := s.dir.ReadDir(batch)
	if len(found) == 0 {
		return nil, err
	}
	entries := make([]Entry, len(found))
	for i, e := range found {
		entries[i] = Entry{Name: e.Name(), Kind: KindOf(e.Type())}
	}
	return entries, nil
}

func (s *unixScan) Close() error { return s.dir.Close() }

// unixFile is a plain descriptor: a loader opens and closes thousands a second, and needs none of os.File.
type unixFile struct{ fd int }

func (f *unixFile) Read(p []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Read(f.fd, p); return err })
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}

func (f *unixFile) Write(p []byte) (written int, err error) {
	for written < len(p) {
		var n int
		if err := again(func() error { n, err = unix.Write(f.fd, p[written:]); return err }); err != nil {
			return written, err
		}
		if n == 0 {
			return written, io.ErrShortWrite
		}
		written += n
	}
	return written, nil
}

func (f *unixFile) Stat() (Stat, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(f.fd, &st) })
	return statOf(&st), err
}

func (f *unixFile) Sync() error  { return fullSync(f.fd) }
func (f *unixFile) Close() error { return unix.Close(f.fd) }

func statOf(st *unix.Stat_t) Stat {
	return Stat{
		Kind:  KindOf(modeOf(uint32(st.Mode))),
		Size:  st.Size,
		Inode: st.Ino,
		Mtime: time.Unix(st.Mtim.Unix()),
		Ctime: time.Unix(st.Ctim.Unix()),
	}
}

func modeOf(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	}
	return fs.ModeDevice
}

// again repeats a call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

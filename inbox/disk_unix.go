//go:build linux || darwin

package inbox

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

// unixDisk holds every folder open and names files relative to it, so that no rename of a parent can lead a file astray.
type unixDisk struct {
	// Constant after openDisk.
	root  string
	paths [folders]string
	dirs  [folders]*os.File
	log   *slog.Logger

	making sync.Mutex
	loader *os.File                  // Guarded by making. The loader's lock, when this process has it
	own    atomic.Pointer[ownFolder] // made by the first who needs it, when the disk was full at the start
}

func openDisk(root string, log *slog.Logger) (disk, error) {
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
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// lookDisk opens the folders that are there, and changes nothing.
func lookDisk(root string, log *slog.Logger) (disk, error) { return openThere(root, log) }

func openThere(root string, log *slog.Logger) (*unixDisk, error) {
	k := &unixDisk{root: root, log: log}
	for at := range folder(folders) {
		k.paths[at] = filepath.Join(root, at.String())
	}
	dirs, err := openFolders(k.paths)
	if err != nil {
		return nil, err
	}
	k.dirs = dirs
	return k, nil
}

// makeTemp makes this process's folder for temporary files.
func (k *unixDisk) makeTemp() error {
	k.making.Lock()
	defer k.making.Unlock()
	if k.own.Load() != nil {
		return nil
	}
	own, err := claimTemp(k.paths[tempFolder], k.log)
	if err != nil {
		return err
	}
	k.own.Store(own)
	return nil
}

// openFolders opens all folders, or none.
func openFolders(paths [folders]string) (dirs [folders]*os.File, err error) {
	var device uint64
	for at, path := range paths {
		var st unix.Stat_t
		if dirs[at], err = os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err == nil {
			err = unix.Fstat(int(dirs[at].Fd()), &st)
		}
		if at > 0 && err == nil && uint64(st.Dev) != device {
			err = fmt.Errorf("%s is on another file system than %s: all folders of an inbox must share one, files move between them by rename",
				path, paths[0])
		}
		if err != nil {
			return dirs, errors.Join(err, closeAll(dirs))
		}
		device = uint64(st.Dev)
	}
	return dirs, nil
}

func closeAll(dirs [folders]*os.File) error {
	var errs []error
	for _, dir := range dirs {
		if dir != nil {
			errs = append(errs, dir.Close())
		}
	}
	return errors.Join(errs...)
}

func (k *unixDisk) close() error {
	err := closeAll(k.dirs)
	if own := k.own.Load(); own != nil {
		err = errors.Join(err, own.release())
	}
	return err
}

// fd of the folder for temporary files is that of this process's own, which create has made.
func (k *unixDisk) fd(at folder) int {
	if own := k.own.Load(); at == tempFolder && own != nil {
		return int(own.dir.Fd())
	}
	return int(k.dirs[at].Fd())
}

func (k *unixDisk) create(at folder, name string) (output, error) {
	if at == tempFolder && k.own.Load() == nil {
		if err := k.makeTemp(); err != nil {
			return nil, err
		}
	}
	return k.openFile(at, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

func (k *unixDisk) open(at folder, name string) (input, error) {
	return k.openFile(at, name, unix.O_RDONLY|unix.O_NONBLOCK)
}

func (k *unixDisk) openFile(at folder, name string, flags int) (f *unixFile, err error) {
	err = again(func() error {
		fd, err := unix.Openat(k.fd(at), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		f = &unixFile{fd: fd}
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: at.String() + "/" + name, Err: err}
	}
	return f, nil
}

func (k *unixDisk) stat(at folder, name string) (s stat, err error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(k.fd(at), name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return stat{}, &fs.PathError{Op: "stat", Path: at.String() + "/" + name, Err: err}
	}
	return statOf(&st), nil
}

func (k *unixDisk) rename(from folder, name string, to folder, newName string) error {
	return renameNew(k.fd(from), name, k.fd(to), newName)
}

func (k *unixDisk) replace(from folder, name string, to folder, newName string) error {
	return again(func() error { return unix.Renameat(k.fd(from), name, k.fd(to), newName) })
}

func (k *unixDisk) remove(at folder, name string) error {
	return again(func() error { return unix.Unlinkat(k.fd(at), name, 0) })
}

func (k *unixDisk) sync(at folder) error { return fullSync(k.fd(at)) }

func (k *unixDisk) check(at folder) error {
	path := k.paths[at]
	if own := k.own.Load(); at == tempFolder && own != nil {
		path = own.path
	}
	var held, found unix.Stat_t
	if err := again(func() error { return unix.Lstat(path, &found) }); err == nil {
		if err := again(func() error { return unix.Fstat(k.fd(at), &held) }); err != nil {
			return fmt.Errorf("stat open folder %s: %w", path, err)
		}
		if held.Dev == found.Dev && held.Ino == found.Ino {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	return fmt.Errorf("%w: %s is not the folder that was in use: put it back, or make a new one", errMoved, path)
}

func (k *unixDisk) stamp(at folder) (time.Time, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(k.fd(at), &st) }); err != nil {
		return time.Time{}, err
	}
	return time.Unix(st.Mtim.Unix()), nil
}

func (k *unixDisk) free() (bytes, inodes uint64, err error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(k.fd(tempFolder), &st) }); err != nil {
		return 0, 0, fmt.Errorf("free space at %s: %w", k.paths[tempFolder], err)
	}
	inodes = uint64(st.Ffree)
	if st.Files == 0 {
		inodes = ^uint64(0)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), inodes, nil
}

func (k *unixDisk) scan(at folder) (scan, error) {
	fd, err := unix.Openat(k.fd(at), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: k.paths[at], Err: err}
	}
	return &unixScan{os.NewFile(uintptr(fd), k.paths[at])}, nil
}

// unixScan reads a folder through a descriptor of its own.
type unixScan struct{ dir *os.File }

func (s *unixScan) next() ([]dirEntry, error) {
	const batch = 1024
	found, err := s.dir.ReadDir(batch)
	if len(found) == 0 {
		return nil, err
	}
	entries := make([]dirEntry, len(found))
	for i, e := range found {
		entries[i] = dirEntry{name: e.Name(), kind: kindOf(e.Type())}
	}
	return entries, nil
}

func (s *unixScan) close() error { return s.dir.Close() }

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

func (f *unixFile) stat() (stat, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(f.fd, &st) })
	return statOf(&st), err
}

func (f *unixFile) sync() error  { return fullSync(f.fd) }
func (f *unixFile) close() error { return unix.Close(f.fd) }

func statOf(st *unix.Stat_t) stat {
	return stat{
		kind:  kindOf(modeOf(uint32(st.Mode))),
		size:  st.Size,
		inode: st.Ino,
		mtime: time.Unix(st.Mtim.Unix()),
		ctime: time.Unix(st.Ctim.Unix()),
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

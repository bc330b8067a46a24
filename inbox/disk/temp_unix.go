//go:build linux || darwin

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"statewire/internal/filelock"

	"golang.org/x/sys/unix"
)

const (
	ownerLock  = "owner.lock"
	loaderLock = "loader.lock"
)

// ownFolder is this process's folder below tmp. Its lock tells other processes that the files in it are still being
// written.
type ownFolder struct {
	Path string
	Dir  *os.File
	Lock *os.File
}

// claimTemp sweeps the folders of dead processes below path and makes one for this process. A guard lock keeps others
// from taking a folder for dead before its owner has locked it.
func claimTemp(path string, log *slog.Logger) (*ownFolder, error) {
	guard, err := filelock.Take(filepath.Join(path, ".guard.lock"), true)
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	if err := sweep(path, log); err != nil {
		return nil, err
	}
	own := &ownFolder{Path: filepath.Join(path, fmt.Sprintf("%d-%016x", os.Getpid(), rand.Uint64()))}
	if err := makeFolder(own.Path); err != nil {
		return nil, err
	}
	if own.Dir, err = os.Open(own.Path); err != nil {
		return nil, err
	}
	if own.Lock, err = filelock.Take(filepath.Join(own.Path, ownerLock), false); err != nil {
		return nil, errors.Join(err, own.Dir.Close(), os.Remove(own.Path))
	}
	return own, nil
}

func (o *ownFolder) release() error {
	return errors.Join(os.Remove(filepath.Join(o.Path, ownerLock)), os.Remove(o.Path), o.Dir.Close(), o.Lock.Close())
}

var ownName = regexp.MustCompile(`^[0-9]+-[0-9a-f]{16}$`)

func sweep(path string, log *slog.Logger) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && ownName.MatchString(e.Name()) {
			if err := sweepOwner(filepath.Join(path, e.Name()), log); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepOwner removes a folder whose owner is dead, with the temporary files in it. Anything else in it makes it stay.
func sweepOwner(path string, log *slog.Logger) error {
	lock, err := filelock.Take(filepath.Join(path, ownerLock), false)
	if errors.As(err, new(*filelock.HeldError)) || errors.Is(err, fs.ErrPermission) { // it is for its user to sweep
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	swept := 0
	for _, e := range entries {
		if e.Type().IsRegular() && (strings.HasSuffix(e.Name(), ".tmp") || e.Name() == ownerLock) {
			if err := os.Remove(filepath.Join(path, e.Name())); err != nil {
				return err
			}
			swept++
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	log.Info("swept temporary files of a dead process", "folder", path, "files", max(0, swept-1))
	return nil
}

// Lock takes the loader's lock.
func (k *Unix) Lock() (io.Closer, error) {
	f, err := k.takeLock()
	if err != nil {
		return nil, err
	}
	k.making.Lock()
	defer k.making.Unlock()
	k.loader = f
	return loaderHold{k}, nil
}

// takeLock takes the lock below the root as it is now, and writes this process's id into it.
func (k *Unix) takeLock() (*os.File, error) {
	path := filepath.Join(k.root, loaderLock)
	f, err := filelock.Take(path, false)
	var held *filelock.HeldError
	if errors.As(err, &held) {
		return nil, &LockedError{Path: path, PID: held.PID}
	}
	if err != nil {
		return nil, err
	}
	if err := filelock.Name(path); err != nil {
		k.log.Warn("the loader's lock does not name its holder", "file", path, "err", err)
	}
	return f, nil
}

// loaderHold gives the loader's lock up when it is closed.
type loaderHold struct{ disk *Unix }

// Close implements io.Closer.
func (h loaderHold) Close() error {
	h.disk.making.Lock()
	defer h.disk.making.Unlock()
	f := h.disk.loader
	h.disk.loader = nil
	return f.Close()
}

// makeFolders makes the folders below root, and root itself, and syncs every folder a name may have been added to: a
// file is only as durable as the folders above it. Those that were there are synced too, for the process that made them
// may have died before it could.
func makeFolders(root string) error {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	for _, path := range FolderPaths {
		for _, path := range []string{filepath.Dir(path), path} {
			if err := makeFolder(filepath.Join(root, path)); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	// Made now, for a loader must be able to start when the disk is full.
	f, err := os.OpenFile(filepath.Join(root, loaderLock), os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil && !errors.Is(err, fs.ErrPermission) { // it is there, and the loader's
		return err
	}
	if err == nil {
		if err := f.Close(); err != nil {
			return err
		}
	}
	return syncAbove(root)
}

// isShared says whether a folder is one that users share: it hands its group on, and the group may do everything in it.
func isShared(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSetgid != 0 && info.Mode().Perm()&0o070 == 0o070
}

// makeFolder makes a folder for its owner alone, or, below one that users share, for them.
func makeFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil || !isShared(filepath.Dir(path)) {
		return err
	}
	return os.Chmod(path, os.ModeSetgid|0o770)
}

// syncAbove syncs every folder that a name of the inbox's folders may have been added to.
func syncAbove(root string) error {
	const above = 4 // root is <data>/inboxes/auth/statesys.box
	paths := []string{filepath.Join(root, incomingFolder.String()), root}
	for range above {
		paths = append(paths, filepath.Dir(paths[len(paths)-1]))
	}
	for i, path := range paths {
		// Folders above the data directory may be closed to us; they were there before.
		if err := SyncPath(path); err != nil && (i < 2 || !errors.Is(err, fs.ErrPermission)) {
			return err
		}
	}
	return nil
}

// SyncPath makes the names in a folder durable.
func SyncPath(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := fullSync(int(dir.Fd())); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", path, err), dir.Close())
	}
	return dir.Close()
}

// linkNew is rename without replacing, in two steps.
func linkNew(from int, name string, to int, newName string) error {
	if err := again(func() error { return unix.Linkat(from, name, to, newName, 0) }); err != nil {
		return err
	}
	return again(func() error { return unix.Unlinkat(from, name, 0) })
}

//go:build linux || darwin

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Reopen opens the folders anew that are no longer where they were, once all of them are there again. It makes none,
// for what is missing may be on a disk that is not mounted; only a new incoming gets its high and low. Descriptors keep
// their numbers, so that whoever uses one goes on with the new folder. It calls before once nothing can fail any more.
func (k *Unix) Reopen(before func()) error {
	k.making.Lock()
	defer k.making.Unlock()
	if err := k.lanesBelow(); err != nil {
		return err
	}
	dirs, err := openFolders(k.paths)
	if err != nil {
		return err
	}
	defer func() { _ = closeAll(dirs) }() // they stay open under the old numbers
	if err := syncAbove(k.root); err != nil {
		return err
	}
	lock, err := k.lockAgain()
	if err != nil {
		return err
	}
	own, err := k.ownAgain()
	if err != nil {
		return errors.Join(err, closeFile(lock))
	}
	before()
	return errors.Join(k.become(dirs, own), become(k.loader, lock))
}

// lanesBelow makes the lanes below an incoming that is new.
func (k *Unix) lanesBelow() error {
	if !errors.Is(k.Check(incomingFolder), ErrMoved) {
		return nil
	}
	for _, lane := range []Folder{highFolder, lowFolder} {
		if err := makeFolder(k.paths[lane]); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// lockAgain takes the loader's lock of a new root, where this process had that of the old one; nil where the lock is
// good.
func (k *Unix) lockAgain() (*os.File, error) {
	if k.loader == nil {
		return nil, nil
	}
	held, err := k.loader.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the loader's lock: %w", err)
	}
	if found, err := os.Lstat(k.root + "/" + loaderLock); err == nil && os.SameFile(held, found) {
		return nil, nil
	}
	return k.takeLock()
}

// ownAgain makes a folder for this process's temporary files, where the one it had is gone; else it is nil.
func (k *Unix) ownAgain() (*ownFolder, error) {
	if k.Own.Load() == nil || k.Check(TempFolder) == nil {
		return nil, nil
	}
	return claimTemp(k.paths[TempFolder], k.log)
}

func (k *Unix) become(dirs [Folders]*os.File, own *ownFolder) error {
	var errs []error
	for at, dir := range dirs {
		errs = append(errs, become(k.Dirs[at], dir))
	}
	if own == nil {
		return errors.Join(errs...)
	}
	old := k.Own.Load()
	errs = append(errs, become(old.Dir, own.Dir), old.Lock.Close())
	k.Own.Store(&ownFolder{Path: own.Path, Dir: old.Dir, Lock: own.Lock})
	return errors.Join(errs...)
}

// become makes old stand for what fresh does, and closes fresh; nothing to do without fresh.
func become(old, fresh *os.File) error {
	if fresh == nil {
		return nil
	}
	err := again(func() error { return duplicate(int(fresh.Fd()), int(old.Fd())) })
	return errors.Join(err, closeFile(fresh))
}

// closeFile closes a file that may be nil or closed.
func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Package durable puts files on the disk whole, or not at all.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Write puts a file into a folder. Until it is whole and on the disk it has another name, which begins with prefix.
func Write(dir, name, prefix string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(dir, prefix) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return SyncFolder(dir)
}

// SyncFolder makes the names in a folder durable. Windows has no such call; its file systems log names themselves.
func SyncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Private refuses a file that other users of the machine can read.
func Private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s is open to other users (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	return nil
}

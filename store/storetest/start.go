package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"statewire/internal/filelock"
	"statewire/store"
	"statewire/store/embedded"
)

// begin copies an engine that was migrated and closed to dir, where this process's own goes on. The first test process
// of a tree makes it: the migrations take longer than the tests of many packages. Without a tree dir stays empty.
func begin(root, dir string) (err error) {
	tree, err := treeRoot()
	if tree == "" || err != nil {
		return err
	}
	of, err := hashOf(tree)
	if err != nil {
		return err
	}
	like := filepath.Join(root, "migrated-"+of)
	lock, err := filelock.Take(like+".lock", true)
	if err != nil {
		return fmt.Errorf("wait for the migrated engine: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if _, err := os.Lstat(like); errors.Is(err, fs.ErrNotExist) {
		if err := migrateOnce(root, like); err != nil {
			return err
		}
	}
	now := time.Now()
	if err := errors.Join(os.Chtimes(like, now, now), os.CopyFS(dir, os.DirFS(like))); err != nil {
		return fmt.Errorf("copy the migrated engine: %w", err)
	}
	return nil
}

// migrateOnce makes the engine that others copy, and removes those that nobody has copied for a day.
func migrateOnce(root, like string) error {
	old, err := filepath.Glob(filepath.Join(root, "migrated-*"))
	if err != nil {
		return fmt.Errorf("look for migrated engines: %w", err)
	}
	for _, dir := range old {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < 24*time.Hour {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove a migrated engine: %w", err)
		}
	}
	making := like + ".new"
	if err := os.RemoveAll(making); err != nil { // of a process that was killed
		return fmt.Errorf("make the migrated engine anew: %w", err)
	}
	s, err := store.Open(context.Background(), store.DefaultConfig(), store.Options{Access: store.Own, Dir: making})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("close the migrated engine: %w", err)
	}
	if err := os.Rename(making, like); err != nil {
		return fmt.Errorf("keep the migrated engine: %w", err)
	}
	return nil
}

// treeRoot is the module that the tests run in, empty outside of one.
func treeRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the tree of the tests: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, "store", "migrations")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

// hashOf tells trees apart whose stores begin differently: by the engine, and by everything in the package's folder
// but its tests.
func hashOf(tree string) (string, error) {
	library, err := embedded.FindLibrary("")
	if err != nil {
		return "", err
	}
	info, err := os.Stat(library)
	if err != nil {
		return "", fmt.Errorf("look at the engine library: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, library, info.Size(), info.ModTime().UnixNano())
	err = filepath.WalkDir(filepath.Join(tree, "store"), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == "node_modules":
			return fs.SkipDir
		case !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return addFile(sum, path)
	})
	if err != nil {
		return "", fmt.Errorf("tell the tree from others: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func addFile(sum io.Writer, path string) error {
	text, err := os.ReadFile(path)
	if err == nil {
		_, err = fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
	}
	return err
}

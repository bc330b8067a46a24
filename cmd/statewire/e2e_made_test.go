package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// making lets one test make the site that the others copy.
var making sync.Mutex

// siteDir is a data directory whose inbox and store are made. To make a store takes a second, to copy one a tenth of
// that: tests that are not about a site's first start begin here.
func siteDir(t testing.TB) string {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	data, made := dataDir(t), filepath.Join(buildDir, "site")
	if _, err := os.Stat(made); err == nil {
		copyTree(t, made, data)
		return data
	}
	done(t, data, "ingest", "--once", "--create")
	copyTree(t, data, made+".new")
	if err := os.Rename(made+".new", made); err != nil {
		t.Fatal(err)
	}
	return data
}

// copyTree copies folders, files and links with their modes; to may be there.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, below), info.Mode())
	})
	if err != nil {
		t.Fatalf("copy a made site: %v", err)
	}
}

func copyEntry(from, to string, mode fs.FileMode) error {
	switch mode.Type() {
	case fs.ModeDir:
		return os.MkdirAll(to, mode.Perm())
	case fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case 0:
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, mode.Perm())
	default:
		return nil // a socket is of the process that made it
	}
}

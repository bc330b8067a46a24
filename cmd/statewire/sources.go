package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"statewire/inbox"
)

// reportSource is a file to load. It is open when root opened it before it became another user.
type reportSource struct {
	path string
	file *os.File
}

// copyTo copies the file into the inbox and returns its name there.
func (s reportSource) copyTo(ctx context.Context, dir *inbox.Dir) (string, error) {
	if s.file == nil {
		return dir.Copy(ctx, s.path)
	}
	name, err := dir.CopyFile(ctx, s.file, s.path)
	return name, errors.Join(err, s.file.Close())
}

// reportSources are what a command line named.
type reportSources struct {
	files   []reportSource
	skipped int // in folders, that do not look like reports
}

// findReports lists the files to load.
func findReports(args []string) (*reportSources, error) {
	found := &reportSources{}
	for _, root := range args {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir():
			case path == root || entry.Type().IsRegular() && isReportName(entry.Name()):
				found.files = append(found.files, reportSource{path: path})
			default:
				found.skipped++
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for reports: %w", err)
		}
	}
	return found, nil
}

func isReportName(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".smx", ".smw", ".xml":
		return true
	}
	return false
}

// openReports opens what findReports lists, so many files at most; the rest is opened when its turn comes. What is no
// file, or does not open, is left to the copying, which says so.
func openReports(args []string, most int) (*reportSources, error) {
	found, err := findReports(args)
	if err != nil {
		return nil, err
	}
	for i := range found.files[:min(most, len(found.files))] {
		info, err := os.Stat(found.files[i].path)
		if err != nil || !info.Mode().IsRegular() { // opening a pipe would wait for its writer
			continue
		}
		if file, err := os.Open(found.files[i].path); err == nil {
			found.files[i].file = file
		}
	}
	return found, nil
}

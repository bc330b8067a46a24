package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// waitingFiles lists the files in the lanes by path.
func (g *globals) waitingFiles() ([]string, error) {
	var paths []string
	for _, lane := range []string{"high", "", "low"} {
		dir := filepath.Join(inboxRoot(g.data), "incoming", lane)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("list the inbox: %w", err)
		}
		for _, entry := range entries {
			ext := strings.ToLower(filepath.Ext(entry.Name()))
			if entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), ".") && (ext == ".smx" || ext == ".smw") {
				paths = append(paths, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return paths, nil
}

// stillThere keeps the paths that exist.
func stillThere(paths []string) []string {
	var there []string
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			there = append(there, path)
		}
	}
	return there
}

//go:build unix

package cache

import "os"

// makeFolder makes a folder, and those above it that are missing, which only this user may enter.
func makeFolder(path string) error { return os.MkdirAll(path, 0o700) }

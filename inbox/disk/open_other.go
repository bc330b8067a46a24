//go:build !linux && !darwin

package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
)

// Open refuses: elsewhere a rename can't be made durable by syncing its folder.
func Open(string, *slog.Logger) (Disk, error) {
	return nil, fmt.Errorf("a site runs on Linux or macOS, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Look refuses as well.
func Look(root string, log *slog.Logger) (Disk, error) { return Open(root, log) }

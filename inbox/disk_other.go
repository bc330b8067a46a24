//go:build !linux && !darwin

package inbox

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
)

// openDisk refuses: elsewhere a rename can't be made durable by syncing its folder.
func openDisk(string, *slog.Logger) (disk, error) {
	return nil, fmt.Errorf("a site runs on Linux or macOS, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func lookDisk(root string, log *slog.Logger) (disk, error) { return openDisk(root, log) }

//go:build unix

package trust

import (
	"io"

	"statewire/internal/filelock"
)

// lock waits until no other process changes the folder whose lock file this is.
func lock(path string) (io.Closer, error) { return filelock.Take(path, true) }

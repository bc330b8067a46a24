//go:build unix

package trust

import (
	"errors"
	"io"
	"os"

	"statewire/internal/filelock"
)

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock waits until no other process changes the folder whose lock file this is.
func lock(path string) (io.Closer, error) { return filelock.Take(path, true) }

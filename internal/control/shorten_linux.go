package control

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// descriptors is where the system shows a process its open folders.
const descriptors = "/proc/self/fd"

// shortens says whether a path of any length can be used.
func shortens() bool { return unix.Access(descriptors, unix.X_OK) == nil }

// shorten returns a path that a socket can have, valid until release.
func shorten(path string) (short string, release func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("%s/%d/%s", descriptors, dir, filepath.Base(path)), func() { unix.Close(dir) }, nil
}

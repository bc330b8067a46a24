package storetest

import "golang.org/x/sys/unix"

// freeBytes is the room below a directory, zero when it is not there.
func freeBytes(dir string) int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0
	}
	return int64(fs.Bavail) * fs.Bsize
}

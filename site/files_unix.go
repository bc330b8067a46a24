//go:build unix

package site

import "golang.org/x/sys/unix"

// openFiles is how many files this process may have open.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > mostFiles {
		return mostFiles
	}
	return int(limit.Cur)
}

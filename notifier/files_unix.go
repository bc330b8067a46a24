//go:build !windows

package notifier

import "golang.org/x/sys/unix"

// spareFiles is what a process needs beside its connections.
const spareFiles = 128

// mostConnections is how many connections the process may have beside other open files.
func mostConnections(others int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > 1<<30 {
		return 1 << 30
	}
	return max(16, int(limit.Cur)-others-spareFiles)
}

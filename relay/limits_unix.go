//go:build !windows

package relay

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// otherFiles is what a process needs beside its connections.
const otherFiles = 64

// enoughFiles refuses to start with fewer open files allowed than connections.
func enoughFiles(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if need := uint64(connections + otherFiles); uint64(limit.Cur) < need {
		return fmt.Errorf("relay.max_connections and relay.max_handshakes are %d, which needs %d open files, and this "+
			"process may have %d: raise the limit (ulimit -n, LimitNOFILE=) or lower them",
			connections, need, limit.Cur)
	}
	return nil
}

//go:build !windows

package notifier

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Connections leave the files that the other roles of the process need, and some for everything else.
func TestConnectionsLeaveTheFilesOfOtherRoles(t *testing.T) {
	var before unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	limit := before
	limit.Cur = 3000
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	t.Cleanup(func() { check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
	for others, want := range map[int]int{0: 3000 - spareFiles, 700: 2300 - spareFiles, 5000: 16} {
		if got := mostConnections(others); got != want {
			t.Errorf("%d connections beside %d other files, not %d", got, others, want)
		}
	}
}

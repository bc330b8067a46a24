package channel

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is the machine's clock that goes on while it sleeps.
func bootTime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // always there
	return time.Duration(now.Nano())
}

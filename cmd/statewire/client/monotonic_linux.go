package client

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the machine's clock that never jumps, as systemd compares it.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // always there
	return time.Duration(now.Nano())
}

package runner

import (
	"time"

	"golang.org/x/sys/unix"
)

// systemClock is the machine's.
func systemClock() Clock { return Clock{Wall: time.Now, Boot: bootTime, Run: bootID} }

// bootTime is the machine's clock that goes on while it sleeps. The one of package time stands still then.
func bootTime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &now) // always there
	return time.Duration(now.Nano())
}

// bootID is another one after each start of the machine.
func bootID() string {
	id, _ := unix.Sysctl("kern.bootsessionuuid") // without it nothing is known
	return id
}

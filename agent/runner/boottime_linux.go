package runner

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// systemClock is the machine's.
func systemClock() Clock { return Clock{Wall: time.Now, Boot: bootTime, Run: bootID} }

// bootTime is the machine's clock that goes on while it sleeps.
func bootTime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // always there
	return time.Duration(now.Nano())
}

// bootID is another one after each start of the machine.
func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it nothing is known
	return strings.TrimSpace(string(text))
}

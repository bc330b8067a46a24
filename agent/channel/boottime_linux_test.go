package channel

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The clock that goes on while the machine sleeps is never behind the one that does not.
func TestTheClockThatGoesOnInSleepIsNotBehind(t *testing.T) {
	var steady unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &steady); err != nil {
		t.Fatal(err)
	}
	if boot := bootTime(); boot < time.Duration(steady.Nano()) {
		t.Errorf("%v after the start, where the steady clock says %v", boot, time.Duration(steady.Nano()))
	}
}

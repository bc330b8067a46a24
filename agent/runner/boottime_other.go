//go:build !linux && !darwin

package runner

import "time"

// systemClock is the machine's. Without a clock that outlives the process nothing is known of the time between two.
func systemClock() Clock {
	began := time.Now()
	return Clock{Wall: time.Now, Boot: func() time.Duration { return time.Since(began) }, Run: func() string { return "" }}
}

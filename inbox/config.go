package inbox

import (
	"errors"
	"fmt"
	"time"
)

// Config sets an inbox's bounds and intervals.
type Config struct {
	// MaxFileBytes bounds a file that is copied in or read; default 64 MiB.
	MaxFileBytes int64
	// PollInterval is how often a loader looks for files though nothing woke it; default 900 s.
	PollInterval time.Duration
	// StatsInterval is how long Stats may answer from memory; default 2 s. A slow count is kept longer, so that
	// counting takes at most a twentieth of the time.
	StatsInterval time.Duration
	// Settle is how long a dropped file must have been left alone before it may be called bad: it may still be
	// arriving. Default 1 s; good files do not wait, zero never waits.
	Settle time.Duration
	// RetryMin and RetryMax bound the doubling delay of a file that could not be set aside; default 1 s and 60 s.
	RetryMin, RetryMax time.Duration
	// ProbeInterval is the least time between two probe files after a storage fault; default 1 s.
	ProbeInterval time.Duration
}

// DefaultConfig returns the defaults named at each field.
func DefaultConfig() Config {
	return Config{
		MaxFileBytes:  64 << 20,
		PollInterval:  900 * time.Second,
		StatsInterval: 2 * time.Second,
		Settle:        time.Second,
		RetryMin:      time.Second,
		RetryMax:      60 * time.Second,
		ProbeInterval: time.Second,
	}
}

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(c.MaxFileBytes > 0, "inbox MaxFileBytes: %d: must be above 0", c.MaxFileBytes)
	check(c.PollInterval > 0, "inbox PollInterval: %v: must be above 0", c.PollInterval)
	check(c.StatsInterval >= 0, "inbox StatsInterval: %v: must not be below 0", c.StatsInterval)
	check(c.Settle >= 0, "inbox Settle: %v: must not be below 0", c.Settle)
	check(c.RetryMin > 0 && c.RetryMin <= c.RetryMax,
		"inbox RetryMin, RetryMax: %v, %v: must be above 0 and in this order", c.RetryMin, c.RetryMax)
	check(c.ProbeInterval > 0, "inbox ProbeInterval: %v: must be above 0", c.ProbeInterval)
	return errors.Join(problems...)
}

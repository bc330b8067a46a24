package resync

import (
	"errors"
	"fmt"
	"time"
)

// Config paces the gap check and the resyncs that follow from it.
type Config struct {
	// CheckInterval is the time between two gap checks. Default 60m; at least 1m.
	CheckInterval time.Duration `mapstructure:"check_interval"`
	// MinMissingMessageAge is how long a message is missing before its client is asked. Default 2880m; zero asks at
	// once.
	MinMissingMessageAge time.Duration `mapstructure:"min_missing_message_age"`
	// MergeInterval is the least time between two resyncs of one client. Default 72h; zero sets no limit.
	MergeInterval time.Duration `mapstructure:"merge_interval"`
	// MaxOutstanding is how many clients may owe an answer at once. Default 1000; at least 1.
	MaxOutstanding int `mapstructure:"max_outstanding"`
}

// DefaultConfig returns the intervals of the classic site control file.
func DefaultConfig() Config {
	return Config{
		CheckInterval:        60 * time.Minute,
		MinMissingMessageAge: 2880 * time.Minute,
		MergeInterval:        72 * time.Hour,
		MaxOutstanding:       1000,
	}
}

// Validate reports every field out of range, named as in the configuration file.
func (c Config) Validate() error {
	var errs []error
	if c.CheckInterval < time.Minute {
		errs = append(errs, fmt.Errorf("resync.check_interval is %v; allowed is 1m or more", c.CheckInterval))
	}
	if c.MinMissingMessageAge < 0 {
		errs = append(errs, fmt.Errorf("resync.min_missing_message_age is %v; allowed is 0 or more",
			c.MinMissingMessageAge))
	}
	if c.MergeInterval < 0 {
		errs = append(errs, fmt.Errorf("resync.merge_interval is %v; allowed is 0 or more", c.MergeInterval))
	}
	if c.MaxOutstanding < 1 {
		errs = append(errs, fmt.Errorf("resync.max_outstanding is %d; allowed is 1 or more", c.MaxOutstanding))
	}
	return errors.Join(errs...)
}

// changes lists the settings of next that differ, as attributes of a log line: the name, and the value before and
// after.
func (c Config) changes(next Config) []any {
	var attrs []any
	changed := func(name string, before, after any) {
		if before != after {
			attrs = append(attrs, name, fmt.Sprintf("%v -> %v", before, after))
		}
	}
	changed("check_interval", c.CheckInterval, next.CheckInterval)
	changed("min_missing_message_age", c.MinMissingMessageAge, next.MinMissingMessageAge)
	changed("merge_interval", c.MergeInterval, next.MergeInterval)
	changed("max_outstanding", c.MaxOutstanding, next.MaxOutstanding)
	return attrs
}

// offeredFor is how long a request is offered to its client: while the client is outstanding, and an hour at least, so
// that a short merge interval does not take the request back before the next poll.
func (c Config) offeredFor() time.Duration { return max(c.MergeInterval, time.Hour) }

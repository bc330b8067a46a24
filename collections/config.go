package collections

import (
	"fmt"
	"time"
)

// Config says which clients still count.
type Config struct {
	// RetireAfter is how long a client may be silent, without a report and without a poll, before it is retired. Default
	// 0: never; else at least 24h.
	RetireAfter time.Duration `mapstructure:"retire_after"`
}

// DefaultConfig retires nobody.
func DefaultConfig() Config { return Config{} }

// Validate reports what is out of range, named as in the configuration file.
func (c Config) Validate() error {
	if c.RetireAfter != 0 && c.RetireAfter < leastSilence {
		return fmt.Errorf("clients.retire_after is %v; allowed is 24h or more, or 0 for never", c.RetireAfter)
	}
	return nil
}

// leastSilence keeps machines that are switched off over night.
const leastSilence = 24 * time.Hour

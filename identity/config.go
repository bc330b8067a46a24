package identity

import (
	"fmt"
	"time"
)

// Config is the section identity of the configuration.
type Config struct {
	// RenewGrace is how long after its end a certificate may still be renewed, for machines that were off. Default 90d; 0
	// to 3650d.
	RenewGrace time.Duration `mapstructure:"renew_grace"`
}

// EnrollConfig is the section enroll.
type EnrollConfig struct {
	// PerHour is how many clients may enrol within an hour. Default 2500; zero sets no limit.
	PerHour int `mapstructure:"per_hour"`
}

// DefaultConfig returns what the documentation promises.
func DefaultConfig() Config { return Config{RenewGrace: 90 * 24 * time.Hour} }

// DefaultEnrollConfig returns what the documentation promises.
func DefaultEnrollConfig() EnrollConfig { return EnrollConfig{PerHour: 2500} }

// Validate names the key that is out of range.
func (c Config) Validate() error {
	if most := 3650 * 24 * time.Hour; c.RenewGrace < 0 || c.RenewGrace > most {
		return fmt.Errorf("identity.renew_grace is %v; allowed are 0 to %v", c.RenewGrace, most)
	}
	return nil
}

// Validate names the key that is out of range.
func (c EnrollConfig) Validate() error {
	if c.PerHour < 0 || c.PerHour > 100_000_000 {
		return fmt.Errorf("enroll.per_hour is %d; allowed are 0 to 100000000", c.PerHour)
	}
	return nil
}

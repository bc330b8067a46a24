package agent

import (
	"errors"
	"fmt"
	"time"
)

// Config is the client side's.
type Config struct {
	// SendInterval is the time between two sends of what changed. Default 15m; at least 1s.
	SendInterval time.Duration `mapstructure:"send_interval"`
	// PolicyInterval is the time between two policy polls. Default 60m; at least 1s.
	PolicyInterval time.Duration `mapstructure:"policy_interval"`
	// StartupJitter bounds the random wait before the first connection. Default 10m; zero does not wait.
	StartupJitter time.Duration `mapstructure:"startup_jitter"`
}

// DefaultConfig returns the cycles of the classic client.
func DefaultConfig() Config {
	return Config{SendInterval: 15 * time.Minute, PolicyInterval: 60 * time.Minute, StartupJitter: 10 * time.Minute}
}

// Validate reports every field out of range, named as in the configuration file.
func (c Config) Validate() error {
	var errs []error
	if c.SendInterval < time.Second {
		errs = append(errs, fmt.Errorf("agent.send_interval is %v; allowed is 1s or more", c.SendInterval))
	}
	if c.PolicyInterval < time.Second {
		errs = append(errs, fmt.Errorf("agent.policy_interval is %v; allowed is 1s or more", c.PolicyInterval))
	}
	if c.StartupJitter < 0 {
		errs = append(errs, fmt.Errorf("agent.startup_jitter is %v; allowed is 0 or more", c.StartupJitter))
	}
	return errors.Join(errs...)
}

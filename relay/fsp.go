package relay

import (
	"errors"
	"fmt"
	"time"

	"statewire/internal/parse"
)

// FSPConfig belongs to the fallback status point, which takes messages about failing installations from callers without
// a certificate.
type FSPConfig struct {
	// Listen is the address of its listener. Default "off": there is none.
	Listen string `mapstructure:"listen"`
	// Messages is how many messages it takes per Interval. Default 10000; at least 1.
	Messages int `mapstructure:"messages"`
	// Interval is the span that Messages counts in. Default 3600s; at least 1s.
	Interval time.Duration `mapstructure:"interval"`
}

// DefaultFSPConfig returns what the documentation promises.
func DefaultFSPConfig() FSPConfig {
	return FSPConfig{Listen: "off", Messages: 10_000, Interval: time.Hour}
}

// Validate reports every problem at once.
func (c FSPConfig) Validate() error {
	var errs []error
	if _, _, err := parse.Listen(c.Listen); err != nil && c.Listen != "off" && c.Listen != "" {
		errs = append(errs, fmt.Errorf("fsp.listen: %w; \"off\" is allowed, too", err))
	}
	if c.Messages < 1 || c.Messages > 1_000_000_000 {
		errs = append(errs, fmt.Errorf("fsp.messages is %d; allowed are 1 to 1000000000", c.Messages))
	}
	if c.Interval < time.Second || c.Interval > 30*24*time.Hour {
		errs = append(errs, fmt.Errorf("fsp.interval is %v; allowed are 1s to 720h", c.Interval))
	}
	return errors.Join(errs...)
}

package notifier

import (
	"errors"
	"fmt"
	"time"

	"statewire/internal/parse"
)

// Config is the fast channel's.
type Config struct {
	// Listen is the TLS address of the channel. Default :10123.
	Listen string `mapstructure:"listen"`
	// KeepAlive is how often an idle client says that it is there. Default 15m; at least 1s.
	KeepAlive time.Duration `mapstructure:"keepalive"`
	// OfflineAfter is the silence after which a client counts as offline. Default 20m; longer than keepalive.
	OfflineAfter time.Duration `mapstructure:"offline_after"`
	// TaskValidity is how long a task waits for a client that is offline. Default 1h; at least 1m.
	TaskValidity time.Duration `mapstructure:"task_validity"`
	// ThrottlePerSecond is how many clients a task, or a wake, reaches in a second. Default 42; at least 1.
	ThrottlePerSecond int `mapstructure:"throttle"`
	// PresenceInterval is the time between two presence files (BOS). Default 5m; at least 1s.
	PresenceInterval time.Duration `mapstructure:"presence_interval"`
	// ResultsInterval is the time between two result files (BTS). Default 30s; at least 1s.
	ResultsInterval time.Duration `mapstructure:"results_interval"`

	// MaxConnections bounds the clients that are connected by TCP. Default 25000; at least 1. A process that may not have
	// that many open files holds fewer, and says so.
	MaxConnections int `mapstructure:"max_connections"`
	// MaxHTTP bounds the requests of clients that come by HTTP. Default 20000; at least 1.
	MaxHTTP int `mapstructure:"max_http"`
	// HTTPHold is how long such a request waits for something to say. Default 50s; 1s to 100s: an agent gives a request up
	// after two minutes. What stands between must let it wait.
	HTTPHold time.Duration `mapstructure:"http_hold"`
	// History is how long it is kept when clients were online. Default 90d; at least 1h.
	History time.Duration `mapstructure:"history"`
}

// DefaultConfig returns the intervals of the classic channel.
func DefaultConfig() Config {
	return Config{
		Listen:            ":10123",
		KeepAlive:         15 * time.Minute,
		OfflineAfter:      20 * time.Minute,
		TaskValidity:      time.Hour,
		ThrottlePerSecond: 42,
		PresenceInterval:  5 * time.Minute,
		ResultsInterval:   30 * time.Second,
		MaxConnections:    25_000,
		MaxHTTP:           20_000,
		HTTPHold:          50 * time.Second,
		History:           90 * 24 * time.Hour,
	}
}

// mostHold leaves room for the answer within the time after which an agent gives a request up.
const mostHold = 100 * time.Second

// Validate reports every field out of range, named as in the configuration file.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := parse.Listen(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("notifier.listen: %w", err))
	}
	atLeast := func(key string, got, min time.Duration) {
		if got < min {
			errs = append(errs, fmt.Errorf("notifier.%s is %v; allowed is %v or more", key, got, min))
		}
	}
	atLeast("keepalive", c.KeepAlive, time.Second)
	if c.OfflineAfter < c.KeepAlive+time.Second {
		errs = append(errs, fmt.Errorf(
			"notifier.offline_after is %v and notifier.keepalive %v: a client that has nothing to "+
				"say would count as offline between two of its keep-alives; the first has to be longer", c.OfflineAfter, c.KeepAlive))
	}
	atLeast("task_validity", c.TaskValidity, time.Minute)
	atLeast("presence_interval", c.PresenceInterval, time.Second)
	atLeast("results_interval", c.ResultsInterval, time.Second)
	atLeast("history", c.History, time.Hour)
	if c.HTTPHold < time.Second || c.HTTPHold > mostHold {
		errs = append(errs, fmt.Errorf("notifier.http_hold is %v; allowed are 1s to %v", c.HTTPHold, mostHold))
	}
	for _, n := range []struct {
		key string
		got int
	}{{"throttle", c.ThrottlePerSecond}, {"max_connections", c.MaxConnections}, {"max_http", c.MaxHTTP}} {
		if n.got < 1 {
			errs = append(errs, fmt.Errorf("notifier.%s is %d; allowed is 1 or more", n.key, n.got))
		}
	}
	return errors.Join(errs...)
}

package notifier

import (
	"strings"
	"testing"
	"time"
)

// Every value out of range is told by the name of its key, all of them at once; the defaults are in range.
func TestWhatTheConfigurationAllows(t *testing.T) {
	check(t, DefaultConfig().Validate())
	for key, change := range map[string]func(*Config){
		"notifier.listen":            func(c *Config) { c.Listen = "nowhere" },
		"notifier.keepalive":         func(c *Config) { c.KeepAlive = 0 },
		"notifier.offline_after":     func(c *Config) { c.OfflineAfter = c.KeepAlive },
		"notifier.presence_interval": func(c *Config) { c.PresenceInterval = 0 },
		"notifier.throttle":          func(c *Config) { c.ThrottlePerSecond = 0 },
		"notifier.max_connections":   func(c *Config) { c.MaxConnections = 0 },
		"notifier.max_http":          func(c *Config) { c.MaxHTTP = -1 },
		"notifier.http_hold":         func(c *Config) { c.HTTPHold = 11 * time.Minute },
		"notifier.http_hold is 0s":   func(c *Config) { c.HTTPHold = 0 },
		"notifier.history":           func(c *Config) { c.History = time.Minute },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	c := DefaultConfig()
	c.KeepAlive = time.Hour
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "notifier.offline_after is 20m0s and "+
		"notifier.keepalive 1h0m0s: ") {
		t.Errorf("of two keys that do not fit, one is told: %v", err)
	}
	if err := (Config{Listen: ":1"}).Validate(); err == nil || strings.Count(err.Error(), "notifier.") < 9 {
		t.Error(err)
	}
}

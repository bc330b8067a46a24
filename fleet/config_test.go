package fleet

import (
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
	}{
		{"no relay", func(c *Config) { c.Relay = "" }},
		{"relay without a scheme", func(c *Config) { c.Relay = "relay:8443" }},
		{"no clients", func(c *Config) { c.Clients = 0 }},
		{"short day", func(c *Config) { c.PatchDay = 0 }},
		{"long day", func(c *Config) { c.PatchDay = 25 * time.Hour }},
		{"short interval", func(c *Config) { c.SendInterval = 0 }},
		{"no senders", func(c *Config) { c.Senders = 0 }},
		{"loss above one", func(c *Config) { c.Loss = 1.1 }},
		{"damage below zero", func(c *Config) { c.Damage = -0.1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testFleet(1)
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			c.edit(&cfg)
			if _, err := New(cfg, nil, quiet); err == nil {
				t.Error("want a refusal")
			}
		})
	}
}

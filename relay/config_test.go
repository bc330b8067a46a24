package relay

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := DefaultFSPConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestWrongValuesAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(*Config)
		want []string // empty: valid
	}{
		{"none on loopback", func(c *Config) { c.Auth, c.Listen = "none", "127.0.0.1:8443" }, nil},
		{"none on IPv6 loopback", func(c *Config) { c.Auth, c.Listen = "none", "[::1]:0" }, nil},
		{"none on localhost", func(c *Config) { c.Auth, c.Listen = "none", "localhost:8443" }, nil},
		{"none on all addresses", func(c *Config) { c.Auth = "none" },
			[]string{`relay.auth is "none"`, `":8443"`, "loopback"}},
		{"none on the network", func(c *Config) { c.Auth, c.Listen = "none", "10.0.0.1:8443" }, []string{"loopback"}},
		{"none on a name", func(c *Config) { c.Auth, c.Listen = "none", "relay:8443" }, []string{"loopback"}},
		{"unknown auth", func(c *Config) { c.Auth = "basic" }, []string{`relay.auth is "basic"`, `"mtls"`}},
		{"no port", func(c *Config) { c.Listen = "127.0.0.1" }, []string{"relay.listen", "HOST:PORT"}},
		{"a certificate without a key", func(c *Config) { c.TLSCert = "x.pem" },
			[]string{"relay.tls_cert and relay.tls_key"}},
		{"many at once", func(c *Config) { c.ClientRate, c.BodyTimeout, c.MaxFileBytes = -1, 0, 1 },
			[]string{"relay.client_rate is -1; allowed are 0 to", "relay.body_timeout is 0s; allowed are 1ms to",
				"relay.max_file_bytes is 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := DefaultConfig()
			tc.set(&cfg)
			err := cfg.Validate()
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %q", want, err)
				}
			}
		})
	}
}

func TestWrongFallbackStatusPointValues(t *testing.T) {
	for _, tc := range []struct {
		cfg  FSPConfig
		want string
	}{
		{FSPConfig{Listen: ":8080", Messages: 1, Interval: time.Second}, ""},
		{FSPConfig{Listen: "", Messages: 1, Interval: time.Second}, ""},
		{FSPConfig{Listen: "on", Messages: 1, Interval: time.Second}, `fsp.listen: "on" is no address`},
		{FSPConfig{Listen: "off", Interval: time.Second}, "fsp.messages is 0"},
		{FSPConfig{Listen: "off", Messages: 1}, "fsp.interval is 0s"},
	} {
		if err := tc.cfg.Validate(); (err == nil) != (tc.want == "") || err != nil &&
			!strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.cfg, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("a relay without an inbox")
	}
	cfg := DefaultConfig()
	cfg.Auth = AuthNone
	if _, err := New(cfg, Deps{Inbox: newMemoryInbox()}); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("open to the network without certificates: %v", err)
	}
}

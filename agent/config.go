package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/agent/transport"
	"statewire/internal/parse"
	"statewire/smx"
)

// Config is the client side's.
type Config struct {
	// Relay is the address of the client's relay, such as https://mp.example:8443. Default empty: the one that it
	// enrolled at; without either `agent run` refuses to start.
	Relay string `mapstructure:"relay"`
	// CAFile is a PEM file of the authority that signed the relay's certificate, beside those of the site that a client
	// enrolled at. Default empty: these alone, or else the system's roots.
	CAFile string `mapstructure:"ca_file"`
	// Pin is the SHA-256 in hex of a public key (SubjectPublicKeyInfo) in the relay's certificate chain. Default empty:
	// none is asked for.
	Pin string `mapstructure:"pin"`
	// EnrollTokenFile is a file with an enrolment token: a client that has no certificate enrols with it, and removes it
	// once its certificate is on disk. Default empty: the client enrols with `agent enroll`, or never.
	EnrollTokenFile string `mapstructure:"enroll_token_file"`
	// ClientID is how the client calls itself, GUID:… or a UUID. Default empty: it makes one and keeps it.
	ClientID string `mapstructure:"client_id"`
	// SendInterval is the time between two sends of what changed. Default 15m; at least 1s.
	SendInterval time.Duration `mapstructure:"send_interval"`
	// PolicyInterval is the time between two policy polls. Default 60m; at least 1s.
	PolicyInterval time.Duration `mapstructure:"policy_interval"`
	// StartupJitter bounds the random wait before the first connection. Default 10m; zero does not wait.
	StartupJitter time.Duration `mapstructure:"startup_jitter"`
	// ScanInterval is the time between two scans of the machine's package updates. Default 12h; at least 1m; zero never
	// scans.
	ScanInterval time.Duration `mapstructure:"scan_interval"`
}

// DefaultConfig returns the cycles of the classic client.
func DefaultConfig() Config {
	return Config{SendInterval: 15 * time.Minute, PolicyInterval: 60 * time.Minute, StartupJitter: 10 * time.Minute,
		ScanInterval: 12 * time.Hour}
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
	if c.ScanInterval != 0 && c.ScanInterval < time.Minute {
		errs = append(errs, fmt.Errorf("agent.scan_interval is %v; allowed are 0 and 1m or more", c.ScanInterval))
	}
	if _, err := parse.URL(c.Relay, "https"); c.Relay != "" && err != nil {
		errs = append(errs, fmt.Errorf("agent.relay: %w", err))
	}
	if _, err := c.Client(); err != nil {
		errs = append(errs, err)
	}
	if _, err := transport.Trust(nil, c.Pin); err != nil {
		errs = append(errs, fmt.Errorf("agent.pin is %.80q; allowed are the 64 hex digits of a SHA-256", c.Pin))
	}
	return errors.Join(errs...)
}

// Client is the configured client id, the zero one when the client is to make its own.
func (c Config) Client() (smx.ClientID, error) {
	if c.ClientID == "" {
		return smx.ClientID{}, nil
	}
	id, err := parse.ClientID(c.ClientID)
	if err != nil || id == uuid.Nil {
		return smx.ClientID{}, fmt.Errorf("agent.client_id is %.80q; allowed is a GUID such as "+
			"GUID:9C0F8D1E-3B44-4E71-8F5A-0D2B6A7C1E33", c.ClientID)
	}
	return smx.ClientID(id), nil
}

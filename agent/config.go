package agent

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
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
	// Tasks says what becomes of the tasks that the site asks for: run; report checks and refuses them; off. Default run.
	Tasks string `mapstructure:"tasks"`
	// PacksDeny are ids of management packs of which no task runs. Default empty.
	PacksDeny []string `mapstructure:"packs_deny"`
	// AllowClass is the highest class of tasks that run: benign, disruptive or destructive. Default destructive.
	AllowClass string `mapstructure:"allow_class"`
	// Commands are what this machine runs for tasks that every machine does in its own way.
	Commands Commands `mapstructure:"commands"`
}

// Commands are programs with an absolute path, and their arguments. A task without one is refused. Default empty.
type Commands struct {
	QuickScan         []string `mapstructure:"quick-scan"`         // looks for malware where it mostly is
	FullScan          []string `mapstructure:"full-scan"`          // looks for malware everywhere
	UpdateDefinitions []string `mapstructure:"update-definitions"` // fetches what malware is known by
}

// ByTask are the commands by the name of the built-in action.
func (c Commands) ByTask() map[string][]string {
	return map[string][]string{"quick-scan": c.QuickScan, "full-scan": c.FullScan,
		"update-definitions": c.UpdateDefinitions}
}

// DefaultConfig returns the cycles of the classic client.
func DefaultConfig() Config {
	return Config{SendInterval: 15 * time.Minute, PolicyInterval: 60 * time.Minute, StartupJitter: 10 * time.Minute,
		ScanInterval: 12 * time.Hour, Tasks: "run", AllowClass: "destructive", PacksDeny: []string{},
		Commands: Commands{QuickScan: []string{}, FullScan: []string{}, UpdateDefinitions: []string{}}}
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
	errs = append(errs, c.validateTasks()...)
	return errors.Join(errs...)
}

// validateTasks reports what is out of range of the keys about tasks.
func (c Config) validateTasks() (errs []error) {
	if !slices.Contains([]string{"run", "report", "off"}, c.Tasks) {
		errs = append(errs, fmt.Errorf("agent.tasks is %.80q; allowed are run, report and off", c.Tasks))
	}
	if !slices.Contains([]string{"benign", "disruptive", "destructive"}, c.AllowClass) {
		errs = append(errs, fmt.Errorf("agent.allow_class is %.80q; allowed are benign, disruptive and destructive",
			c.AllowClass))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Commands.ByTask())) {
		if own := c.Commands.ByTask()[name]; len(own) > 0 && !filepath.IsAbs(own[0]) {
			errs = append(errs, fmt.Errorf("agent.commands.%s begins with %.80q; allowed is a list that begins with the "+
				"absolute path of a program", name, own[0]))
		}
	}
	return errs
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

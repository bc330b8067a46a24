// Package configs is the shipped configuration and its loader: defaults, then the file, then the environment, then
// flags, and no value is ever used before all of them were checked.
package configs

import (
	_ "embed"
	"errors"
	"fmt"

	"statewire/agent"
	"statewire/collections"
	"statewire/identity"
	"statewire/ingest"
	"statewire/notifier"
	"statewire/notifier/manager"
	"statewire/relay"
	"statewire/reports"
	"statewire/resync"
	"statewire/store"
)

// StateCatalog is the shipped list of topics and states as CSV: topic_type, topic_name, state_id, state_name.
//
//go:embed state-catalog.csv
var StateCatalog []byte

// stateClasses is the shipped list of what states say of compliance as CSV: topic_type, state_id, class.
//
//go:embed state-classes.csv
var stateClasses []byte

// StateClasses are the shipped classes of states, then those of the site's own file, which win.
func (c Config) StateClasses() ([]store.Class, error) {
	shipped, err := store.ParseClasses(stateClasses)
	if err != nil {
		return nil, fmt.Errorf("state-classes.csv: %w", err)
	}
	own, err := c.Reports.SiteClasses()
	if err != nil {
		return nil, &Error{err}
	}
	return append(shipped, own...), nil
}

// Shipped is the configuration file as it is delivered: every key with its default.
//
//go:embed statewire.yaml
var Shipped []byte

// Config is a whole site's configuration: what each stage owns, under the stage's name.
type Config struct {
	Relay    relay.Config          `mapstructure:"relay"`
	Identity identity.Config       `mapstructure:"identity"`
	Enroll   identity.EnrollConfig `mapstructure:"enroll"`
	FSP      relay.FSPConfig       `mapstructure:"fsp"`
	Ingest   ingest.Config         `mapstructure:"ingest"`
	Store    store.Config          `mapstructure:"store"`
	Resync   resync.Config         `mapstructure:"resync"`
	Clients  collections.Config    `mapstructure:"clients"`
	Reports  reports.Config        `mapstructure:"reports"`
	Notifier notifier.Config       `mapstructure:"notifier"`
	Tasks    manager.TasksConfig   `mapstructure:"tasks"`
	Agent    agent.Config          `mapstructure:"agent"`
}

// Default returns the configuration of a site nobody configured.
func Default() Config {
	return Config{
		Relay:    relay.DefaultConfig(),
		Identity: identity.DefaultConfig(),
		Enroll:   identity.DefaultEnrollConfig(),
		FSP:      relay.DefaultFSPConfig(),
		Ingest:   ingest.DefaultConfig(),
		Store:    store.DefaultConfig(),
		Resync:   resync.DefaultConfig(),
		Clients:  collections.DefaultConfig(),
		Reports:  reports.DefaultConfig(),
		Notifier: notifier.DefaultConfig(),
		Tasks:    manager.DefaultTasksConfig(),
		Agent:    agent.DefaultConfig(),
	}
}

// section is a part of the configuration: what one stage owns.
type section struct {
	name string
	part interface{ Validate() error }
}

func (c Config) sections() []section {
	return []section{{"relay", c.Relay}, {"identity", c.Identity}, {"enroll", c.Enroll}, {"fsp", c.FSP},
		{"ingest", c.Ingest},
		{"store", c.Store}, {"resync", c.Resync}, {"clients", c.Clients}, {"reports", c.Reports}, {"notifier", c.Notifier},
		{"tasks", c.Tasks}, {"agent", c.Agent}}
}

// Validate reports every problem of every stage at once.
func (c Config) Validate() error {
	var errs []error
	for _, s := range c.sections() {
		errs = append(errs, s.part.Validate())
	}
	return errors.Join(errs...)
}

// Error is a configuration that cannot be used; the command ends with exit code 2.
type Error struct{ Err error }

func (e *Error) Error() string { return fmt.Sprintf("configuration: %v", e.Err) }

// Unwrap returns the problems, joined.
func (e *Error) Unwrap() error { return e.Err }

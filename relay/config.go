package relay

import (
	"errors"
	"fmt"
	"time"

	"statewire/identity"
	"statewire/internal/parse"
)

// Who may send reports.
const (
	AuthMTLS = "mtls" // callers show a client certificate
	AuthNone = "none" // anybody may send; for listeners on loopback only
)

// Config tells where the relay listens, whom it believes and what it holds at most.
type Config struct {
	// Listen is the address of the HTTPS listener. Default ":8443"; port 0 takes a free one.
	Listen string `mapstructure:"listen"`
	// Auth is "mtls" (default: a caller without a known client certificate gets 401) or "none" (loopback listeners only).
	Auth string `mapstructure:"auth"`
	// TLSCert and TLSKey are PEM files of the listener's certificate chain and key. Default empty: the site makes its own.
	TLSCert string `mapstructure:"tls_cert"`
	TLSKey  string `mapstructure:"tls_key"`

	// Hosts are further names and addresses under which clients reach the relay, for the certificate that the site makes.
	// Default empty: it has this machine's name and addresses.
	Hosts []string `mapstructure:"hosts"`

	// ClientRate is how many reports and polls per second one client may send for long. Default 10; zero sets no limit.
	ClientRate int `mapstructure:"client_rate"`
	// ClientBurst is how many of them one client may send at once. Default 200; at least 1.
	ClientBurst int `mapstructure:"client_burst"`
	// ClientsTracked is how many clients' rates are remembered; the longest silent one is forgotten first. Default 65536;
	// at least 1.
	ClientsTracked int `mapstructure:"clients_tracked"`

	// RefusalsKept is of how many clients the last refused report is remembered, and stored; from one address of a quarter
	// of them. The oldest gives way. Default 4096; zero remembers none.
	RefusalsKept int `mapstructure:"refusals_kept"`

	// MaxConnections bounds the open connections. Beyond it the one that has waited longest for a request gives way.
	// Default 4096; at least 1.
	MaxConnections int `mapstructure:"max_connections"`
	// MaxConnectionsPerIP bounds those from one address. Default 1024; at least 1.
	MaxConnectionsPerIP int `mapstructure:"max_connections_per_ip"`
	// MaxHandshakes bounds the connections beside them that have not finished their TLS handshake. The oldest gives way.
	// Default 1024; at least 1.
	MaxHandshakes int `mapstructure:"max_handshakes"`
	// MaxHandshakesPerIP bounds those from one address. Default 256; at least 1.
	MaxHandshakesPerIP int `mapstructure:"max_handshakes_per_ip"`
	// MaxBodyMemory bounds the bytes of report bodies held at one time, in all requests. Default 64MiB; at least 24MiB.
	MaxBodyMemory int64 `mapstructure:"max_body_memory"`
	// MaxFileBytes is the size at which a file is full and a further one begins. Default 16MiB; 64KiB to 32MiB.
	MaxFileBytes int64 `mapstructure:"max_file_bytes"`

	// DiskReserve is the free space on the inbox's file system below which reports are refused. Default 1GiB; zero keeps
	// none.
	DiskReserve int64 `mapstructure:"disk_reserve"`
	// InodeReserve is the same for free inodes. Default 1000; zero keeps none.
	InodeReserve int64 `mapstructure:"inode_reserve"`
	// BacklogFiles is the number of waiting files above which reports are refused. Default 200000; zero sets no limit.
	BacklogFiles int64 `mapstructure:"backlog_files"`
	// BacklogAge is the age of the oldest waiting file above which reports are refused. Default 72h; zero sets no limit.
	BacklogAge time.Duration `mapstructure:"backlog_age"`
	// RetryAfter is what a refused caller is asked to wait at least; up to as much again is added at random. Default 30s;
	// at least 1s.
	RetryAfter time.Duration `mapstructure:"retry_after"`

	// HandshakeTimeout bounds the TLS handshake. Default 10s.
	HandshakeTimeout time.Duration `mapstructure:"handshake_timeout"`
	// HeaderTimeout bounds the reading of a request's header. Default 5s.
	HeaderTimeout time.Duration `mapstructure:"header_timeout"`
	// IdleTimeout closes a connection that sends no further request. Default 15s: clients come every quarter of an hour.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// WriteTimeout bounds the writing of an answer. Default 30s.
	WriteTimeout time.Duration `mapstructure:"write_timeout"`
	// BodyTimeout is the time any body may take; one that takes longer must have kept BodyRate. Default 5s.
	BodyTimeout time.Duration `mapstructure:"body_timeout"`
	// BodyRate is the least number of bytes per second of a body that takes longer than BodyTimeout. Default 1KiB; at
	// least 1.
	BodyRate int64 `mapstructure:"body_rate"`
	// CommitTimeout is how long a report waits for the disk before it is answered 503 with its outcome unknown. Default
	// 30s.
	CommitTimeout time.Duration `mapstructure:"commit_timeout"`
	// StopTimeout bounds how long a stop waits for the requests in hand. Default 20s.
	StopTimeout time.Duration `mapstructure:"stop_timeout"`
}

// DefaultConfig returns what the documentation promises.
func DefaultConfig() Config {
	return Config{
		Listen:              ":8443",
		Auth:                AuthMTLS,
		ClientRate:          10,
		ClientBurst:         200,
		ClientsTracked:      65_536,
		RefusalsKept:        4096,
		MaxConnections:      4096,
		MaxConnectionsPerIP: 1024,
		MaxHandshakes:       1024,
		MaxHandshakesPerIP:  256,
		MaxBodyMemory:       64 << 20,
		MaxFileBytes:        16 << 20,
		DiskReserve:         1 << 30,
		InodeReserve:        1000,
		BacklogFiles:        200_000,
		BacklogAge:          72 * time.Hour,
		RetryAfter:          30 * time.Second,
		HandshakeTimeout:    10 * time.Second,
		HeaderTimeout:       5 * time.Second,
		IdleTimeout:         15 * time.Second,
		WriteTimeout:        30 * time.Second,
		BodyTimeout:         5 * time.Second,
		BodyRate:            1 << 10,
		CommitTimeout:       30 * time.Second,
		StopTimeout:         20 * time.Second,
	}
}

// Validate reports every problem at once, each with its key, its value and what is allowed.
func (c Config) Validate() error {
	return errors.Join(c.validateListener(), c.validateBounds(), c.validateTimes())
}

func (c Config) validateListener() error {
	var errs []error
	host, _, err := parse.Listen(c.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("relay.listen: %w", err))
	}
	switch c.Auth {
	case AuthMTLS:
	case AuthNone:
		if err == nil && !parse.Loopback(host) {
			errs = append(errs, fmt.Errorf(
				"relay.auth is \"none\" while relay.listen is %q; without client certificates only a loopback address such as "+
					"127.0.0.1:8443 is allowed", c.Listen))
		}
	default:
		errs = append(errs, fmt.Errorf("relay.auth is %q; allowed are \"mtls\" and, on loopback, \"none\"", c.Auth))
	}
	for _, host := range c.Hosts {
		if err := identity.ValidHost(host); err != nil {
			errs = append(errs, fmt.Errorf("relay.hosts: %w", err))
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("relay.tls_cert and relay.tls_key belong together; set both or neither"))
	}
	return errors.Join(errs...)
}

func (c Config) validateBounds() error {
	var errs []error
	within := func(key string, got, min, max int64) {
		if got < min || got > max {
			errs = append(errs, fmt.Errorf("relay.%s is %d; allowed are %d to %d", key, got, min, max))
		}
	}
	within("client_rate", int64(c.ClientRate), 0, 1_000_000)
	within("client_burst", int64(c.ClientBurst), 1, 1_000_000)
	within("clients_tracked", int64(c.ClientsTracked), 1, 4_000_000)
	within("refusals_kept", int64(c.RefusalsKept), 0, 65_536)
	within("max_connections", int64(c.MaxConnections), 1, 1_000_000)
	within("max_connections_per_ip", int64(c.MaxConnectionsPerIP), 1, 1_000_000)
	within("max_handshakes", int64(c.MaxHandshakes), 1, 1_000_000)
	within("max_handshakes_per_ip", int64(c.MaxHandshakesPerIP), 1, 1_000_000)
	within("max_body_memory", c.MaxBodyMemory, 24<<20, 1<<40)
	within("max_file_bytes", c.MaxFileBytes, 64<<10, 32<<20)
	within("disk_reserve", c.DiskReserve, 0, 1<<50)
	within("inode_reserve", c.InodeReserve, 0, 1<<40)
	within("backlog_files", c.BacklogFiles, 0, 1<<40)
	within("body_rate", c.BodyRate, 1, 1<<30)
	return errors.Join(errs...)
}

func (c Config) validateTimes() error {
	var errs []error
	within := func(key string, got, min, max time.Duration) {
		if got < min || got > max {
			errs = append(errs, fmt.Errorf("relay.%s is %v; allowed are %v to %v", key, got, min, max))
		}
	}
	within("backlog_age", c.BacklogAge, 0, 10*365*24*time.Hour)
	within("retry_after", c.RetryAfter, time.Second, 24*time.Hour)
	within("handshake_timeout", c.HandshakeTimeout, time.Millisecond, time.Hour)
	within("header_timeout", c.HeaderTimeout, time.Millisecond, time.Hour)
	within("idle_timeout", c.IdleTimeout, time.Millisecond, 24*time.Hour)
	within("write_timeout", c.WriteTimeout, time.Millisecond, time.Hour)
	within("body_timeout", c.BodyTimeout, time.Millisecond, time.Hour)
	within("commit_timeout", c.CommitTimeout, time.Millisecond, time.Hour)
	within("stop_timeout", c.StopTimeout, time.Millisecond, time.Hour)
	return errors.Join(errs...)
}

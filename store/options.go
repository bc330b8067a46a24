package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/internal/control"
)

// poolConns bounds the statements that one process runs at once.
const poolConns = 8

// dialTimeout bounds how long a server may take to accept a connection.
const dialTimeout = 10 * time.Second

// turnTimeout is how long a statement waits for one of the pool's connections: for ever.
// The caller's context says when it has waited long enough.
const turnTimeout = 365 * 24 * time.Hour

// baseOptions are the driver's options that all engines share. Answers may take
// their time: a caller sets deadlines with its context.
func (c Config) baseOptions() *clickhouse.Options {
	return &clickhouse.Options{
		Auth:            clickhouse.Auth{Database: c.Database, Username: c.User},
		DialTimeout:     turnTimeout, // the driver's bound of both; dialInTime has the one of dialling
		DialStrategy:    dialInTime,
		ReadTimeout:     30 * time.Minute,
		MaxOpenConns:    poolConns,
		MaxIdleConns:    poolConns,
		ConnMaxLifetime: time.Hour,
		Settings:        clickhouse.Settings{},
	}
}

// dialInTime dials as the driver does, each address within dialTimeout.
func dialInTime(ctx context.Context, id int, opt *clickhouse.Options, dial clickhouse.Dial) (clickhouse.DialResult,
	error) {
	timed := *opt
	timed.DialTimeout = dialTimeout
	return clickhouse.DefaultDialStrategy(ctx, id, &timed,
		func(ctx context.Context, addr string, opt *clickhouse.Options) (clickhouse.DialResult, error) {
			if opt.TransportFunc != nil { // nothing is dialled, and its first answer may wait for a turn, too
				return dial(ctx, addr, opt)
			}
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			return dial(ctx, addr, opt)
		})
}

// transportOptions reach an engine through rt: the one in this process, or one
// behind the owner's socket.
func (c Config) transportOptions(rt http.RoundTripper) *clickhouse.Options {
	opt := c.baseOptions()
	opt.Protocol = clickhouse.HTTP
	opt.Addr = []string{"statewire"}
	opt.Auth.Username = ""
	opt.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return rt, nil }
	return opt
}

// serverOptions reach the configured servers.
func (c Config) serverOptions(read func(string) ([]byte, error)) (*clickhouse.Options, error) {
	where, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	opt := c.baseOptions()
	opt.Addr = where.hosts
	opt.ConnOpenStrategy = clickhouse.ConnOpenInOrder
	opt.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	if where.http {
		opt.Protocol = clickhouse.HTTP
	}
	if where.tls {
		if opt.TLS, err = c.tlsConfig(read); err != nil {
			return nil, err
		}
	}
	if opt.Auth.Password, err = c.password(read); err != nil {
		return nil, err
	}
	return opt, nil
}

func (c Config) tlsConfig(read func(string) ([]byte, error)) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return conf, nil
	}
	pem, err := read(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("store.ca_file: %w", err)
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("store.ca_file: %s holds no PEM certificate", c.CAFile)
	}
	return conf, nil
}

// password is the given one, or reads its file; one line end at its end is no part of it.
func (c Config) password(read func(string) ([]byte, error)) (string, error) {
	if c.PasswordFile == "" {
		return c.Password.Reveal(), nil
	}
	text, err := read(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("store.password_file: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" {
		return "", errors.New("store.password_file: the file is empty")
	}
	return password, nil
}

// socketTransport speaks HTTP over a Unix socket, below the path prefix.
func socketTransport(path, prefix string) http.RoundTripper {
	return &prefixed{prefix: prefix, next: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			return control.Dial(ctx, path)
		},
		MaxIdleConns:    poolConns,
		IdleConnTimeout: time.Minute,
	}}
}

// prefixed puts requests below a path.
type prefixed struct {
	prefix string
	next   http.RoundTripper
}

func (p *prefixed) RoundTrip(req *http.Request) (*http.Response, error) {
	inner := req.Clone(req.Context())
	inner.URL.Scheme = "http"
	inner.URL.Path = p.prefix + "/" + strings.TrimPrefix(req.URL.Path, "/")
	return p.next.RoundTrip(inner)
}

func (p *prefixed) CloseIdleConnections() {
	if t, ok := p.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

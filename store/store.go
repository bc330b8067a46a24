// Package store owns the ClickHouse connection and the schema. All SQL of the
// project goes through it, over one driver, whether the engine is a server, a
// cluster or the library inside this process; what an insert has acknowledged is
// on disk, and storing the same message again changes no answer.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/internal/parse"
	"statewire/store/embedded"
)

// ErrInUse says that another process runs the engine on this data directory.
var ErrInUse = embedded.ErrInUse

// ErrNewerSchema says that a newer version of this program has migrated the store.
var ErrNewerSchema = errors.New("the store's schema is newer than this program")

// ErrDamaged says that the engine found its files broken and did not open.
var ErrDamaged = errors.New("the store's files are damaged")

// ErrForbidden says that the engine may not read or write its files.
var ErrForbidden = errors.New("the store's files belong to another user")

// SocketPath is where, below the owner's socket, Handler is expected.
const SocketPath = "/clickhouse"

// Options are what Open needs beside the configuration.
type Options struct {
	Dir        string                // data directory; the embedded engine lives in Dir/store
	Access     Access                // what Open may do to the store
	Migrations fs.FS                 // the schema's numbered steps; nil are this program's
	Catalog    []byte                // the state catalog as CSV; empty leaves the names as they are
	Classes    []Class               // the classes of states; none leaves them as they are
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is time.Now
	Keep       bool                  // this process stores reports: it keeps the store's mark in Dir; one at a time
	NewStore   bool                  // a new or another store in a data directory that had one is welcome
	Engine     []string              // further options of the embedded engine, as in --join_algorithm=hash
	// ReadFile reads the password and the certificates that the configuration names; nil is os.ReadFile.
	ReadFile func(path string) ([]byte, error)
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	return o
}

// Store is an open database.
type Store struct {
	// Constant after Open.
	cfg       Config
	log       *slog.Logger
	clock     func() time.Time
	steps     fs.FS            // the migrations
	known     int64            // the last of them
	found     Schema           // when it was opened
	pruneRows int              // removed by one mutation
	engine    *embedded.Engine // nil unless this process runs it
	shares    bool             // another store of this process runs the engine
	options   *clickhouse.Options
	conn      driver.Conn
	readOnly  driver.Conn
	version   string
	inserts   clickhouse.Settings
	metrics   *metrics
	shapes    shapes
	dir       string  // data directory
	temporary string  // the same where Close removes it, else empty
	keeper    *keeper // nil in a process that doesn't keep the mark
}

// Open connects to the configured servers, or to the process that serves
// Dir/statewire.sock, or opens the embedded engine, in that order, and does to the
// schema what opt.Access allows. It fails with ErrInUse when another process runs the
// engine and serves no socket, with ErrNewerSchema rather than touch what it does not
// know, and with ErrNotServed, ErrEmpty or ErrOlderSchema where the access is too small,
// and with ErrNewStore where another store belongs.
func Open(ctx context.Context, cfg Config, opt Options) (*Store, error) {
	s, opt, err := newStore(cfg, opt)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, opt); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// newStore is a store that nothing was done to yet.
func newStore(cfg Config, opt Options) (_ *Store, _ Options, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, opt, err
	}
	opt = opt.withDefaults()
	if opt.Migrations == nil {
		if opt.Migrations, err = fs.Sub(migrationFiles, "migrations"); err != nil {
			return nil, opt, fmt.Errorf("read the migrations: %w", err)
		}
	}
	known, err := newestStep(opt.Migrations)
	return &Store{
		cfg: cfg, log: opt.Log, clock: opt.Clock, dir: opt.Dir, steps: opt.Migrations, known: known, pruneRows: pruneRows,
		metrics: newMetrics(opt.metricsRegisterer()),
	}, opt, err
}

func (s *Store) open(ctx context.Context, opt Options) error {
	began := time.Now()
	if err := s.expect(opt); err != nil {
		return err
	}
	kind, err := s.choose(ctx, opt)
	if err != nil {
		return err
	}
	if err := s.ready(ctx, opt); err != nil {
		return err
	}
	s.log.Info("store open", "engine", kind, "version", s.version, "database", s.cfg.Database, "took", time.Since(began))
	return nil
}

// connect opens the connections to the database.
func (s *Store) connect() error {
	var err error
	if s.conn, err = clickhouse.Open(s.options); err != nil {
		return fmt.Errorf("open the store's connections: %w", err)
	}
	server, err := s.conn.ServerVersion()
	if err != nil {
		return fmt.Errorf("reach the store at %v: %w", s.options.Addr, err)
	}
	s.version = server.Version.String()
	s.inserts = insertSettings(server.Version.Major, server.Version.Minor)
	return nil
}

// createDatabase works without the database, which may not be there yet.
func (s *Store) createDatabase(ctx context.Context) error {
	opt := *s.options
	opt.Auth.Database = ""
	opt.MaxOpenConns, opt.MaxIdleConns = 1, 1
	conn, err := clickhouse.Open(&opt)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+s.cfg.Database+s.onCluster())
	if err != nil {
		err = fmt.Errorf("create database %s: %w", s.cfg.Database, err)
	}
	return errors.Join(err, conn.Close())
}

// Conn is the read-write connection pool.
func (s *Store) Conn() driver.Conn { return s.conn }

// ReadOnly is a connection pool for SQL that a person typed: the engine refuses
// writes, DDL and functions that reach outside the database, and stops a statement
// after a minute, at 256 MiB or at a million rows.
func (s *Store) ReadOnly() driver.Conn { return s.readOnly }

// readOnlyOptions are the options of ReadOnly. Under readonly=1 a statement cannot
// change settings; the embedded engine's guard refuses those of a subquery, too, which
// a server lets through: there the rights of the site's user are the wall.
func (s *Store) readOnlyOptions() *clickhouse.Options {
	opt := *s.options
	opt.MaxOpenConns, opt.MaxIdleConns = poolConns/2, poolConns/2
	opt.Settings = clickhouse.Settings{
		"max_execution_time": 60,
		"max_memory_usage":   256 << 20,
		"max_result_rows":    1_000_000,
		"max_result_bytes":   256 << 20,
		"readonly":           1,
	}
	return &opt
}

// Handler serves the store to other processes of the site, to be mounted at
// SocketPath of the owner's socket with that prefix stripped; nil when this process
// does not run the engine.
func (s *Store) Handler() http.Handler {
	if s.engine == nil {
		return nil
	}
	return s.engine.Handler(false)
}

// ReadOnlyHandler serves the store read-only to dashboards and other ClickHouse
// clients on store.listen; nil when this process does not run the engine. Pages of
// other sites, which a browser lets reach loopback addresses, get no answer.
func (s *Store) ReadOnlyHandler() http.Handler {
	if s.engine == nil {
		return nil
	}
	return localOnly(inDatabase(s.cfg.Database, s.engine.Handler(true)))
}

// inDatabase answers callers that name no database from this one. A query that cannot be read whole is refused.
func inDatabase(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		query, err := parse.Query(req.URL.RawQuery)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if query.Get("database") == "" && req.Header.Get("X-ClickHouse-Database") == "" {
			query.Set("database", name)
			req = req.Clone(req.Context())
			req.URL.RawQuery = query.Encode()
		}
		next.ServeHTTP(w, req)
	})
}

// localOnly refuses requests that a browser sends for a page from elsewhere, or
// under a name that is not this machine's own.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		site := req.Header.Get("Sec-Fetch-Site")
		if !parse.Loopback(hostOf(req.Host)) || site != "" && site != "same-origin" && site != "none" {
			http.Error(w, "this address answers programs on this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// hostOf is a Host header without its port.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}

// Version is the engine's version, as in 26.7.2.
func (s *Store) Version() string { return s.version }

// Database is the name of the store's database.
func (s *Store) Database() string { return s.cfg.Database }

// SchemaAtOpen is how far the schema was when the store was opened, before anything
// was done to it.
func (s *Store) SchemaAtOpen() Schema { return s.found }

// Embedded says whether this process runs the engine.
func (s *Store) Embedded() bool { return s.engine != nil }

// Close ends all connections and, when embedded, the engine.
func (s *Store) Close() error {
	errs := []error{s.lastLook()}
	for _, conn := range []driver.Conn{s.conn, s.readOnly} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.temporary != "" {
		errs = append(errs, os.RemoveAll(s.temporary))
	}
	return errors.Join(errs...)
}

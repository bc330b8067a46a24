// Package store owns the ClickHouse connection and the schema. All SQL of the
// project goes through it, over one driver, whether the engine is a server, a
// cluster or the library inside this process; what an insert has acknowledged is
// on disk, and storing the same message again changes no answer.
package store

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrInUse says that another process holds the data directory's engine.
var ErrInUse = errors.New("store is in use by another process")

// Options are what Open needs beside the configuration.
type Options struct {
	Dir        string                // data directory; the embedded engine lives in Dir/store
	Catalog    []byte                // the state catalog as CSV; empty leaves the names as they are
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is time.Now
}

// Store is an open, migrated database.
type Store struct{}

// Open connects to the configured server, or to the process that serves
// Dir/statewire.sock, or opens the embedded engine, in that order, and brings the
// schema up to date. A schema newer than this program is refused.
func Open(ctx context.Context, cfg Config, opt Options) (*Store, error) {
	return nil, errors.New("store: not built yet")
}

// Conn is the read-write connection pool.
func (s *Store) Conn() driver.Conn { return nil }

// ReadOnly is a connection pool for SQL that a person typed: the engine refuses
// writes, DDL and functions that reach outside the database.
func (s *Store) ReadOnly() driver.Conn { return nil }

// InsertContext carries the settings that every insert needs to be durable before
// it is acknowledged.
func (s *Store) InsertContext(ctx context.Context) context.Context { return ctx }

// Handler serves the store to other processes of the site, over the owner's
// socket; nil when this process does not own an embedded engine.
func (s *Store) Handler() http.Handler { return nil }

// Version is the engine's version, as in 26.7.3.1.
func (s *Store) Version() string { return "" }

// Embedded says whether this process runs the engine.
func (s *Store) Embedded() bool { return false }

// Close ends all connections and, when embedded, the engine.
func (s *Store) Close() error { return nil }

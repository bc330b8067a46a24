package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
)

// Access is what Open may do to a store. Each may do what the ones before it may, and
// more. It bounds Open alone: what goes through Conn is the caller's business.
type Access int

// Only the process that holds a site's ingest role opens it with Own, and so decides
// about the schema, for all versions of the program that look at it meanwhile.
const (
	// Look reads through a running site or a server, and starts no engine.
	Look Access = iota
	// Read takes the schema as it is, also one of an earlier version, and starts the
	// embedded engine when no site serves it.
	Read
	// Write refuses a schema of an earlier version.
	Write
	// Create makes the schema in a store that holds nothing.
	Create
	// Own migrates, and keeps the catalog and the views of dbo up to date.
	Own
)

// ErrNotServed says that no site serves the store, and that Look starts no engine.
var ErrNotServed = errors.New("no site runs")

// ErrEmpty says that there is no store yet, and that this access makes none.
var ErrEmpty = errors.New("the store is empty")

// ErrOlderSchema says that an earlier version of this program made the store, and that
// this access does not migrate it.
var ErrOlderSchema = errors.New("the store's schema is older than this program")

// Schema are the numbers of the last step that a store has seen, zero for none, and of
// the last one that this program knows.
type Schema struct{ Found, Known int64 }

// Older says that the store has steps to go.
func (s Schema) Older() bool { return s.Found < s.Known }

// Schema reads how far the store's schema is.
func (s *Store) Schema(ctx context.Context) (_ Schema, err error) {
	opt := *s.options
	opt.Auth.Database = "" // it may not be there
	opt.MaxOpenConns, opt.MaxIdleConns = 1, 1
	conn, err := clickhouse.Open(&opt)
	if err != nil {
		return Schema{}, fmt.Errorf("open the store: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	schema := Schema{Known: s.known}
	var tables uint64
	row := conn.QueryRow(ctx,
		"SELECT count() FROM system.tables WHERE database = {database:String} AND name = {table:String}",
		TextArg("database", s.cfg.Database), TextArg("table", versionTable))
	if err := row.Scan(&tables); err != nil {
		return schema, fmt.Errorf("look for the schema of database %s: %w", s.cfg.Database, err)
	}
	if tables == 0 {
		return schema, nil
	}
	row = conn.QueryRow(ctx, "SELECT maxIf(version_id, is_applied = 1) FROM "+s.cfg.Database+"."+versionTable)
	if err := row.Scan(&schema.Found); err != nil {
		return schema, fmt.Errorf("read the schema's version of database %s: %w", s.cfg.Database, err)
	}
	return schema, nil
}

// makeDatabase makes the database of a store that has no schema, unless the data
// directory had another store.
func (s *Store) makeDatabase(ctx context.Context, opt Options) error {
	if s.marked(opt) && !opt.NewStore {
		m, found, err := readMark(opt.Dir)
		if err == nil {
			err = refuseUnlessFirst(opt.Dir, m, found)
		}
		if err != nil {
			return err
		}
	}
	if opt.Access < Create {
		return fmt.Errorf("%w: the first start of a site makes its tables", ErrEmpty)
	}
	return s.createDatabase(ctx)
}

// admit says whether the schema is to be made or migrated, or why the store does not
// open with this access.
func (s *Store) admit(ctx context.Context, access Access) (migrates bool, err error) {
	switch {
	case s.found.Found > s.found.Known:
		return false, fmt.Errorf(
			"%w: it has version %d, this program knows up to %d; start the version of statewire that last ran here, or a "+
				"newer one",
			ErrNewerSchema, s.found.Found, s.found.Known)
	case access == Own:
		return true, nil
	case !s.found.Older() || access < Write:
		return false, nil
	}
	empty := s.found.Found == 0
	if !empty && access == Create { // its making may have been cut short
		if empty, err = s.holdsNothing(ctx); err != nil {
			return false, err
		}
	}
	if !empty {
		return false, fmt.Errorf("%w: it has version %d, this program knows %d; run `statewire store migrate`",
			ErrOlderSchema, s.found.Found, s.found.Known)
	}
	return true, nil
}

// holdsNothing says that no table has a row, but the one of the schema's version.
func (s *Store) holdsNothing(ctx context.Context) (bool, error) {
	var rows uint64
	row := s.conn.QueryRow(ctx,
		"SELECT sum(total_rows) FROM system.tables WHERE database = currentDatabase() AND name != {table:String}",
		TextArg("table", versionTable))
	if err := row.Scan(&rows); err != nil {
		return false, fmt.Errorf("look whether the store is empty: %w", err)
	}
	return rows == 0, nil
}

// newestStep is the number of the last migration.
func newestStep(steps fs.FS) (int64, error) {
	names, err := fs.Glob(steps, "*.sql")
	if err != nil || len(names) == 0 {
		return 0, fmt.Errorf("read the migrations: %w", errors.Join(err, fs.ErrNotExist))
	}
	return goose.NumericComponent(names[len(names)-1]) // Glob sorts, and the numbers have one length
}

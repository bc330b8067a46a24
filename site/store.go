package site

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/configs"
	"statewire/internal/backoff"
	"statewire/store"
)

// storeRetry is the pause after a ClickHouse server could not be reached at start.
const storeRetry = 10 * time.Second

// An embedded engine that another process has open is tried this often, two minutes in all: the other may be a role
// that migrates its tables and does not serve it yet, or a command.
const (
	busyRetry    = time.Second
	busyAttempts = 120
)

// schemaWait is how long a process without the ingest role waits for the one with it to migrate the store.
const schemaWait = 2 * time.Minute

// access is what the process may do to the store: only the one with the ingest role makes and migrates it.
func (s *Site) access() store.Access {
	if s.cfg.Roles.Has("ingest") {
		return store.Own
	}
	return store.Read
}

// openStore opens the store. A server that cannot be reached is tried again for as long as it takes: reports keep
// arriving meanwhile. So is an embedded engine that another role is opening at this moment, or that a command uses, and
// a store that the process with the ingest role has yet to make. One that does not open needs a person, and a relay in
// this process outlives that.
func (s *Site) openStore(ctx context.Context) (*store.Store, error) {
	s.forgetProblem() // of the process before
	classes, err := s.cfg.Settings.StateClasses()
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		db, err := store.Open(ctx, s.cfg.Settings.Store, store.Options{
			Dir: s.cfg.Data, Access: s.access(), Catalog: configs.StateCatalog, Classes: classes,
			Log: s.log.With("stage", "store"), Registerer: s.registry,
			Keep: s.cfg.Roles.Has("ingest"), NewStore: s.cfg.NewStore,
		})
		retry, why := storeRetry, "store cannot be reached yet, files stay in the inbox"
		switch {
		case err == nil:
			s.forgetProblem()
			return db, nil
		case ctx.Err() != nil:
			return nil, errors.Join(ctx.Err(), err) // it was stopped, whatever came of this attempt
		case errors.Is(err, store.ErrEmpty):
			retry, why = busyRetry, "waiting for the process with the ingest role to make the store"
		case errors.Is(err, store.ErrInUse) && attempt <= busyAttempts:
			retry = busyRetry
		case len(s.cfg.Settings.Store.Addr) > 0 && !errors.Is(err, store.ErrNewerSchema) &&
			!errors.Is(err, store.ErrNewStore):
		case !s.outlive(err):
			return nil, err
		default:
			if err := backoff.Sleep(ctx, s.retry()); err != nil {
				return nil, err
			}
			continue
		}
		if attempt%60 == 1 || retry != busyRetry {
			s.log.Warn(why, "retry_in", retry, "err", err)
		}
		if err := backoff.Sleep(ctx, retry); err != nil {
			return nil, err
		}
	}
}

// startOnceMade starts the stages when the schema is this program's. The store is served before: where this process has
// the engine, the one with the ingest role migrates through it.
func (s *Site) startOnceMade(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	if handler := db.Handler(); handler != nil {
		if err := s.startSocket(ctx, g, handler); err != nil {
			return err
		}
	}
	if !s.cfg.Roles.Has("ingest") {
		if err := awaitSchema(ctx, db, s.log); err != nil {
			return err
		}
	}
	return s.startStored(ctx, g, db)
}

// schemaReader says how far a store's schema is.
type schemaReader interface {
	SchemaAtOpen() store.Schema
	Schema(ctx context.Context) (store.Schema, error)
}

// awaitSchema waits for the process with the ingest role to migrate the store. When none does in time, this one runs at
// the schema it finds: what an earlier version knew still answers.
func awaitSchema(ctx context.Context, db schemaReader, log *slog.Logger) error {
	schema := db.SchemaAtOpen()
	if !schema.Older() {
		return nil
	}
	log.Warn("waiting for the process with the ingest role to migrate the store", "schema", schema.Found, "known",
		schema.Known, "at_most", schemaWait)
	for deadline := time.Now().Add(schemaWait); time.Now().Before(deadline); {
		if err := backoff.Sleep(ctx, busyRetry); err != nil {
			return err
		}
		var err error
		if schema, err = db.Schema(ctx); err != nil {
			return err
		}
		if !schema.Older() {
			return nil
		}
	}
	log.Warn("the store was not migrated, some answers may fail; start the process with the ingest role", "schema",
		schema.Found, "known", schema.Known)
	return nil
}

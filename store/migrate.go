package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// versionTable is where goose keeps what was applied.
const versionTable = "goose_db_version"

// migrate brings the schema up to date. Every step can be repeated, so that a crash
// in between, or two starters at once, do no harm: on the embedded engine the
// path's lock keeps a second one out, on a server both apply the same steps.
func (s *Store) migrate(ctx context.Context) error {
	opt := *s.options
	opt.Settings = clickhouse.Settings{"async_insert": 0}
	opt.DialTimeout = dialTimeout // here it bounds nothing but dialling
	db := clickhouse.OpenDB(&opt)
	defer db.Close()
	steps := s.steps
	if s.replicated() {
		steps = clusterFS{steps, s.cfg.Cluster}
	}
	bookkeeping, err := newVersionStore(s.onCluster(), s.replicated())
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, steps, goose.WithStore(bookkeeping), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	began := time.Now()
	applied, err := provider.Up(ctx)
	for tries := 1; crossed(err) && tries < crossings; tries++ {
		s.log.Warn("a step of the schema met a table that is being made anew, and is tried again", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		applied, err = provider.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate database %s: %w", s.cfg.Database, err)
	}
	if len(applied) > 0 {
		s.log.Info("store migrated", "steps", len(applied), "version", applied[len(applied)-1].Source.Version, "took",
			time.Since(began))
	}
	return nil
}

// crossings is how often migrate tries before it believes that a table is missing: another starter that is a few
// steps behind drops and makes again what this one needs.
const crossings = 5

// crossed tells whether a table was missing, or was being dropped, while a step ran.
func crossed(err error) bool {
	var refused *clickhouse.Exception
	return errors.As(err, &refused) && (refused.Code == unknownTable || refused.Code == tableIsDropped)
}

// tableIsDropped is the engine's code for a table that somebody is dropping.
const tableIsDropped = 218

// versionStore is goose's own bookkeeping for ClickHouse, in a table that is as
// durable as the others.
type versionStore struct {
	database.Store
	onCluster string
	engine    string
}

func newVersionStore(onCluster string, replicated bool) (*versionStore, error) {
	base, err := database.NewStore(goose.DialectClickHouse, versionTable)
	if err != nil {
		return nil, fmt.Errorf("keep the schema's version: %w", err)
	}
	v := &versionStore{Store: base, onCluster: onCluster, engine: "MergeTree"}
	if replicated {
		v.engine = replicatedEngine("MergeTree", "")
	}
	return v, nil
}

func (v *versionStore) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	text := strings.NewReplacer("{cluster}", v.onCluster, "{engine}", v.engine).Replace(versionTableSQL)
	if _, err := db.ExecContext(ctx, text); err != nil {
		return fmt.Errorf("create table %s: %w", versionTable, err)
	}
	return nil
}

//go:embed version.sql
var versionTableSQL string

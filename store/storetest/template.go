package storetest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"

	"statewire/store"
)

// template is a migrated database, and what makes another one like it: a third of
// the work of its migrations, of which hundreds of tests need only the outcome.
type template struct {
	database   string
	statements []string
}

var migrated = sync.OnceValues(makeTemplate)

// makeTemplate migrates a database that stays as long as the engine.
func makeTemplate() (t template, err error) {
	owner, err := shared()
	if err != nil {
		return t, err
	}
	ctx, cfg := context.Background(), store.DefaultConfig()
	cfg.Database = fmt.Sprintf("template_%d", os.Getpid())
	s, err := store.Share(ctx, owner, cfg, store.Options{Access: store.Own})
	if err != nil {
		return t, fmt.Errorf("migrate the template: %w", err)
	}
	defer s.Close()
	rows, err := s.Conn().Query(ctx, `SELECT create_table_query FROM system.tables WHERE database = currentDatabase()
		ORDER BY engine = 'MaterializedView'`) // which needs the tables that it reads and fills
	if err != nil {
		return t, fmt.Errorf("read the template: %w", err)
	}
	defer rows.Close()
	t.database = cfg.Database
	t.statements = []string{"CREATE DATABASE " + cfg.Database}
	for rows.Next() {
		var sql string
		if err := rows.Scan(&sql); err != nil {
			return t, fmt.Errorf("read the template: %w", err)
		}
		t.statements = append(t.statements, sql)
	}
	return t, rows.Err()
}

// fits says whether a store with these settings begins as the template does.
func fits(cfg store.Config, opt store.Options) bool {
	return reflect.DeepEqual(cfg, store.DefaultConfig()) && !opt.Keep && opt.Migrations == nil
}

// copyTo makes a database like the template: empty, but for the notes of its migrations.
func (t template) copyTo(ctx context.Context, owner *store.Store, database string) error {
	for _, sql := range t.statements {
		if err := owner.Conn().Exec(ctx, strings.ReplaceAll(sql, t.database, database)); err != nil {
			return fmt.Errorf("copy the template: %w", err)
		}
	}
	notes := fmt.Sprintf("INSERT INTO %s.goose_db_version SELECT * FROM %s.goose_db_version", database, t.database)
	if err := owner.Conn().Exec(ctx, notes); err != nil {
		return fmt.Errorf("copy the notes of the template's migrations: %w", err)
	}
	return nil
}

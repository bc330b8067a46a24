package storetest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/store"
)

// notesTable holds the notes of the migrations.
const notesTable = "goose_db_version"

// template is the migrated database of the engine's owner, and what makes another one like it: a third of the
// work of its migrations, of which hundreds of tests need only the outcome. A test gives its copy back to the
// next one, which empties it: a tenth of the work of the copy.
type template struct {
	database   string
	statements []string
	shape      shape

	mu   sync.Mutex
	free []string // databases of tests that have ended. Guarded by mu.
}

// shape tells databases apart whose objects, settings or notes differ, whatever the databases are called, and those
// that hold more: statements that run though their test gave them up, or parts that the engine set aside.
type shape struct{ Objects, Hash, Notes, Running, Detached uint64 }

var migrated = sync.OnceValues(makeTemplate)

// makeTemplate reads the database that the owner migrated when it opened.
func makeTemplate() (*template, error) {
	owner, err := shared()
	if err != nil {
		return nil, err
	}
	ctx, t := context.Background(), &template{database: owner.Database()}
	if t.shape, err = shapeOf(ctx, owner, t.database); err != nil {
		return nil, err
	}
	rows, err := owner.Conn().Query(ctx, `SELECT create_table_query FROM system.tables WHERE database = currentDatabase()
		ORDER BY engine = 'MaterializedView'`) // which needs the tables that it reads and fills
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var sql string
		if err := rows.Scan(&sql); err != nil {
			return nil, fmt.Errorf("read the template: %w", err)
		}
		t.statements = append(t.statements, sql)
	}
	return t, rows.Err()
}

// fits says whether a store with these settings begins as the template does.
func fits(cfg store.Config, opt store.Options) bool {
	return reflect.DeepEqual(cfg, store.DefaultConfig()) && !opt.Keep && opt.Migrations == nil
}

// take returns an empty database like the template: one that a test gave back, or a new one.
func (t *template) take(ctx context.Context, owner *store.Store) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.free) - 1; last >= 0 {
		database := t.free[last]
		t.free = t.free[:last]
		return database, nil
	}
	database := newName()
	return database, t.copyTo(ctx, owner, database)
}

// leave empties the database of a test that has ended, for the next one. It drops it where that test changed more than
// rows, or where no other may have it.
func (t *template) leave(owner *store.Store, database string, keep bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if keep {
		found, err := shapeOf(ctx, owner, database)
		if err != nil {
			return err
		}
		keep = found == t.shape
	}
	if !keep {
		return owner.Conn().Exec(ctx, "DROP DATABASE "+database+" SYNC")
	}
	if err := owner.Conn().Exec(ctx, "TRUNCATE ALL TABLES FROM "+database+" NOT LIKE '"+notesTable+"'"); err != nil {
		return fmt.Errorf("empty it: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = append(t.free, database)
	return nil
}

func shapeOf(ctx context.Context, owner *store.Store, database string) (s shape, err error) {
	err = owner.Conn().QueryRow(ctx, `SELECT
			count() AS Objects,
			groupBitXor(cityHash64(replaceAll(create_table_query, database, ''))) AS Hash,
			sumIf(total_rows, name = {notes:String}) AS Notes,
			(SELECT count() FROM system.processes WHERE current_database = {database:String} AND query_id != queryID()) AS Running,
			(SELECT count() FROM system.detached_parts WHERE database = {database:String}) AS Detached
		FROM system.tables WHERE database = {database:String}`,
		clickhouse.Named("notes", notesTable), clickhouse.Named("database", database)).ScanStruct(&s)
	if err != nil {
		return s, fmt.Errorf("look at the database of a test: %w", err)
	}
	return s, nil
}

// copyTo makes a database like the template: empty, but for the notes of its migrations.
func (t *template) copyTo(ctx context.Context, owner *store.Store, database string) error {
	if err := owner.Conn().Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return fmt.Errorf("copy the template: %w", err)
	}
	for _, sql := range t.statements {
		if err := owner.Conn().Exec(ctx, strings.ReplaceAll(sql, t.database+".", database+".")); err != nil {
			return fmt.Errorf("copy the template: %w", err)
		}
	}
	notes := fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s.%[2]s", database, notesTable, t.database)
	if err := owner.Conn().Exec(ctx, notes); err != nil {
		return fmt.Errorf("copy the notes of the template's migrations: %w", err)
	}
	return nil
}

// newName names a database of this test process.
func newName() string { return fmt.Sprintf("test_%d_%d", os.Getpid(), numbers.Add(1)) }

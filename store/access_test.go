package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"statewire/store"
	"statewire/store/storetest"
)

// newerSteps are this program's migrations and one more, as the next version has them.
func newerSteps(t testing.TB) fs.FS {
	t.Helper()
	steps := fstest.MapFS{}
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		steps[filepath.Base(name)] = &fstest.MapFile{Data: text}
	}
	steps["00999_next.sql"] = &fstest.MapFile{Data: []byte(
		"-- +goose NO TRANSACTION\n-- +goose Up\n" +
			"CREATE TABLE IF NOT EXISTS next_thing (a UInt8) ENGINE = MergeTree ORDER BY a;\n")}
	return steps
}

// everything is what no reader may change: definitions, and how many rows each table has.
func everything(t testing.TB, s *store.Store) string {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(),
		"SELECT name, create_table_query, ifNull(total_rows, 0) FROM system.tables WHERE database IN (currentDatabase(), "+
			"'dbo') ORDER BY name, database")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var name, definition string
		var n uint64
		if err := rows.Scan(&name, &definition, &n); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, name, n, definition)
	}
	return all.String()
}

func TestOnlyTheOwnerChangesTheStore(t *testing.T) {
	s := storetest.New(t)
	for f := range 3 {
		load(t, s, f)
	}
	before := everything(t, s)
	this, err := s.Schema(t.Context())
	if err != nil || this.Older() {
		t.Fatalf("schema %+v, %v", this, err)
	}
	refusal := fmt.Sprintf("has version %d, this program knows 999; run `statewire store migrate`", this.Found)
	cfg := store.DefaultConfig()
	cfg.Retention = day
	catalog := []byte("topic_type,topic_name,state_id,state_name\n1,A,1,one\n")
	for access, want := range map[store.Access]error{store.Read: nil, store.Write: store.ErrOlderSchema,
		store.Create: store.ErrOlderSchema} {
		db, err := storetest.AgainWith(t, s, cfg, store.Options{Access: access, Catalog: catalog, Migrations: newerSteps(t)})
		if !errors.Is(err, want) {
			t.Errorf("access %d of the next version: %v, want %v", access, err, want)
		}
		if want != nil && !strings.Contains(err.Error(), refusal) {
			t.Errorf("access %d of the next version: %v", access, err)
		}
		if err == nil && (!db.SchemaAtOpen().Older() || count(t, db, "SELECT count() FROM current_states") == 0) {
			t.Errorf("access %d of the next version: %+v", access, db.SchemaAtOpen())
		}
		if _, err := storetest.AgainWith(t, s, cfg, store.Options{Access: access, Catalog: catalog}); err != nil {
			t.Errorf("access %d of the same version: %v", access, err)
		}
		if after := everything(t, s); after != before {
			t.Errorf("access %d changed the store:\n%s", access, diff(strings.Split(after, "\n"), strings.Split(before, "\n")))
		}
	}
	next, err := storetest.AgainWith(t, s, cfg, store.Options{Migrations: newerSteps(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := next.Schema(t.Context()); err != nil || got != (store.Schema{Found: 999, Known: 999}) {
		t.Errorf("the owner's store has schema %+v, %v", got, err)
	}
	for _, access := range []store.Access{store.Read, store.Write, store.Create, store.Own} {
		if _, err := storetest.AgainWith(t, s, cfg, store.Options{Access: access}); !errors.Is(err, store.ErrNewerSchema) {
			t.Errorf("access %d of the version before: %v", access, err)
		}
	}
}

func TestOnlyCreateAndTheOwnerMakeASchema(t *testing.T) {
	s := storetest.New(t)
	name := s.Database()
	for _, access := range []store.Access{store.Read, store.Write} {
		exec(t, s, "DROP DATABASE "+name+" SYNC")
		if _, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Access: access}); !errors.Is(err,
			store.ErrEmpty) {
			t.Errorf("access %d of no database: %v", access, err)
		}
		exec(t, storetest.Owner(t), "CREATE DATABASE "+name) // fails if it is there
		if _, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Access: access}); !errors.Is(err,
			store.ErrEmpty) {
			t.Errorf("access %d of an empty database: %v", access, err)
		}
	}
	cfg := store.DefaultConfig()
	cfg.Retention = 2 * day
	create := func() (*store.Store, error) {
		return storetest.AgainWith(t, s, cfg, store.Options{Access: store.Create})
	}
	made, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if keep, err := made.Retention(t.Context()); err != nil || keep != 2*day {
		t.Errorf("the new store keeps history for %v, %v", keep, err)
	}
	// A making that was cut short goes on; a store that holds something is an older one.
	const short = "ALTER TABLE goose_db_version DELETE WHERE version_id > 30 SETTINGS mutations_sync = 2"
	exec(t, s, short)
	if _, err := create(); err != nil {
		t.Errorf("after a making that was cut short: %v", err)
	}
	load(t, s, 1)
	exec(t, s, short)
	if _, err := create(); !errors.Is(err, store.ErrOlderSchema) {
		t.Errorf("with rows: %v", err)
	}
}

// The engine makes files wherever it starts: it must not where nothing is.
func TestAReaderMakesNoEngine(t *testing.T) {
	for access, want := range map[store.Access]error{store.Look: store.ErrNotServed, store.Read: store.ErrEmpty,
		store.Write: store.ErrEmpty} {
		dir := t.TempDir()
		if _, err := store.Open(t.Context(), store.DefaultConfig(), store.Options{Dir: dir, Access: access}); !errors.Is(err,
			want) {
			t.Errorf("access %d: %v, want %v", access, err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("access %d made %v", access, left)
		}
	}
}

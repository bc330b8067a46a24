package store_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"statewire/store"
	"statewire/store/storetest"
)

// durable are the settings without which an acknowledged row, or the result of a
// merge whose sources are gone, may be lost with the power.
var durable = []string{
	"fsync_after_insert = 1",
	"fsync_part_directory = 1",
	"min_rows_to_fsync_after_merge = 1",
	"min_compressed_bytes_to_fsync_after_merge = 1",
}

// keptSources are how long the sources of a merge stay: ten seconds in the tables that
// rows come into all day, longer in the others.
var keptSources = regexp.MustCompile(`old_parts_lifetime = (10|480)(,|$)`)

type tableRow struct{ Name, Engine, Definition string }

// mergeTrees are the tables that hold rows, goose's own among them.
func mergeTrees(t testing.TB, s *store.Store) []tableRow {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(),
		"SELECT name, engine, create_table_query FROM system.tables WHERE database = currentDatabase() AND engine LIKE "+
			"'%MergeTree'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []tableRow
	for rows.Next() {
		var r tableRow
		if err := rows.Scan(&r.Name, &r.Engine, &r.Definition); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryTableSyncsItsPartsAndMerges(t *testing.T) {
	s := storetest.New(t)
	tables := mergeTrees(t, s)
	if len(tables) < 15 {
		t.Fatalf("only %d tables found", len(tables))
	}
	for _, table := range tables {
		for _, setting := range durable {
			if !strings.Contains(table.Definition, setting+",") && !strings.HasSuffix(table.Definition, setting) {
				t.Errorf("table %s lacks %s", table.Name, setting)
			}
		}
		if !keptSources.MatchString(table.Definition) {
			t.Errorf("table %s does not keep the sources of a merge: %s", table.Name, table.Definition)
		}
	}
}

// syncs are the engine's own counts of files and directories synced.
func syncs(t testing.TB, s *store.Store) (files, directories uint64) {
	t.Helper()
	row := s.Conn().QueryRow(t.Context(),
		"SELECT sumIf(value, event = 'FileSync'), sumIf(value, event = 'DirectorySync') FROM system.events")
	if err := row.Scan(&files, &directories); err != nil {
		t.Fatal(err)
	}
	return files, directories
}

func TestEveryInsertAndMergeReachesTheDisk(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "CREATE TABLE careless (a UInt64) ENGINE = MergeTree ORDER BY a")
	for _, table := range mergeTrees(t, s) {
		t.Run(table.Name, func(t *testing.T) {
			exec(t, s, "SYSTEM STOP MERGES")
			sql := insertDefaults(t, s, table.Name)
			want := table.Name != "careless"
			for range 3 {
				files, dirs := syncs(t, s)
				exec(t, s, sql)
				if f, d := syncs(t, s); (f > files) != want || (d > dirs) != want {
					t.Errorf("an insert synced %d files and %d directories", f-files, d-dirs)
				}
			}
			files, _ := syncs(t, s)
			exec(t, s, "SYSTEM START MERGES "+table.Name, "OPTIMIZE TABLE "+table.Name+" FINAL")
			if f, _ := syncs(t, s); (f > files) != want {
				t.Errorf("a merge synced %d files", f-files)
			}
		})
	}
	exec(t, s, "SYSTEM START MERGES")
}

// insertDefaults is a statement that adds a row of default values.
func insertDefaults(t testing.TB, s *store.Store, table string) string {
	t.Helper()
	var name, kind string
	row := s.Conn().QueryRow(t.Context(), `SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '`+table+`'
		AND default_kind = '' AND type NOT LIKE '%AggregateFunction%' ORDER BY position LIMIT 1`)
	if err := row.Scan(&name, &kind); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT defaultValueOfTypeName('%s')", table, name,
		strings.ReplaceAll(kind, "'", `\'`))
}

// An insert that repeats an earlier one must store its rows again: an engine that
// takes it for a repeat may have lost the first one.
func TestRepeatedInsertIsStoredAgain(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "SYSTEM STOP MERGES")
	defer exec(t, s, "SYSTEM START MERGES")
	rows := []message{{Client: 1, Serial: 1, Hash: 1}, {Client: 1, Serial: 2, Hash: 2}}
	for n := uint64(1); n <= 3; n++ {
		insert(t, t.Context(), s, rows...)
		if got := count(t, s, "SELECT count() FROM state_messages"); got != 2*n {
			t.Errorf("after %d inserts of 2 rows: %d rows", n, got)
		}
	}
}

func TestOneInsertIsOnePart(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "SYSTEM STOP MERGES")
	defer exec(t, s, "SYSTEM START MERGES")
	if err := insertColumns(t.Context(), s, insertMessages, someMessages(150_000, 1)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"state_messages", "current_states_data"} {
		if n := count(t, s, "SELECT count() FROM system.parts WHERE database = currentDatabase() AND active AND table = '"+
			table+"'"); n != 1 {
			t.Errorf("%s has %d parts", table, n)
		}
	}
}

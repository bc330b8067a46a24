package store_test

import (
	"os"
	"slices"
	"testing"

	"statewire/store"
	"statewire/store/storetest"
)

// Each file of a part is a block of the disk and a sync, however few rows there are.
func TestAPartOfAFewRowsIsFewFiles(t *testing.T) {
	s := storetest.New(t)
	load(t, s, 0)
	for table, most := range map[string]int{"state_messages": 12, "current_states_data": 8, "client_stats_data": 8} {
		var path string
		if err := s.Conn().QueryRow(t.Context(),
			"SELECT path FROM system.parts WHERE database = currentDatabase() AND active AND table = '"+table+"'").Scan(
			&path); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if len(names) > most {
			t.Errorf("a part of %s has %d files, at most %d are known: %q", table, len(names), most, names)
		}
	}
}

func TestSettingsStandBeforeACommentToo(t *testing.T) {
	s := storetest.New(t)
	if err := s.Conn().Exec(t.Context(), "ALTER TABLE store_marks MODIFY COMMENT 'internal'"); err != nil {
		t.Fatal(err)
	}
	for _, table := range mergeTrees(t, s) {
		if table.Name != "store_marks" {
			continue
		}
		for _, set := range store.Thrift {
			if !store.HasSetting(table.Definition, set) || store.HasSetting(table.Definition, set+"1") {
				t.Errorf("%s is not read from %s", set, table.Definition)
			}
		}
	}
}

// The settings are given once: a second start finds them.
func TestEveryBusyTableIsTuned(t *testing.T) {
	s := storetest.New(t)
	tables := mergeTrees(t, s)
	for _, name := range store.Steady {
		i := slices.IndexFunc(tables, func(r tableRow) bool { return r.Name == name })
		if i < 0 {
			t.Errorf("there is no table %s", name)
			continue
		}
		for _, set := range store.Thrift {
			if !store.HasSetting(tables[i].Definition, set) {
				t.Errorf("%s lacks %s: %s", name, set, tables[i].Definition)
			}
		}
	}
}

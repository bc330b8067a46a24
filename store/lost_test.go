package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/store"
	"statewire/store/storetest"
)

// kept is a store whose mark lies in a folder of the test's own.
func kept(t testing.TB) (*store.Store, string) {
	dir := t.TempDir()
	return storetest.NewWith(t, store.DefaultConfig(), store.Options{Dir: dir, Keep: true}), dir
}

// fillMonths inserts parts of state_messages: three in this month, one of three months ago.
func fillMonths(t testing.TB, s *store.Store) {
	t.Helper()
	const month = int64(32 * 24 * time.Hour / time.Microsecond)
	for n := range uint64(3) {
		insert(t, t.Context(), s, message{Client: 1, Serial: 2*n + 1, Hash: n}, message{Client: 1, Serial: 2*n + 2, Hash: n})
	}
	insert(t, t.Context(), s, message{Client: 2, Serial: 1, Received: 2 * month, Hash: 9})
}

func TestOnlyRowsThatAreGoneCountAsLost(t *testing.T) {
	first, later := epoch.Format("200601"), epoch.Add(64*24*time.Hour).Format("200601")
	tests := []struct {
		name   string
		do     []string
		parts  uint64
		rows   uint64
		tables []string
	}{
		{"nothing happened", nil, 0, 0, nil},
		{"parts merged", []string{"OPTIMIZE TABLE state_messages FINAL"}, 0, 0, nil},
		{"retention dropped a month",
			[]string{"ALTER TABLE state_messages MODIFY TTL toDateTime(received_time) + INTERVAL 80 DAY DELETE SETTINGS " +
				"mutations_sync = 2",
				"OPTIMIZE TABLE state_messages FINAL"}, 0, 0, nil},
		{"a mutation took rows", []string{"ALTER TABLE state_messages DELETE WHERE serial <= 2 SETTINGS mutations_sync = 2"},
			0, 0, nil},
		{"a part was dropped", []string{"ALTER TABLE state_messages DROP PART '" + first + "_2_2_0'"}, 1, 2,
			[]string{"state_messages"}},
		{"a month was dropped", []string{"ALTER TABLE state_messages DROP PARTITION " + later}, 1, 1,
			[]string{"state_messages"}},
		{"a table was emptied", []string{"TRUNCATE TABLE state_messages"}, 4, 7, []string{"state_messages"}},
		{"a table is gone", []string{"DROP TABLE arrivals SYNC"}, 1, 1, []string{"arrivals"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := kept(t)
			exec(t, s, "SYSTEM STOP MERGES state_messages")
			fillMonths(t, s)
			exec(t, s, "INSERT INTO arrivals (client_id, first_serial, last_serial) SELECT generateUUIDv4(), 1, 9")
			look(t, s)
			exec(t, s, append([]string{"SYSTEM START MERGES state_messages"}, tt.do...)...)
			look(t, s)
			look(t, s)
			wantLost(t, s, tt.parts, tt.rows, tt.tables)
			again := reopen(t, s, dir)
			wantLost(t, again, tt.parts, tt.rows, tt.tables)
		})
	}
}

func look(t testing.TB, s *store.Store) {
	t.Helper()
	if err := store.LookNow(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// reopen starts once more on the same data folder.
func reopen(t testing.TB, s *store.Store, dir string) *store.Store {
	t.Helper()
	again, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Dir: dir, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func condition(t testing.TB, s *store.Store) store.Condition {
	t.Helper()
	c, err := s.Condition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantLost(t testing.TB, s *store.Store, parts, rows uint64, tables []string) {
	t.Helper()
	c := condition(t, s)
	if c.LostParts != parts || c.LostRows != rows || !slices.Equal(c.LostTables, tables) ||
		(c.Lost() != "") != (parts > 0) {
		t.Errorf("lost %d parts, %d rows of %v; want %d, %d of %v", c.LostParts, c.LostRows, c.LostTables, parts, rows,
			tables)
	}
}

// The site is down while the part disappears; the next one gets its block number.
func TestAPartLostWhileStoppedStaysKnown(t *testing.T) {
	s, dir := kept(t)
	exec(t, s, "SYSTEM STOP MERGES state_messages")
	fillMonths(t, s)
	look(t, s)
	exec(t, s, "ALTER TABLE state_messages DROP PART '"+epoch.Add(64*24*time.Hour).Format("200601")+"_4_4_0'")
	again := reopen(t, s, dir)
	wantLost(t, again, 1, 1, []string{"state_messages"})
	insert(t, t.Context(), again, message{Client: 2, Serial: 1, Hash: 9})
	look(t, again)
	wantLost(t, reopen(t, again, dir), 1, 1, []string{"state_messages"})
}

// A part's folder goes while the engine runs; then an operator accepts it.
func TestAFolderThatIsGoneIsFoundAndAccepted(t *testing.T) {
	reg := prometheus.NewRegistry()
	dir := t.TempDir()
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Dir: dir, Keep: true, Registerer: reg})
	exec(t, s, "INSERT INTO serial_ranges (client_id, first_serial, last_serial) SELECT generateUUIDv4(), 1, 9 FROM "+
		"numbers(5)")
	look(t, s)
	var path string
	if err := s.Conn().QueryRow(t.Context(),
		"SELECT path FROM system.parts WHERE active AND database = currentDatabase() AND table = 'serial_ranges'").Scan(
		&path); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	exec(t, s, "RENAME TABLE store_events TO away")
	if err := store.LookNow(t.Context(), s); err == nil {
		t.Error("a look that could not note the loss says nothing")
	}
	exec(t, s, "RENAME TABLE away TO store_events")
	look(t, s)
	look(t, s)
	wantLost(t, s, 1, 5, []string{"serial_ranges"})
	if got := gaugeValue(t, reg, "statewire_store_lost_rows"); got != 5 {
		t.Errorf("lost_rows %v", got)
	}
	if was, err := s.AcceptLoss(t.Context()); err != nil || was.LostRows != 5 {
		t.Errorf("accepted %+v, %v", was, err)
	}
	look(t, s)
	wantLost(t, s, 0, 0, nil)
	if got := gaugeValue(t, reg, "statewire_store_lost_rows"); got != 0 {
		t.Errorf("lost_rows %v after it was accepted", got)
	}
	if c := condition(t, reopen(t, s, dir)); c.LostParts != 0 {
		t.Errorf("known again after another start: %+v", c)
	}
	exec(t, s, "INSERT INTO arrivals (client_id, first_serial, last_serial) SELECT generateUUIDv4(), 1, 9")
	look(t, s)
	exec(t, s, "TRUNCATE TABLE arrivals")
	look(t, s)
	wantLost(t, s, 1, 1, []string{"arrivals"})
}

func gaugeValue(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// What the engine sets aside is critical until it is accepted, and moved, not deleted.
func TestPartsThatAreSetAsideAreMovedAway(t *testing.T) {
	dir := besideTheEngine(t)
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Dir: dir, Keep: true})
	exec(t, s, "INSERT INTO serial_ranges (client_id, first_serial, last_serial) SELECT generateUUIDv4(), 1, 9 FROM "+
		"numbers(3)")
	look(t, s)
	exec(t, s, "ALTER TABLE serial_ranges DETACH PART 'all_1_1_0'")
	c := condition(t, s)
	if len(c.Detached) != 1 || c.LostParts != 0 || !strings.Contains(c.Lost(), "all_1_1_0") ||
		!strings.Contains(c.Lost(), "store accept-loss") {
		t.Errorf("before the look: %+v, %q", c, c.Lost())
	}
	look(t, s)
	wantLost(t, s, 1, 3, []string{"serial_ranges"})
	if _, err := s.AcceptLoss(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := condition(t, s); c.Lost() != "" {
		t.Errorf("after it was accepted: %q", c.Lost())
	}
	moved, err := filepath.Glob(filepath.Join(dir, "store.lost", "*", "all_1_1_0", "checksums.txt"))
	if err != nil || len(moved) != 1 {
		t.Errorf("moved %v, %v", moved, err)
	}
}

var errAny = errors.New("any")

// A reader of an earlier schema has no events yet.
func TestConditionOfAnEarlierSchema(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "DROP TABLE store_events SYNC")
	if c, err := s.Condition(context.WithoutCancel(t.Context())); err != nil || c.Lost() != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

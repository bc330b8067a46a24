package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/store"
	"statewire/store/storetest"
)

// besideTheEngine is a data folder on the engine's file system.
func besideTheEngine(t testing.TB) string {
	t.Helper()
	var path string
	if err := storetest.Owner(t).Conn().QueryRow(t.Context(), "SELECT path FROM system.disks").Scan(&path); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Clean(path)), "folder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// forget makes the store as old as its mark'th mark.
func forget(t testing.TB, s *store.Store, number int) {
	t.Helper()
	exec(t, s, "CREATE TABLE copy AS store_marks", "INSERT INTO copy SELECT * FROM store_marks ORDER BY number LIMIT 1",
		"TRUNCATE TABLE store_marks", fmt.Sprintf("INSERT INTO store_marks SELECT store_id, %d, marked_time FROM copy",
			number), "DROP TABLE copy SYNC")
}

func TestAnOlderCopyIsRestoredUntilItsGapsAreClosed(t *testing.T) {
	s, dir := kept(t)
	const clients = "SELECT toUUID(concat('f1000000-0000-0000-0000-00000000000', toString(number))) FROM numbers(1, 4)"
	now := "now64(6, 'UTC')"
	exec(t, s, "SYSTEM STOP MERGES",
		"INSERT INTO client_stats_data (client_id, last_serial, last_report_time) SELECT *, 10, "+now+
			" - INTERVAL 1 DAY FROM ("+clients+")",
		"INSERT INTO client_stats_data (client_id, last_serial, last_report_time) VALUES "+
			"('f1000000-0000-0000-0000-000000000009', 10, "+now+" - INTERVAL 60 DAY)")
	defer exec(t, s, "SYSTEM START MERGES")
	look(t, s)
	forget(t, s, 1)
	exec(t, s, "TRUNCATE TABLE state_catalog") // a part that the copy does not have yet is none that is lost
	again := reopen(t, s, dir)
	wantLost(t, again, 0, 0, nil)
	want := func(step string, clients, gaps, unheard uint64) {
		t.Helper()
		look(t, again)
		r := condition(t, again).Restored
		if r == nil || r.Clients != clients || r.Gaps != gaps || r.Unheard != unheard {
			t.Errorf("%s: %+v, want %d clients, %d with a gap, %d not heard of", step, r, clients, gaps, unheard)
		}
	}
	want("nobody came", 5, 0, 4)
	if text := condition(t, again).Warning(); !strings.Contains(text,
		"no gap check has run yet, so nobody knows which of 5 clients have a gap, 4 were not heard of yet") ||
		!strings.Contains(text, "from a copy of "+time.Now().UTC().Format("2006-01-02 15:")) {
		t.Errorf("said %q", text)
	}
	exec(t, again, "INSERT INTO resync_clock (id, number, checked_time) VALUES (1, 0, "+now+")")
	if text := condition(t, again).Warning(); !strings.Contains(text,
		"; 0 of 5 clients have a gap since, 4 were not heard of yet") {
		t.Errorf("after the first check it said %q", text)
	}
	gap := "INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) VALUES "
	heard := "INSERT INTO client_stats_data (client_id, last_serial, last_report_time) VALUES " +
		"('f1000000-0000-0000-0000-00000000000%d', 30, " + now + ")"
	exec(t, again, fmt.Sprintf(heard, 1), fmt.Sprintf(heard, 2),
		// what came in between
		gap+"('f1000000-0000-0000-0000-000000000001', 11, 20, "+now+", "+now+", 0)",
		// was missing before
		gap+"('f1000000-0000-0000-0000-000000000002', 5, 6, "+now+" - INTERVAL 9 DAY, "+now+", 0)",
		// so was this
		gap+"('f1000000-0000-0000-0000-000000000003', 11, 12, "+now+" - INTERVAL 9 DAY, "+now+" - INTERVAL 1 DAY, 0)")
	want("two came", 5, 1, 2)
	exec(t, again, "INSERT INTO baselines (client_id, serial, accepted_time) VALUES "+
		"('f1000000-0000-0000-0000-000000000003', 12, "+now+")",
		"INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('f1000000-0000-0000-0000-000000000004', "+
			"10, "+now+")")
	want("one was accepted, one polled", 5, 1, 0)
	exec(t, again, gap+"('f1000000-0000-0000-0000-000000000001', 11, 20, "+now+", "+now+" + INTERVAL 1 SECOND, 1)",
		// an ordinary gap
		gap+"('f1000000-0000-0000-0000-000000000001', 25, 25, "+now+" + INTERVAL 1 SECOND, "+now+" + INTERVAL 1 SECOND, 0)")
	want("its gap is closed", 5, 0, 0)
	want("no check ran since", 5, 0, 0)
	exec(t, again, "INSERT INTO resync_clock (id, number, checked_time) VALUES (1, 1, "+now+" + INTERVAL 1 SECOND)")
	look(t, again)
	if r := condition(t, again).Restored; r != nil {
		t.Errorf("after a check: %+v", r)
	}
	if r := condition(t, reopen(t, again, dir)).Restored; r != nil {
		t.Errorf("after another start: %+v", r)
	}
}

func TestANewStoreInAUsedFolderIsRefused(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		opt     store.Options
		want    error
	}{
		{"a fresh folder", func(*testing.T, string) {}, store.Options{}, nil},
		{"a folder with its mark", func(t *testing.T, dir string) {
			s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Dir: dir, Keep: true})
			look(t, s)
		}, store.Options{}, store.ErrNewStore},
		{"the same, for a reader", func(t *testing.T, dir string) {
			look(t, storetest.NewWith(t, store.DefaultConfig(), store.Options{Dir: dir, Keep: true}))
		}, store.Options{Access: store.Read}, store.ErrNewStore},
		{"the same, accepted", func(t *testing.T, dir string) {
			look(t, storetest.NewWith(t, store.DefaultConfig(), store.Options{Dir: dir, Keep: true}))
		}, store.Options{NewStore: true}, nil},
		{"a token was made before the first start", func(t *testing.T, dir string) {
			mkdir(t, dir, "identity")
			write(t, filepath.Join(dir, "identity", "identity.db"), "x")
		}, store.Options{}, nil},
		{"an earlier version's folder", func(t *testing.T, dir string) { mkdir(t, dir, "identity") }, store.Options{},
			store.ErrNewStore},
		{"a loader's folder", func(t *testing.T, dir string) {
			write(t, filepath.Join(mkdir(t, dir, "inboxes/auth/statesys.box"), "loader.lock"), "7")
		}, store.Options{}, store.ErrNewStore},
		{"a relay began on a fresh folder", func(t *testing.T, dir string) {
			if err := store.Prepare(dir); err != nil {
				t.Fatal(err)
			}
			mkdir(t, dir, "identity")
		}, store.Options{}, nil},
		{"preparing hides no use", func(t *testing.T, dir string) {
			mkdir(t, dir, "identity")
			if err := store.Prepare(dir); err != nil {
				t.Fatal(err)
			}
		}, store.Options{}, store.ErrNewStore},
		{"a mark that cannot be read", func(t *testing.T, dir string) { write(t, filepath.Join(dir, store.MarkName), "{") },
			store.Options{}, errAny},
		{"a later version's mark",
			func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, store.MarkName),
					`{"format":2}`)
			}, store.Options{}, errAny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.prepare(t, dir)
			tt.opt.Dir, tt.opt.Keep = dir, true
			if tt.opt.Access == store.Look {
				tt.opt.Access = store.Own
			}
			cfg := store.DefaultConfig()
			cfg.Database = "fresh_" + strings.NewReplacer(" ", "_", ",", "", "'", "").Replace(tt.name)
			t.Cleanup(func() {
				if err := storetest.Owner(t).Conn().Exec(context.Background(), "DROP DATABASE IF EXISTS "+cfg.Database+
					" SYNC"); err != nil {
					t.Error(err)
				}
			})
			s, err := store.Share(t.Context(), storetest.Owner(t), cfg, tt.opt)
			if err != nil && databaseThere(t, cfg.Database) {
				t.Error("it was refused, and its database made")
			}
			switch {
			case err == nil:
				t.Cleanup(func() { s.Close() })
				fallthrough
			case tt.want == nil:
				if err != nil || tt.want != nil {
					t.Errorf("%v, want %v", err, tt.want)
				}
			case tt.want != errAny &&
				(!errors.Is(err, tt.want) || !strings.Contains(err.Error(), "statewire serve --new-store")):
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func databaseThere(t testing.TB, name string) bool {
	t.Helper()
	var n uint64
	row := storetest.Owner(t).Conn().QueryRow(t.Context(),
		"SELECT count() FROM system.databases WHERE name = {name:String}", clickhouse.Named("name", name))
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func mkdir(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Another site's store, with another identity, is not this folder's.
func TestAnotherSitesStoreIsRefused(t *testing.T) {
	s, _ := kept(t)
	_, other := kept(t)
	_, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Dir: other, Keep: true})
	if !errors.Is(err, store.ErrNewStore) {
		t.Fatalf("%v", err)
	}
	if _, err := storetest.AgainWith(t, s, store.DefaultConfig(),
		store.Options{Dir: other, Keep: true, NewStore: true}); err != nil {
		t.Errorf("accepted: %v", err)
	}
	if _, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Dir: other, Keep: true}); err != nil {
		t.Errorf("the start after: %v", err)
	}
}

// A crash between the store's mark and the folder's leaves the folder's behind: that is
// no older copy, and nothing is lost.
func TestAMarkThatIsBehindIsTrue(t *testing.T) {
	s, dir := kept(t)
	fillMonths(t, s)
	look(t, s)
	was, err := os.ReadFile(filepath.Join(dir, store.MarkName))
	if err != nil {
		t.Fatal(err)
	}
	insert(t, t.Context(), s, message{Client: 3, Serial: 1, Hash: 1})
	look(t, s)
	exec(t, s, "OPTIMIZE TABLE state_messages FINAL")
	look(t, s)
	write(t, filepath.Join(dir, store.MarkName), string(was))
	again := reopen(t, s, dir)
	if c := condition(t, again); c.Lost() != "" || c.Warning() != "" {
		t.Errorf("%q %q", c.Lost(), c.Warning())
	}
	// The next mark is newer than every one the store has, or a copy from between would not be seen as older.
	var mark struct{ Number uint64 }
	text, err := os.ReadFile(filepath.Join(dir, store.MarkName))
	if err = errors.Join(err, json.Unmarshal(text, &mark)); err != nil {
		t.Fatal(err)
	}
	if newest := count(t, again, "SELECT max(number) FROM store_marks"); mark.Number != newest {
		t.Errorf("the mark outside is %d, the newest of the store %d", mark.Number, newest)
	}
	if twice := count(t, again, "SELECT toUInt64(count() - uniqExact(number)) FROM store_marks"); twice > 0 {
		t.Errorf("%d marks have the number of another one", twice)
	}
}

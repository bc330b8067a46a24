package store_test

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/store"
	"statewire/store/storetest"
)

func TestNewerSchemaIsRefusedUntouched(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	before := count(t, s, "SELECT count() FROM system.tables WHERE database = currentDatabase()")
	_, err := storetest.Again(t, s)
	if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "99999") {
		t.Errorf("error %v, want one that names the version", err)
	}
	if n := count(t, s, "SELECT count() FROM system.tables WHERE database = currentDatabase()"); n != before {
		t.Errorf("%d tables, were %d", n, before)
	}
}

func TestOpeningAgainChangesNothing(t *testing.T) {
	s := storetest.New(t)
	const versions = "SELECT count() FROM goose_db_version"
	before := count(t, s, versions)
	if _, err := storetest.Again(t, s); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, versions); n != before {
		t.Errorf("%d steps are noted, were %d", n, before)
	}
}

func TestMigrationThatWasCutShortContinues(t *testing.T) {
	s := storetest.New(t)
	load(t, s, 1)
	want := answers(t, s)
	// As after a crash: the first steps ran, the notes of the last ones are missing,
	// and so are some of their objects.
	exec(t, s, "ALTER TABLE goose_db_version DELETE WHERE version_id > 2 SETTINGS mutations_sync = 2",
		"DROP VIEW SR_ClientMessageStats", "DROP VIEW client_stats_serials_feed", "DROP TABLE client_presence")
	if _, err := storetest.Again(t, s); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, s); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	exec(t, s, "SELECT * FROM client_presence", "SELECT * FROM SMS_CN_ClientStatus")
}

// A site on which claims were believed that jump: they are kept aside, what else is known of the clients stays, and a
// second run of the steps changes nothing.
func TestClaimsThatJumpedBeforeTheyWereMeasured(t *testing.T) {
	s := storetest.New(t)
	const id = "00000000-0000-0000-0000-00000000000"
	exec(t, s, "INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('"+id+"1', 9, 1), ('"+id+
		"1', 4611686018427387902, 2), "+
		"('"+id+"2', 1000010, 3), ('"+id+"3', 1000011, 4), ('"+id+"4', 1000001, 5), ('"+id+"5', 3000003, 6)",
		"INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES ('"+id+"1', 1, 10), ('"+id+"2', 1, 10), ('"+
			id+"3', 1, 10), ('"+id+"5', 3000000, 3000000)",
		"INSERT INTO missing_ranges (client_id, first_serial, last_serial, checked_time, closed) VALUES ('"+id+
			"1', 11, 4611686018427387902, 1, 0), ('"+id+"2', 11, 1000009, 1, 0)")
	for range 2 {
		exec(t, s, "ALTER TABLE goose_db_version DELETE WHERE version_id >= 70 SETTINGS mutations_sync = 2")
		if _, err := storetest.Again(t, s); err != nil {
			t.Fatal(err)
		}
		for sql, want := range map[string]uint64{
			"SELECT count() FROM claims_aside FINAL": 3,
			"SELECT last_serial FROM claims_aside FINAL WHERE seen_serial = 10 AND client_id = '" + id +
				"1'": 4611686018427387902,
			"SELECT last_serial FROM claims_aside FINAL WHERE client_id = '" + id +
				"4'": 1000001,
			"SELECT max(last_serial) FROM client_claims": 3000003,
			"SELECT max(last_serial) FROM client_claims WHERE client_id IN ('" + id + "1', '" + id +
				"3')": 9,
			"SELECT max(last_serial) FROM client_claims WHERE client_id = '" + id +
				"2'": 1000010,
			"SELECT toUInt64(sum(toUnixTimestamp64Micro(t))) FROM (SELECT max(claimed_time) AS t FROM client_claims GROUP BY " +
				"client_id)": 2 + 3 + 4 + 5 + 6,
			"SELECT count() FROM SR_MissingMessageRanges WHERE SerialJump = 1": 1,
			"SELECT count() FROM SR_MissingMessageRanges WHERE SerialJump = 0": 1,
		} {
			if n := count(t, s, sql); n != want {
				t.Errorf("%s: %d, want %d", sql, n, want)
			}
		}
	}
}

func TestTwoStartersAtOnce(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "DROP DATABASE "+s.Database()+" SYNC", "CREATE DATABASE "+s.Database())
	var both errgroup.Group
	for range 2 {
		both.Go(func() error {
			_, err := storetest.Again(t, s)
			return err
		})
	}
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	load(t, s, 1)
	if n := count(t, s, "SELECT count() FROM SR_ClientMessageStats"); n != 1 {
		t.Errorf("%d clients", n)
	}
}

// A starter that is a few steps behind drops a table for a moment: the step that needs it waits for it.
func TestAStepWaitsForATableOfAnotherStarter(t *testing.T) {
	s := storetest.New(t)
	steps := stepsBefore(t, 999)
	steps["00999_column.sql"] = &fstest.MapFile{Data: []byte(
		"-- +goose NO TRANSACTION\n-- +goose Up\nALTER TABLE elsewhere ADD COLUMN IF NOT EXISTS b UInt8;\n")}
	again := func(told func()) error {
		log := slog.New(slog.NewTextHandler(writer(told), &slog.HandlerOptions{Level: slog.LevelWarn}))
		_, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Migrations: steps, Log: log})
		return err
	}
	tries := 1
	if err := again(func() { tries++ }); err == nil || !strings.Contains(err.Error(), "elsewhere") || tries < 2 {
		t.Errorf("without the table: error %v after %d tries, want one that names the table after some", err, tries)
	}
	if err := again(func() { exec(t, s, "CREATE TABLE IF NOT EXISTS elsewhere (a UInt8) ENGINE = Memory") }); err != nil {
		t.Error(err)
	}
	exec(t, s, "SELECT a, b FROM elsewhere")
}

// writer does something for each line that is written.
type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}

func TestRetentionDropsHistoryOnly(t *testing.T) {
	cfg := store.DefaultConfig()
	cfg.Retention = 48 * time.Hour
	s := storetest.NewWith(t, cfg, store.Options{})
	for f := range 6 {
		load(t, s, f) // long ago
	}
	kept := views[1:6] // all but the history itself
	old := answersOf(t, s, kept)
	for _, table := range []string{"state_messages", "client_reports"} {
		exec(t, s, "OPTIMIZE TABLE "+table+" FINAL")
		if n := count(t, s, "SELECT count() FROM "+table); n != 0 {
			t.Errorf("%s keeps %d rows", table, n)
		}
	}
	for _, table := range mergeTrees(t, s) {
		exec(t, s, "OPTIMIZE TABLE "+table.Name+" FINAL")
	}
	if got := answersOf(t, s, kept); strings.Join(got, "\n") != strings.Join(old, "\n") {
		t.Errorf("after retention\n%s\nwant\n%s", diff(got, old), diff(old, got))
	}
}

func TestRetentionDropsRowsThatShareAPartWithYoungerOnes(t *testing.T) {
	cfg := store.DefaultConfig()
	cfg.Retention = (time.Since(epoch) - 12*time.Hour).Truncate(time.Hour) // noon of the first day
	s := storetest.NewWith(t, cfg, store.Options{})
	insert(t, t.Context(), s,
		message{Client: 1, Serial: 1, Hash: 1, Received: time.Hour.Microseconds()},
		message{Client: 1, Serial: 2, Hash: 2, Received: (23 * time.Hour).Microseconds()})
	exec(t, s, "OPTIMIZE TABLE state_messages FINAL")
	if n := count(t, s, "SELECT sum(serial) FROM state_messages"); n != 2 {
		t.Errorf("the serials left add up to %d, want the younger message's 2", n)
	}
}

func TestCatalogNamesTopicsAndStates(t *testing.T) {
	catalog, err := os.ReadFile("../configs/state-catalog.csv")
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Catalog: catalog})
	lines := strings.Split(strings.TrimSpace(string(catalog)), "\n")[1:]
	states := 0
	for _, line := range lines {
		if f := strings.SplitN(line, ",", 4); f[2] != "" {
			states++
		}
	}
	if n := count(t, s, "SELECT count() FROM state_names"); n != uint64(states) {
		t.Errorf("%d state names, want %d", n, states)
	}
	if n := count(t, s, "SELECT count() FROM topic_names WHERE topic_type = 100"); n != 1 {
		t.Errorf("a topic without states has %d names", n)
	}
	const small = "topic_type,topic_name,state_id,state_name\n1,A,1,one\n2,B,,\n"
	for range 2 { // loading again changes nothing
		if _, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Catalog: []byte(small)}); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count() FROM state_names"); n != 1 {
			t.Errorf("after another catalog: %d state names, want 1", n)
		}
		if n := count(t, s, "SELECT count() FROM topic_names"); n != 2 {
			t.Errorf("after another catalog: %d topic names, want 2", n)
		}
		if n := count(t, s, "SELECT count() FROM catalog_loads"); n != 2 {
			t.Errorf("%d catalogs were loaded, want 2", n)
		}
	}
}

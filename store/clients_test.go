package store_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"testing"
	"testing/fstest"

	"statewire/store"
	"statewire/store/storetest"
)

// stepsBefore are the migrations of an earlier version.
func stepsBefore(t *testing.T, number int) fstest.MapFS {
	t.Helper()
	steps := fstest.MapFS{}
	entries, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name()[:5])
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path.Join("migrations", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if n < number {
			steps[e.Name()] = &fstest.MapFile{Data: text}
		}
	}
	return steps
}

const allClients = `SELECT toString((client_id, netbios_name, client_version, client_type, first_report_time, last_report_time)) FROM clients ORDER BY 1`

func rowsOf(t *testing.T, s *store.Store, sql string) (all []string) {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

// A store of before clients were plain rows: what retention dropped of their reports, names too, stays known; a step
// that was cut short and made again changes nothing; and reports that come later count beside it.
func TestClientsOfBeforeArePlainRows(t *testing.T) {
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Migrations: stepsBefore(t, 110)})
	report := func(client, minute int, name, version string, kind int) {
		t.Helper()
		exec(t, s, fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, source_file, report_index, netbios_name, client_version, client_type, loaded_time)
			VALUES (toUUID('00000000-0000-4000-8000-%012d'), '2026-05-01 00:%02d:00', 'a.SMX', 0, '%s', '%s', %d, '2026-05-02 00:%02d:00')`,
			client, minute, name, version, kind, minute))
	}
	report(1, 1, "DROPPED", "5.1", 1)
	report(1, 9, "", "5.2", 2)
	report(2, 2, "OLD", "", 1)
	report(2, 8, "NEW", "5.1", 3)
	report(3, 3, "GONE", "5.3", 1)
	report(4, 4, "", "", 1)
	want := rowsOf(t, s, allClients)
	exec(t, s, "ALTER TABLE client_reports DELETE WHERE netbios_name IN ('DROPPED', 'GONE', 'OLD') SETTINGS "+
		"mutations_sync = 2")
	for range 2 {
		again, err := storetest.Again(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(t, again, allClients); len(got) != 4 || !slices.Equal(got, want) {
			t.Errorf("after the migration\n%q\nwant\n%q", got, want)
		}
		if got := rowsOf(t, again,
			"SELECT toString(max(loaded_time)) FROM clients_seen"); got[0] != "2026-05-02 00:09:00.000" {
			t.Errorf("the store last took in a report at %s", got[0])
		}
		exec(t, s, "ALTER TABLE goose_db_version DELETE WHERE version_id >= 114 SETTINGS mutations_sync = 2")
	}
	if _, err := storetest.Again(t, s); err != nil {
		t.Fatal(err)
	}
	report(1, 5, "BETWEEN", "5.0", 7) // arrived after what was dropped, and before what was kept
	report(3, 2, "FIRST", "5.0", 7)   // arrived before what was dropped
	exec(t, s, "INSERT INTO client_reports (client_id, received_time, netbios_name) VALUES "+
		"(toUUID('00000000-0000-4000-8000-000000000002'), '2026-05-01 00:30:00', '')")
	got := rowsOf(t, s, "SELECT concat(netbios_name, ' ', client_version, ' ', toString(client_type)) FROM clients "+
		"ORDER BY client_id")
	if !slices.Equal(got, []string{"BETWEEN 5.2 2", "NEW 5.1 0", "GONE 5.3 1", "  1"}) {
		t.Errorf("clients are %q", got)
	}
}

// What was loaded in the very moment up to which a summary was made is not in it.
func TestAClientLoadedInTheMomentOfTheSummaryHasChanged(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "INSERT INTO summary_progress (job, number, until) VALUES ('clients', 1, '2026-01-01 00:00:00.005'), "+
		"('clients', 0, '2026-01-02 00:00:00')")
	for _, at := range []string{"004", "005", "006"} {
		exec(t, s, "INSERT INTO clients_seen (client_id, loaded_time) VALUES ('00000000-0000-0000-0000-000000000"+at+
			"', '2026-01-01 00:00:00."+at+"')")
	}
	got := rowsOf(t, s, "SELECT right(toString(client_id), 3) FROM clients_changed ORDER BY 1")
	if want := []string{"005", "006"}; !slices.Equal(got, want) {
		t.Errorf("changed are %q, want %q", got, want)
	}
}

package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/store"
	"statewire/store/storetest"
)

// views are what must not change when something is received or inserted again.
var views = []string{
	"SELECT client_id, serial, payload_hash, received_time, state_id FROM state_messages FINAL",
	"SELECT * FROM current_states",
	"SELECT * FROM clients",
	"SELECT * FROM SR_ClientMessageStats",
	"SELECT * FROM SR_MissingMessageRanges",
	"SELECT client_id, first_serial, last_serial FROM serial_ranges FINAL",
	"SELECT client_id, received_time, source_file, report_index FROM client_reports FINAL",
	"SELECT * FROM client_floors",
	"SELECT * FROM unconfirmed_states",
}

// answers are the rows of all views, as text in a fixed order.
func answers(t testing.TB, s *store.Store) []string {
	t.Helper()
	return answersOf(t, s, views)
}

func answersOf(t testing.TB, s *store.Store, views []string) []string {
	t.Helper()
	var out []string
	for _, view := range views {
		rows, err := s.Conn().Query(t.Context(), "SELECT toString(tuple(*)) AS row FROM ("+view+") ORDER BY row")
		if err != nil {
			t.Fatalf("%s: %v", view, err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			out = append(out, view+": "+row)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return out
}

// load inserts a file's rows into all tables that the loader fills.
func load(t testing.TB, s *store.Store, file int) {
	t.Helper()
	client := byte(1 + file%3)
	var rows []message
	for i := range 5 {
		serial := uint64(file*5 + i + 1)
		rows = append(rows, message{Client: client, Serial: serial, Topic: 500, TopicID: fmt.Sprint(i), State: uint32(file),
			TimeUS: int64(file), Hash: serial * 77, Received: int64(file * 10)})
	}
	rows = append(rows, message{Client: client, Serial: uint64(file*5 + 5), Topic: 700, State: 2, Hash: 5,
		Received: int64(file * 10)})
	insert(t, t.Context(), s, rows...)
	columns := func(into string, values ...any) {
		b, err := s.Conn().PrepareBatch(s.InsertContext(t.Context()), into)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Append(values...); err != nil {
			t.Fatal(err)
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
	at := epoch.Add(time.Duration(file*10) * time.Microsecond)
	columns("INSERT INTO serial_ranges (client_id, first_serial, last_serial)", clientID(client), uint64(file*5+1),
		uint64(file*5+5))
	columns("INSERT INTO client_reports (client_id, received_time, source_file, report_index, netbios_name, "+
		"client_version, client_type)",
		clientID(client), at, fmt.Sprintf("%d.SMX", file), uint32(0), fmt.Sprintf("PC-%d", file), "5.0", uint8(1))
}

func TestEverythingCountsOnceMergedOrNot(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "SYSTEM STOP MERGES")
	const files = 9
	for f := range files {
		load(t, s, f)
	}
	want := answers(t, s)
	if n := count(t, s, "SELECT count() FROM state_messages FINAL"); n != files*6 {
		t.Errorf("%d messages, want %d", n, files*6)
	}
	order := rand.New(rand.NewPCG(7, 7)).Perm(files)
	for _, f := range append(order, order[:4]...) {
		load(t, s, f)
	}
	if got := answers(t, s); !slices.Equal(got, want) {
		t.Errorf("after loading again, not merged:\n%s\nwant\n%s", diff(got, want), diff(want, got))
	}
	exec(t, s, "SYSTEM START MERGES")
	for _, table := range mergeTrees(t, s) {
		exec(t, s, "OPTIMIZE TABLE "+table.Name+" FINAL")
	}
	if got := answers(t, s); !slices.Equal(got, want) {
		t.Errorf("after loading again, merged:\n%s\nwant\n%s", diff(got, want), diff(want, got))
	}
}

// diff are the rows of a that b lacks.
func diff(a, b []string) string {
	out := ""
	for _, row := range a {
		if !slices.Contains(b, row) {
			out += row + "\n"
		}
	}
	return out
}

func TestClientsShowTheirLatestReport(t *testing.T) {
	s := storetest.New(t)
	for _, f := range []int{3, 0, 6} {
		load(t, s, f)
	}
	var name string
	var first, last time.Time
	row := s.Conn().QueryRow(t.Context(), "SELECT netbios_name, first_report_time, last_report_time FROM clients")
	if err := row.Scan(&name, &first, &last); err != nil {
		t.Fatal(err)
	}
	if name != "PC-6" || !first.Equal(epoch) || !last.Equal(epoch.Add(60*time.Microsecond)) {
		t.Errorf("client is called %s, reported from %s to %s", name, first, last)
	}
}

func TestStatsOfAClientWithoutStoredMessages(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "INSERT INTO client_reports (client_id, received_time, source_file) VALUES "+
		"('f1000000-0000-0000-0000-000000000009', "+after(0)+", 'a.SMX')",
		"INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES ('f1000000-0000-0000-0000-000000000009', "+
			"4, 7)")
	var id uuid.UUID
	var serial uint64
	var last time.Time
	if err := s.Conn().QueryRow(t.Context(),
		"SELECT ClientID, LastSerialNumber, LastMessageTime FROM SR_ClientMessageStats").Scan(
		&id, &serial, &last); err != nil {
		t.Fatal(err)
	}
	if !last.Equal(epoch) {
		t.Errorf("its last message is of %s, want the time of its last report, %s", last, epoch)
	}
	if id != clientID(9) || serial != 7 {
		t.Errorf("client %s has last serial %d, want 7: a record set aside counts as seen", id, serial)
	}
}

package reports_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/reports"
)

// checkEdges holds what is made in a way that many clients allow against the plain way, on rows of every kind.
func (m *model) checkEdges(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "edges", "rows.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []string{"1", "2"} {
		for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
			if err := m.Store.Conn().Exec(m.Store.InsertContext(t.Context()), strings.TrimSuffix(statement, ";"),
				clickhouse.Named("seed", seed)); err != nil {
				t.Fatalf("%v: %.60s", err, statement)
			}
		}
	}
	m.plainOutcomes(t)
	steps := m.texts(t, "SELECT DISTINCT step FROM resync_outcomes ORDER BY step")
	if want := []string{"accepted", "answering", "completed", "issued", "late", "picked up", "replaced",
		"unanswered"}; !slices.Equal(steps, want) {
		t.Errorf("the edges have resyncs that are %q, want %q", steps, want)
	}
	for _, pair := range [][2]string{
		{"SELECT toString(tuple(*)) FROM resync_outcomes ORDER BY 1",
			"SELECT toString(tuple(*)) FROM plain_outcomes ORDER BY 1"},
		{
			"SELECT toString((client_id, max(last_serial))) FROM clients_unheard GROUP BY client_id ORDER BY 1",
			"SELECT toString((client_id, max(client_claims.last_serial))) FROM client_claims WHERE client_id NOT IN (SELECT " +
				"client_id FROM client_stats_data) GROUP BY client_id ORDER BY 1",
		},
		{
			"SELECT toString(client_id) FROM clients_unreported ORDER BY 1",
			"SELECT DISTINCT toString(client_id) FROM client_claims WHERE client_id NOT IN (SELECT client_id FROM " +
				"clients_seen) ORDER BY 1",
		},
		{
			namedOf(t) + "SELECT toString((client_id, netbios_name, client_version, first_report_time, last_report_time)) " +
				"FROM named ORDER BY 1",
			"SELECT toString((client_id, netbios_name, client_version, first_report_time, last_report_time)) FROM clients " +
				"ORDER BY 1",
		},
	} {
		got, want := m.texts(t, pair[0]), m.texts(t, pair[1])
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", pair[0], got, want)
		}
		if len(want) < 5 {
			t.Errorf("%s: %d rows are no test", pair[1], len(want))
		}
	}
}

// plainOutcomes makes the view that says the same in the plain way.
func (m *model) plainOutcomes(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "edges", "plain_outcomes.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Store.Conn().Exec(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
}

// namedOf begins a query of all clients with the part that reports share.
func namedOf(t *testing.T) string {
	t.Helper()
	part, err := reports.PartOfNow("named")
	if err != nil {
		t.Fatal(err)
	}
	return "WITH\n" + part + "(SELECT groupArray(client_id) FROM clients) AS page_ids\n"
}

// texts are the rows of a query of one text column.
func (m *model) texts(t *testing.T, query string) (all []string) {
	t.Helper()
	rows, err := m.Store.Conn().Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

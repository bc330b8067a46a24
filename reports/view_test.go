package reports_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// given are values for the parameters that a report cannot do without.
func given(r *reports.Report) map[string]string {
	out := map[string]string{}
	for _, p := range r.Params {
		switch {
		case !p.Required:
		case p.Name == "client":
			out[p.Name] = id(1).String()
		case p.Name == "subject":
			out[p.Name] = "deployment/DEP1"
		case p.Type == "UUID":
			out[p.Name] = id(1).String()
		case p.Name == "topic_type":
			out[p.Name] = "300"
		default:
			out[p.Name] = "1"
		}
	}
	return out
}

func TestAReaderSeesRowsAsTheyAreAskedFor(t *testing.T) {
	r := reportstest.Fleet(t).Runner()
	t.Run("every report fits a terminal", func(t *testing.T) { everyReportFits(t, r) })
	t.Run("a reader chooses columns, rows and their order", func(t *testing.T) { readersChoose(t, r) })
}

// everyReportFits: a terminal of 80 characters shows of every report what must not leave, and no line that is longer.
func everyReportFits(t *testing.T, r *reports.Runner) {
	t.Helper()
	age := r.Freshness(t.Context())
	for _, report := range r.Catalog().List() {
		rows, err := r.Run(t.Context(), report.Name, given(report), reports.Page{})
		if err != nil {
			t.Errorf("%s: %v", report.Name, err)
			continue
		}
		stay, unknown := reports.Ranked(rows)
		if len(stay) == 0 || len(unknown) > 0 {
			t.Errorf("%s: give its header a line `-- columns:`; columns that stay %q, columns that it lacks %q", report.Name,
				stay, unknown)
		}
		var out bytes.Buffer
		view := reports.View{Width: 80, Terminal: true}
		if err := reports.WriteView(&out, reports.Table, rows, age, view); err != nil {
			t.Errorf("%s: %v", report.Name, err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("%s: a line of %d characters: %s", report.Name, len([]rune(line)), line)
			}
		}
		head, _, _ := strings.Cut(out.String(), "─")
		words := strings.Join(strings.Fields(head), "")
		for _, name := range stay {
			if last := name[strings.LastIndexByte(name, '_')+1:]; !strings.Contains(words, last) {
				t.Errorf("%s: %s left:\n%s", report.Name, name, &out)
			}
		}
	}
}

func readersChoose(t *testing.T, r *reports.Runner) {
	t.Helper()
	for _, c := range []struct {
		name string
		f    reports.Format
		page reports.Page
		view reports.View
		want string // of the output, or of the error
	}{
		{"columns in the order named", reports.CSV, reports.Page{Limit: 1}, reports.View{Columns: []string{"client_id",
			"netbios_name"}}, "client_id,netbios_name\n" + id(5).String() + ",PC005\n"},
		{"no line of names", reports.CSV, reports.Page{Limit: 1}, reports.View{Columns: []string{"netbios_name"},
			NoHeader: true}, "PC005\n"},
		{"the greatest of all rows first, not of the first page", reports.CSV, reports.Page{Limit: 2,
			Sort: "netbios_name:desc"}, reports.View{Columns: []string{"netbios_name"}}, "netbios_name\nPC005\nPC004\n"},
		{"the least first", reports.CSV, reports.Page{Limit: 2, Sort: "netbios_name"},
			reports.View{Columns: []string{"netbios_name"}}, "netbios_name\nPC001\nPC002\n"},
		{"a column that is none", reports.CSV, reports.Page{}, reports.View{Columns: []string{"netbios_nam"}},
			"did you mean netbios_name?"},
		{"an order by a column that is none", reports.CSV, reports.Page{Sort: "client_idd"}, reports.View{},
			"did you mean client_id?"},
		{"an order that says nothing", reports.CSV, reports.Page{Sort: "a b"}, reports.View{}, "write COLUMN or COLUMN:desc"},
		{"a way that is none", reports.CSV, reports.Page{Sort: "client_id:up"}, reports.View{}, "write COLUMN or COLUMN:desc"},
	} {
		var out bytes.Buffer
		err := r.WriteReportView(t.Context(), &out, c.f, "clients", nil, c.page, c.view)
		if got := out.String(); err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	var out bytes.Buffer
	if err := r.WriteReportView(t.Context(), &out, reports.Parquet, "clients", nil, reports.Page{Limit: 2, Sort: "client_id"},
		reports.View{Columns: []string{"client_id"}}); err != nil || !bytes.Contains(out.Bytes(), []byte("PAR1")) ||
		bytes.Contains(out.Bytes(), []byte("netbios_name")) {
		t.Errorf("parquet: %v %d bytes", err, out.Len())
	}
	for name, column := range map[string]string{
		"clients-in-state": "netbios_name", // pages itself
		"report-age":       "clients:desc", // has no order of its own
		"machines":         "computer",     // leaves out lines of its query
	} {
		report, err := r.Catalog().Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WriteReport(t.Context(), &out, reports.JSONL, name, given(report), reports.Page{Sort: column}); err != nil {
			t.Errorf("%s by %s: %v", name, column, err)
		}
	}
}

func noRowsHaveAReason(t *testing.T, r *reports.Runner) {
	t.Helper()
	for _, c := range []struct {
		name, report string
		params       map[string]string
		want         string
	}{
		{"the report says why", "retired-clients", nil, "no client is retired"},
		{"what was asked stands behind it", "clients-in-state", map[string]string{"topic_type": "402", "state_id": "9"},
			"no client is in this state (asked with topic_type 402, state_id 9)"},
		{"a collection without members", "asked", map[string]string{"collection": "empty", "group": ""}, ""},
	} {
		var out bytes.Buffer
		if err := r.WriteReport(t.Context(), &out, reports.JSON, c.report, c.params, reports.Page{}); err != nil {
			t.Fatal(err)
		}
		var a struct{ Note string }
		if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Note != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.name, a.Note, c.want, err)
		}
		out.Reset()
		if err := r.WriteReport(t.Context(), &out, reports.Table, c.report, c.params, reports.Page{}); err != nil ||
			c.want != "" && !strings.Contains(out.String(), "0 rows: "+c.want+"\n") {
			t.Errorf("%s: %v\n%s", c.name, err, &out)
		}
	}
	for scope, want := range map[string]string{"empty": "collection empty has no members that report to this site",
		"site": "no client has reported to this site yet"} {
		rows := reports.Rows{Scope: &reports.Scope{Name: scope}}
		if got := rows.Why(); got != want {
			t.Errorf("%s: %s", scope, got)
		}
	}
}

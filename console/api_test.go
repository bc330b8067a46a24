package console

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
)

type answer struct {
	Report    string
	Params    map[string]string
	Generated time.Time
	Freshness struct {
		AsOf         time.Time `json:"as_of"`
		WaitingFiles int       `json:"waiting_files"`
		Stale        bool
	}
	Columns []reports.Column
	Rows    []map[string]any
	Next    string
	More    bool
}

func TestTheAPIAnswersWithParametersAgeAndNotes(t *testing.T) {
	h := handler(t, reportstest.Fleet(t))
	for _, target := range []string{"/api/v1/reports/compliance?topic_type=300&topic_id=DEP1",
		"/api/v1/reports/compliance?param=topic_type%3D300&param=topic_id=DEP1&format=json"} {
		w := get(t, h, target)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %v %s", w.Code, err, w.Body)
		}
		if a.Report != "compliance" || a.Params["topic_id"] != "DEP1" || len(a.Rows) != 3 || a.More || a.Next != "" ||
			a.Freshness.WaitingFiles != 1608 || a.Generated.IsZero() {
			t.Errorf("%+v", a)
		}
		if i := slices.IndexFunc(a.Columns, func(c reports.Column) bool { return c.Name == "percent" }); i < 0 ||
			a.Columns[i].Note == "" {
			t.Errorf("%+v", a.Columns)
		}
		if a.Rows[0]["clients"] != float64(2) && a.Rows[0]["clients"] != float64(1) || a.Rows[2]["state_id"] != float64(77) {
			t.Errorf("%v", a.Rows)
		}
	}
}

func TestTheAPIPagesWithACursor(t *testing.T) {
	h := handler(t, reportstest.Fleet(t))
	var names []any
	next := ""
	for range 10 {
		w := get(t, h, "/api/v1/reports/clients?limit=2&cursor="+next)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %v %s", w.Code, err, w.Body)
		}
		for _, row := range a.Rows {
			names = append(names, row["netbios_name"])
		}
		if next = a.Next; next == "" {
			break
		}
	}
	if want := []any{"PC005", "PC004", "PC003", "PC002", "PC001"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
}

func TestTheAPISortsAllRowsByAColumn(t *testing.T) {
	h := handler(t, reportstest.Fleet(t))
	for query, want := range map[string][]any{
		"sort=netbios_name&limit=2":      {"PC001", "PC002"},
		"sort=netbios_name:desc&limit=2": {"PC005", "PC004"},
		"sort=netbios_name:asc&limit=2":  {"PC001", "PC002"},
		"sort=client_id:desc&limit=1":    {"PC005"},
		"sort=netbios_name&name=pc003":   {"PC003"},
	} {
		w := get(t, h, "/api/v1/reports/clients?"+query)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v %s", query, w.Code, err, w.Body)
		}
		var names []any
		for _, row := range a.Rows {
			names = append(names, row["netbios_name"])
		}
		if !slices.Equal(names, want) || a.Next != "" || a.More != strings.Contains(query, "limit") {
			t.Errorf("%s: %v, more %t, next %q", query, names, a.More, a.Next)
		}
	}
	lines, err := csv.NewReader(get(t, h, "/api/v1/reports/clients?format=csv&sort=netbios_name").Body).ReadAll()
	if err != nil || len(lines) != 6 || !slices.Contains(lines[1], "PC001") || !slices.Contains(lines[5], "PC005") {
		t.Errorf("%v %v", lines, err)
	}
	page := get(t, h, "/reports/clients?sort=netbios_name").Body.String()
	if first, last := strings.Index(page, "PC001"), strings.Index(page, "PC005"); first < 0 || first > last ||
		!strings.Contains(page, "format=csv&amp;sort=netbios_name") {
		t.Errorf("the page is not sorted, or its downloads are not")
	}
}

func TestDownloadsAreWholeAndNamed(t *testing.T) {
	h := handler(t, reportstest.Fleet(t))
	for format, kind := range map[string]string{"csv": "text/csv", "jsonl": "application/x-ndjson",
		"parquet": "application/vnd.apache.parquet"} {
		w := get(t, h, "/api/v1/reports/clients?format="+format)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) ||
			!strings.Contains(w.Header().Get("Content-Disposition"), `attachment; filename="clients-`) || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v %.80q", format, w.Code, w.Header(), w.Body)
		}
	}
	lines, err := csv.NewReader(get(t, h, "/api/v1/reports/clients?format=csv").Body).ReadAll()
	if err != nil || len(lines) != 6 {
		t.Errorf("%v %v", lines, err)
	}
}

func TestEveryRefusalIsAProblemWithACode(t *testing.T) {
	s := reportstest.Fleet(t)
	h := handler(t, s)
	for _, c := range []struct {
		target, code string
		status       int
	}{
		{"/api/v1/reports/nothing", "no_report", 404},
		{"/api/v1/reports/compliance?topic_type=x", "bad_parameter", 400},
		{"/api/v1/reports/compliance?topic=1", "bad_parameter", 400},
		{"/api/v1/reports/compliance?topic_type=1&topic_type=2", "bad_parameter", 400},
		{"/api/v1/reports/compliance?param=topic_type", "bad_parameter", 400},
		{"/api/v1/reports/client-states", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=0x", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=-1", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=0", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=10001", "bad_parameter", 400},
		{"/api/v1/reports/clients?cursor=abc", "bad_parameter", 400},
		{"/api/v1/reports/clients?cursor=%20", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=", "bad_parameter", 400},
		{"/api/v1/reports/clients?sort=", "bad_parameter", 400},
		{"/api/v1/reports/clients?sort=netbios", "bad_parameter", 400},
		{"/api/v1/reports/clients?sort=netbios_name:up", "bad_parameter", 400},
		{"/api/v1/reports/clients?sort=netbios_name&sort=client_id", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=5%20", "bad_parameter", 400},
		{"/api/v1/reports/clients?format=", "bad_parameter", 400},
		{"/api/v1/reports/clients?param=name=a&param=name=b", "bad_parameter", 400},
		{"/api/v1/reports/clients?param=name=a&name=b", "bad_parameter", 400},
		{"/api/v1/reports?x=1", "bad_parameter", 400},
		{"/api/v1/status?x=1", "bad_parameter", 400},
		{"/api/v1/reports/clients?format=xml", "bad_parameter", 400},
		{"/api/v1/reports/clients?format=table", "bad_parameter", 400},
		{"/api/v1/reports/failures?failing=(", "bad_value", 400},
		{"/api/v1/nothing", "no_path", 404},
		{"/api/nothing", "no_path", 404},
	} {
		w := get(t, h, c.target)
		var p Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if err != nil || w.Code != c.status || p.Code != c.code || p.Status != c.status || p.Detail == "" || p.Title == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s", c.target, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if strings.Contains(w.Body.String(), "/tmp") || strings.Contains(w.Body.String(), "Stack") ||
			strings.Contains(w.Body.String(), "version 2") {
			t.Errorf("%s tells too much: %s", c.target, w.Body)
		}
	}
}

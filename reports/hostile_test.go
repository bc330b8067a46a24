package reports_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"

	"statewire/reports"
	"statewire/reports/reportstest"
)

func hostileRows(t *testing.T, r *reports.Runner) *reports.Rows {
	t.Helper()
	rows, err := r.Run(t.Context(), "clients-in-state", map[string]string{"topic_type": "402", "state_id": "11"},
		reports.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestNoOutputLetsHostileTextOut(t *testing.T) {
	s := reportstest.HostileSite(t)
	r := s.Runner()
	t.Run("csv: no cell is a formula, and every text is still there", func(t *testing.T) {
		var out bytes.Buffer
		if err := reports.Write(&out, reports.CSV, hostileRows(t, r), nil); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(lines) != len(reportstest.Hostile)+1 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, line := range lines[1:] {
			for i, cell := range line {
				trimmed := strings.TrimLeft(cell, " \t\r\n\u00a0")
				if numericCell := lines[0][i] == "serial"; !numericCell && trimmed != "" &&
					strings.ContainsAny(trimmed[:1], "=+-@|%") || strings.HasPrefix(trimmed, "＝") {
					t.Errorf("cell %q", cell)
				}
			}
		}
	})
	t.Run("table: nothing but printable characters and line ends", func(t *testing.T) {
		var out bytes.Buffer
		if err := reports.Write(&out, reports.Table, hostileRows(t, r), r.Freshness(t.Context())); err != nil {
			t.Fatal(err)
		}
		for _, c := range out.String() {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Fatalf("the table holds %U", c)
			}
		}
		if got := strings.Count(out.String(), "\n"); got > len(reportstest.Hostile)+12 {
			t.Errorf("%d lines: a value broke a line", got)
		}
	})
	t.Run("json and jsonl: valid, and every valid text as it was", func(t *testing.T) {
		var out bytes.Buffer
		if err := reports.Write(&out, reports.JSON, hostileRows(t, r), r.Freshness(t.Context())); err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Rows []struct {
				Name   string   `json:"netbios_name"`
				Params []string `json:"params"`
			}
		}
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, row := range answer.Rows {
			found[row.Name] = row.Params[0] == row.Name && row.Params[2] == row.Name
		}
		for _, text := range reportstest.Hostile {
			if !found[strings.ToValidUTF8(text, "\ufffd")] {
				t.Errorf("%.40q is missing or changed", text)
			}
		}
		out.Reset()
		if err := reports.Write(&out, reports.JSONL, hostileRows(t, r), nil); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != len(reportstest.Hostile) {
			t.Errorf("jsonl has %d lines", n)
		}
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q", line)
			}
		}
	})
}

func TestParquetComesBackAsItWas(t *testing.T) {
	s := reportstest.HostileSite(t)
	r := s.Runner()
	var out bytes.Buffer
	if err := r.WriteReport(t.Context(), &out, reports.Parquet, "clients-in-state",
		map[string]string{"topic_type": "402", "state_id": "11"}, reports.Page{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(out.Bytes(), []byte("PAR1")) || !bytes.HasSuffix(out.Bytes(), []byte("PAR1")) {
		t.Fatalf("%d bytes are no parquet file: %.60q", out.Len(), out.Bytes())
	}
	s.Exec("CREATE TABLE back (netbios_name String, serial UInt64, params Array(String)) ENGINE = Memory")
	if err := s.Store.Conn().InsertFormat(t.Context(), "Parquet", "INSERT INTO back (netbios_name, serial, params)",
		&out); err != nil {
		t.Fatal(err)
	}
	var same uint64
	if err := s.Store.Conn().QueryRow(
		t.Context(), `SELECT count() FROM back AS b JOIN clients AS c ON b.netbios_name = c.netbios_name
		WHERE b.params[1] = c.netbios_name`).Scan(&same); err != nil {
		t.Fatal(err)
	}
	if int(same) != len(reportstest.Hostile) {
		t.Errorf("%d of %d rows came back as they were", same, len(reportstest.Hostile))
	}
}

func TestNoParameterReachesTheQueryAsText(t *testing.T) {
	s := reportstest.Fleet(t)
	r := s.Runner()
	tables := s.All(r, "clients", nil)
	texts := []string{`') OR 1=1 --`, `\') OR 1=1 --`, `' UNION SELECT 1`, reportstest.Hostile[25], `{topic_type:UInt32}`,
		"a\x00\t\nb", "\xff", `\N`}
	turn := 0
	for _, rep := range r.Catalog().List() {
		for _, names := range textsOf(rep) {
			for i, text := range texts {
				if turn++; i%4 != turn/len(texts)%4 && !thorough { // every text, and every parameter, but not each with each
					continue
				}
				params := reportstest.RequiredParams(rep)
				for _, name := range names {
					params[name] = text
				}
				rows, err := r.Run(t.Context(), rep.Name, params, reports.Page{Limit: 5})
				if err != nil {
					of := strings.Contains(err.Error(), "has to be one of") || strings.Contains(err.Error(), "names no client")
					var unknown *reports.RefError
					of = of || errors.As(err, &unknown)
					moment := (names[0] == "as_of" || names[0] == "tz") && strings.Contains(err.Error(), "has to be ")
					refused := (limited(rep, names[0]) || unknown != nil) && of || moment
					if !refused && !strings.Contains(err.Error(), "is not UTF-8") {
						t.Errorf("%s %q=%.40q: %v", rep.Name, names, text, err)
					}
					continue
				}
				if got := reportstest.ReadRows(t, rows); rep.Name == "clients" && len(got) > 0 {
					t.Errorf("%s %q=%.40q found %d rows", rep.Name, names, text, len(got))
				}
			}
		}
	}
	if got := s.All(r, "clients", nil); len(got) != len(tables) {
		t.Errorf("%d clients are left of %d", len(got), len(tables))
	}
}

// textsOf are the text parameters of a report: the free ones together, in one query, and each that takes only some
// texts alone.
func textsOf(rep *reports.Report) (groups [][]string) {
	var free []string
	for _, p := range rep.Params {
		switch {
		case p.Type == "String" && (p.Name == "as_of" || p.Name == "tz"):
			if rep.Name == "updates" || thorough { // one place reads them for all
				groups = append(groups, []string{p.Name})
			}
		case p.Type != "String" || p.Name == "failing": // a pattern may be refused as a pattern
		case limited(rep, p.Name):
			groups = append(groups, []string{p.Name})
		default:
			free = append(free, p.Name)
		}
	}
	if len(free) > 0 {
		groups = append(groups, free)
	}
	return groups
}

// limited says that a parameter takes only some texts: one of a few, or what can name a client.
func limited(rep *reports.Report, name string) bool {
	return slices.ContainsFunc(rep.Params, func(p reports.Param) bool {
		return p.Name == name &&
			(len(p.Allowed) > 0 || name == "client")
	})
}

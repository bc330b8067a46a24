package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// hostile is what a compromised client may write into every text of its report.
var hostile = []string{
	"=cmd|' /C calc'!A0", "+1+1", "-2+3+cmd", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1", "＝1+1", "%0A=1", "|calc",
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `{{.}}`, `</title></table>`,
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "a\rb", "a\nb", "a\x00b", "\u202egnp.exe", "a\u200bb", "\x7f",
	`'); DROP TABLE clients; --`, `{topic_type:UInt32}`, `\`, `\'`, "`", `"a","b"`, "a;b", "\xff\xfe", strings.Repeat("x", 3000),
}

// hostileSite stores every hostile text as a computer's name, a topic id and a parameter.
func hostileSite(t *testing.T) *seed { return storeHostile(t, hostile) }

// told are the hostile texts where a client each takes long: those that do harm by how they begin are on their own, and so is the one
// that is cut. The others do harm wherever they stand: they come together, as many as are shown of a name.
func told() (texts []string) {
	begin := slices.IndexFunc(hostile, func(text string) bool { return strings.HasPrefix(text, "<") })
	last := len(hostile) - 1
	texts = append(slices.Clone(hostile[:begin]), hostile[last])
	together := ""
	for _, text := range hostile[begin:last] {
		if len(together)+len(text) > 60 {
			texts, together = append(texts, together), ""
		}
		together += text
	}
	return append(texts, together)
}

func storeHostile(t *testing.T, texts []string) *seed {
	s := newSeed(t)
	for n, text := range texts {
		s.reports(report{client: n, name: text, received: hour, file: text})
		s.messages(message{client: n, serial: 1, ago: hour, topic: 402, id: text, state: 11, params: []string{text, "0x80240022", text}, file: text})
	}
	s.exec(`INSERT INTO bad_files (name, code, reason, set_aside_time) VALUES ({name:String}, {name:String}, {name:String}, now64(3))`, named(map[string]string{"name": hostile[10]})...)
	return s
}

func hostileRows(t *testing.T, r *Runner) *Rows {
	t.Helper()
	rows, err := r.Run(t.Context(), "clients-in-state", map[string]string{"topic_type": "402", "state_id": "11"}, Page{})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestNoOutputLetsHostileTextOut(t *testing.T) {
	s := hostileSite(t)
	r := s.runner()
	t.Run("csv: no cell is a formula, and every text is still there", func(t *testing.T) {
		var out bytes.Buffer
		if err := Write(&out, CSV, hostileRows(t, r), nil); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(lines) != len(hostile)+1 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, line := range lines[1:] {
			for i, cell := range line {
				trimmed := strings.TrimLeft(cell, " \t\r\n\u00a0")
				if numericCell := lines[0][i] == "serial"; !numericCell && trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@|%") || strings.HasPrefix(trimmed, "＝") {
					t.Errorf("cell %q", cell)
				}
			}
		}
	})
	t.Run("table: nothing but printable characters and line ends", func(t *testing.T) {
		var out bytes.Buffer
		if err := Write(&out, Table, hostileRows(t, r), r.Freshness(t.Context())); err != nil {
			t.Fatal(err)
		}
		for _, c := range out.String() {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Fatalf("the table holds %U", c)
			}
		}
		if got := strings.Count(out.String(), "\n"); got > len(hostile)+12 {
			t.Errorf("%d lines: a value broke a line", got)
		}
	})
	t.Run("json and jsonl: valid, and every valid text as it was", func(t *testing.T) {
		var out bytes.Buffer
		if err := Write(&out, JSON, hostileRows(t, r), r.Freshness(t.Context())); err != nil {
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
		for _, text := range hostile {
			if !found[strings.ToValidUTF8(text, "\ufffd")] {
				t.Errorf("%.40q is missing or changed", text)
			}
		}
		out.Reset()
		if err := Write(&out, JSONL, hostileRows(t, r), nil); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != len(hostile) {
			t.Errorf("jsonl has %d lines", n)
		}
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q", line)
			}
		}
	})
	t.Run("explanations and traces: nothing but printable characters and line ends, no formula, valid JSON", func(t *testing.T) {
		texts := told()
		s := storeHostile(t, texts)
		r := s.runner()
		for n, text := range texts {
			explanation, err := r.Explain(t.Context(), id(n).String(), &Topic{402, text})
			if err != nil {
				t.Fatal(err)
			}
			trace, err := r.Trace(t.Context(), id(n).String(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if trace.Verdict != "current" {
				t.Errorf("%.40q: %s", text, trace.Verdict)
			}
			for _, c := range explanation.String() + trace.String() {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Fatalf("%.40q: the text holds %U", text, c)
				}
			}
			var sheet, object bytes.Buffer
			if err := errors.Join(WriteExplanation(&sheet, CSV, explanation), WriteTrace(&sheet, CSV, trace), WriteExplanation(&object, JSONL, explanation), WriteTrace(&object, JSONL, trace)); err != nil {
				t.Fatal(err)
			}
			lines := csv.NewReader(&sheet)
			lines.FieldsPerRecord = -1
			cells, err := lines.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, cell := range slices.Concat(cells...) {
				if trimmed := strings.TrimLeft(cell, " \t\r\n"); trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@|%") {
					t.Errorf("cell %q", cell)
				}
			}
			for line := range strings.Lines(object.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%q", line)
				}
			}
		}
	})
	t.Run("pages: no element or attribute comes from data", func(t *testing.T) {
		site := serveSeeded(t, s)
		for _, page := range []string{"/", "/reports/clients-in-state?topic_type=402&state_id=11", "/reports/clients?name=%3Cscript%3Ealert(1)%3C/script%3E",
			"/reports/compliance?topic_type=402", "/reports/bad-files", "/reports/client-states?client=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/reports/%3Cscript%3E",
			"/reports/failing-clients?topic_type=402&state_id=11&code=0x80240022", "/reports/clients?min_age_hours=%3Cscript%3Ealert(1)%3C/script%3E", "/panels/set-aside",
			"/completeness", "/clients/" + id(10).String() + "?serial=1&topic=402%2F%3Cscript%3Ealert(1)%3C/script%3E", "/clients/" + id(11).String() + "?serial=%3Cscript%3Ealert(1)%3C/script%3E",
			"/clients/%3Cscript%3Ealert(1)%3C%2Fscript%3E"} {
			body := fetch(t, site+page)
			for _, bad := range []string{"<script>alert", "<img src=x", "onmouseover='alert", "onerror=alert(1)>", `href="javascript:`, "\x1b", "</title></table>"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s holds %s", page, bad)
				}
			}
		}
	})
}

// fetch returns a page's body.
func fetch(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestParquetComesBackAsItWas(t *testing.T) {
	s := hostileSite(t)
	r := s.runner()
	var out bytes.Buffer
	if err := r.WriteReport(t.Context(), &out, Parquet, "clients-in-state", map[string]string{"topic_type": "402", "state_id": "11"}, Page{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(out.Bytes(), []byte("PAR1")) || !bytes.HasSuffix(out.Bytes(), []byte("PAR1")) {
		t.Fatalf("%d bytes are no parquet file: %.60q", out.Len(), out.Bytes())
	}
	s.exec("CREATE TABLE back (netbios_name String, serial UInt64, params Array(String)) ENGINE = Memory")
	if err := s.store.Conn().InsertFormat(t.Context(), "Parquet", "INSERT INTO back (netbios_name, serial, params)", &out); err != nil {
		t.Fatal(err)
	}
	var same uint64
	if err := s.store.Conn().QueryRow(t.Context(), `SELECT count() FROM back AS b JOIN clients AS c ON b.netbios_name = c.netbios_name WHERE b.params[1] = c.netbios_name`).Scan(&same); err != nil {
		t.Fatal(err)
	}
	if int(same) != len(hostile) {
		t.Errorf("%d of %d rows came back as they were", same, len(hostile))
	}
}

func TestNoParameterReachesTheQueryAsText(t *testing.T) {
	s := fleet(t)
	r := s.runner()
	tables := s.all(r, "clients", nil)
	for _, rep := range r.Catalog().List() {
		for _, names := range textsOf(rep) {
			for _, text := range []string{`') OR 1=1 --`, `\') OR 1=1 --`, `' UNION SELECT 1`, hostile[25], `{topic_type:UInt32}`, "a\x00\t\nb", "\xff", `\N`} {
				params := requiredParams(rep)
				for _, name := range names {
					params[name] = text
				}
				rows, err := r.Run(t.Context(), rep.Name, params, Page{Limit: 5})
				if err != nil {
					of := strings.Contains(err.Error(), "has to be one of") || strings.Contains(err.Error(), "names no client")
					if refused := limited(rep, names[0]) && of; !refused && !strings.Contains(err.Error(), "is not UTF-8") {
						t.Errorf("%s %q=%.40q: %v", rep.Name, names, text, err)
					}
					continue
				}
				if got := readRows(t, rows); rep.Name == "clients" && len(got) > 0 {
					t.Errorf("%s %q=%.40q found %d rows", rep.Name, names, text, len(got))
				}
			}
		}
	}
	if got := s.all(r, "clients", nil); len(got) != len(tables) {
		t.Errorf("%d clients are left of %d", len(got), len(tables))
	}
}

// textsOf are the text parameters of a report: the free ones together, in one query, and each that takes only some texts alone.
func textsOf(rep *Report) (groups [][]string) {
	var free []string
	for _, p := range rep.Params {
		switch {
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
func limited(rep *Report, name string) bool {
	return slices.ContainsFunc(rep.Params, func(p Param) bool { return p.Name == name && (len(p.Allowed) > 0 || name == "client") })
}

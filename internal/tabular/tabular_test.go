package tabular

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
)

// hostile is what a client may write into every text of its report.
var hostile = []string{
	"=cmd|' /C calc'!A0", "+1+1", "-2+3+cmd", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1", "\u00a0=1", "\ufeff=1", "\u200b=1",
	"\x00-1", "＝1+1", "%0A=1", "|calc",
	"<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u009b31m", "\u0085", "\x9b31m", "a\rb",
	"a\nb", "a\x00b", "\x7f",
	"\u202egnp.exe", "\u2066x\u2069", "a\u200bb", "a\u2028b", "a\u2029b", "\U000e0041", "\u061c", "\xff\xfe", `"a","b"`,
	"a;b", strings.Repeat("x", 300),
}

func write(t *testing.T, f Format, columns []Column, rows [][]any, o Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, f, columns, rows, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestNoFormatLetsHostileTextOut(t *testing.T) {
	rows := make([][]any, len(hostile))
	for i, text := range hostile {
		rows[i] = []any{text, []any{text}, Object{{text, text}}, map[string]string{"a": text}, int64(-1)}
	}
	columns := append(Named(hostile[:4]...), Column{Name: "n"})
	for _, f := range []Format{Table, JSON, JSONL, CSV} {
		out := write(t, f, columns, rows, Options{})
		for _, c := range out {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("%s holds %U", f, c)
			}
		}
		if lines := strings.Count(out, "\n"); lines > len(rows)+3 {
			t.Errorf("%s: %d lines: a value broke a line", f, lines)
		}
	}
	cells, err := csv.NewReader(strings.NewReader(write(t, CSV, columns, rows, Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range cells {
		for i, cell := range line {
			if bare := strings.TrimSpace(cell); bare != "" && strings.ContainsAny(bare[:1], "=+-@|%") && !(n > 0 && i == 4) ||
				strings.HasPrefix(bare, "＝") {
				t.Errorf("line %d holds the cell %q", n, cell)
			}
		}
	}
}

func TestJSONKeepsEveryText(t *testing.T) {
	for _, text := range hostile {
		var back []struct{ A, B string }
		out := write(t, JSON, Named("a", "b"), [][]any{{text, "x"}}, Options{})
		if err := json.Unmarshal([]byte(out), &back); err != nil || back[0].A != strings.ToValidUTF8(text, "\ufffd") {
			t.Errorf("%q came back as %q: %v", text, back, err)
		}
	}
}

func TestCSVKeepsNumbers(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"a decimal below zero", Number("-0.05"), "-0.05"},
		{"a wide number below zero", Number("-5"), "-5"},
		{"a number of JSON", json.Number("-1.500"), "-1.500"},
		{"an integer", -5, "-5"},
		{"a float", -0.5, "-0.5"},
		{"a small float", -1e-9, "-1e-09"},
		{"a great float", 1e300, "1e+300"},
		{"no float: infinity", mustFloat(t, "+Inf"), "inf"},
		{"text that looks like a number keeps its guard", "-5", "'-5"},
		{"none", nil, ""},
		{"never", time.Time{}, ""},
		{"a time", time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC), "2026-01-31T12:00:00.123456789Z"},
		{"a time elsewhere", time.Date(2026, 1, 31, 12, 0, 0, 0, time.FixedZone("", 3600)), "2026-01-31T11:00:00Z"},
		{"a date", Date("1900-01-01"), "1900-01-01"},
		{"a duration", 90 * time.Second, "1m30s"},
		{"a pointer to none", (*uint64)(nil), ""},
		{"a list", []any{Number("-1"), nil, "=x"}, `["-1",null,"=x"]`},
	} {
		if got := csvText(Plain(c.value)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func mustFloat(t *testing.T, text string) float64 {
	t.Helper()
	f, err := json.Number(text).Float64()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestShapes(t *testing.T) {
	rows := [][]any{{1, "a", 2.5}, {-20, nil, nil}}
	columns := Named("n", "text", "f")
	for f, want := range map[Format]string{
		CSV:   "n,text,f\n1,a,2.5\n-20,,\n",
		JSONL: `{"n": 1, "text": "a", "f": 2.5}` + "\n" + `{"n": -20, "text": null, "f": null}` + "\n",
		JSON:  "[\n  " + `{"n": 1, "text": "a", "f": 2.5},` + "\n  " + `{"n": -20, "text": null, "f": null}` + "\n]\n",
		Table: "   n  text    f \n────────────────\n   1  a     2.5 \n -20            \n",
	} {
		if got := write(t, f, columns, rows, Options{}); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", f, got, want)
		}
	}
	var out bytes.Buffer
	w, err := New(&out, JSON, columns, Options{List: "rows", Head: []Field{{"title", "T"}}})
	if err != nil || w.Row(rows[0]) != nil || w.End(Field{"more", true}) != nil {
		t.Fatal(err)
	}
	if want := `{"title": "T", "rows": [` + "\n  " + `{"n": 1, "text": "a", "f": 2.5}` + "\n" + `], "more": true}` +
		"\n"; out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
	if got := write(t, JSON, columns, nil, Options{}); got != "[]\n" {
		t.Errorf("no rows: %q", got)
	}
}

func TestARecordIsOneObjectOneRowOrAListOfItsFields(t *testing.T) {
	fields := []Field{{"files", 3}, {"why", "=x\n"}}
	for f, want := range map[Format]string{
		CSV: "files,why\n3,'=x\\n\n", JSON: `{"files": 3, "why": "=x\n"}` + "\n", JSONL: `{"files": 3, "why": "=x\n"}` + "\n",
		Table: " files  3\n why    =x\\n\n",
	} {
		var out bytes.Buffer
		if err := WriteRecord(&out, f, fields); err != nil || out.String() != want {
			t.Errorf("%s: %q, want %q, %v", f, &out, want, err)
		}
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	for _, name := range []string{"", "xml", "tables"} {
		if _, err := ParseFormat(name); err == nil {
			t.Errorf("%q is taken", name)
		}
		if _, err := New(&bytes.Buffer{}, Format(name), nil, Options{}); err == nil {
			t.Errorf("a writer of %q", name)
		}
	}
	for _, name := range Formats() {
		if f, err := ParseFormat(strings.ToUpper(name)); err != nil || string(f) != name {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestATableShowsWhatFits(t *testing.T) {
	out := write(t, Table, Named("text"), [][]any{{strings.Repeat("ä", 90)}}, Options{MaxCell: 80})
	if !strings.Contains(out, " "+strings.Repeat("ä", 79)+"… ") {
		t.Error(out)
	}
	if out = write(t, Table, Named("text"), [][]any{{strings.Repeat("ä", 90)}}, Options{}); !strings.Contains(out,
		strings.Repeat("ä", 90)) {
		t.Error(out)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = &json.UnsupportedValueError{Str: "disk"}

func TestAWriteThatFailsIsAnError(t *testing.T) {
	for _, name := range Formats() {
		if err := Write(broken{}, Format(name), Named("a"), [][]any{{1}}, Options{}); err == nil ||
			!strings.Contains(err.Error(), "disk") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		safe := SpreadsheetSafe(text)
		if strings.TrimPrefix(safe, "'") != TerminalSafe(text) && safe != TerminalSafe(text) {
			t.Errorf("%q became %q", text, safe)
		}
		if bare := strings.TrimSpace(safe); bare != "" && strings.ContainsAny(bare[:1], "=+-@|%") {
			t.Errorf("%q stays a formula: %q", text, safe)
		}
		for _, c := range safe + string(jsonOf(text)) {
			if !unicode.IsPrint(c) {
				t.Errorf("%q shows %U", text, c)
			}
		}
	})
}

package reports

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAHeaderThatIsWrongNamesFileLineAndWhatToWrite(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"no title", "a.sql", "-- description: x\nSELECT 1", "a.sql:1: the header has no `-- title"},
		{"a misspelt key", "a.sql", "-- title: x\n-- discription: y\nSELECT 1", `a.sql:2: unknown header key "discription"`},
		{"a file name that is no report name", "My Report.sql", "-- title: x\nSELECT 1",
			"My Report.sql:1: a report's file name is lower-case"},
		{"no query", "a.sql", "-- title: x\n", "a.sql:3: there is no query"},
		{"not a SELECT", "a.sql", "-- title: x\n\nDROP TABLE clients", "a.sql:3: a report is one SELECT"},
		{"two statements", "a.sql", "-- title: x\nSELECT 1;\nDROP TABLE clients", "a.sql:3: a report is one statement"},
		{"two statements on one line", "a.sql", "-- title: x\nSELECT 1; DROP TABLE clients",
			"a.sql:2: a report is one statement"},
		{"a part that there is not", "a.sql", "-- title: x\n-- with: ../wanted\nWITH\n a AS (SELECT 1) SELECT 1",
			`a.sql:2: with: there is no part "../wanted"`},
		{"a part and no place for it", "a.sql", "-- title: x\n-- with: bounds\nSELECT 1",
			"a.sql:2: with: the query needs a line WITH"},
		{"a part's parameter is not declared", "a.sql", "-- title: x\n-- with: wanted\nWITH\n 1 AS one\nSELECT 1",
			"a.sql:3: {client:String} isn't declared"},
		{"lines below a part keep their numbers", "a.sql",
			"-- title: x\n-- param client String: c\n-- with: wanted\nWITH\n 1 AS one\nSELECT {n:UInt8}",
			"a.sql:6: {n:UInt8} isn't declared"},
		{"an undeclared placeholder", "a.sql", "-- title: x\nSELECT 1\n WHERE {n:UInt8} = 1",
			"a.sql:3: {n:UInt8} isn't declared: add `-- param n UInt8"},
		{"another type than declared", "a.sql", "-- title: x\n-- param n UInt16 = 1: y\nSELECT {n:UInt8}",
			"a.sql:3: {n:UInt8} has another type than the header gives it (UInt16)"},
		{"a parameter nobody reads", "a.sql", "-- title: x\n-- param n UInt16 = 1: y\nSELECT 1 -- {n:UInt16}",
			"a.sql:3: parameter n is declared, but"},
		{"an unknown type", "a.sql", "-- title: x\n-- param n Int128 = 1: y\nSELECT {n:Int128}",
			"a.sql:2: parameter n has type \"Int128\": use UInt8"},
		{"a default its type refuses", "a.sql", "-- title: x\n-- param n UInt8 = 256: y\nSELECT {n:UInt8}",
			"a.sql:2: parameter n: the default is refused: has to be a whole number from 0 to 255"},
		{"a default outside the range", "a.sql", "-- title: x\n-- param n UInt8 = 9 in 1..5: y\nSELECT {n:UInt8}",
			"a.sql:2: parameter n: the default is refused: has to be from 1 to 5"},
		{"a default that isn't allowed", "a.sql", "-- title: x\n-- param n String = 'c' in a, b: y\nSELECT {n:String}",
			"a.sql:2: parameter n: the default is refused: has to be one of: a, b"},
		{"a parameter twice", "a.sql", "-- title: x\n-- param n UInt8 = 1: y\n-- param n UInt8 = 1: y\nSELECT {n:UInt8}",
			"a.sql:3: parameter n is declared twice"},
		{"a parameter without a colon", "a.sql", "-- title: x\n-- param n UInt8 = 1\nSELECT {n:UInt8}",
			"a.sql:2: write `-- param name Type"},
		{"a parameter under a name of the API", "a.sql", "-- title: x\n-- param limit UInt8 = 1: y\nSELECT {limit:UInt8}",
			"a.sql:2: the name limit is taken"},
		{"an order without types", "a.sql", "-- title: x\n-- order: a, b\nSELECT 1 AS a",
			"a.sql:2: write `-- order: column Type [desc]"},
		{"an order by an unknown type", "a.sql", "-- title: x\n-- order: a Nullable(String)\nSELECT 1 AS a",
			"a.sql:2: order column a has type"},
		{"an order column twice", "a.sql", "-- title: x\n-- order: a String, a String\nSELECT 1 AS a",
			"a.sql:2: column a stands twice"},
		{"a page of its own without an order", "a.sql", "-- title: x\nSELECT 1 LIMIT {page_rows:UInt64}",
			"a.sql:2: a query with {page_rows:UInt64} also needs an order"},
		{"a page of its own that can't be continued", "a.sql",
			"-- title: x\n-- order: a String\nSELECT 1 WHERE {after:UInt8} LIMIT {page_rows:UInt64}",
			"a.sql:3: a query with {page_rows:UInt64} also needs {after_a:String}"},
		{"a cursor of no order column", "a.sql", "-- title: x\n-- order: a String\nSELECT {after_b:String}",
			"a.sql:3: {after_b:String} names a column that isn't in the header's order"},
		{"bars of two columns", "a.sql", "-- title: x\n-- bars: a, b\nSELECT 1", "a.sql:2: write `-- bars: GROUP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseReport(c.file, c.text)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s…", err, c.want)
			}
		})
	}
}

func TestAHeaderIsReadAsWritten(t *testing.T) {
	text := "\ufeff-- title: Ours: the best\r\n-- Written by the desk team, see https://example.net/x\r\n-- " +
		"https://example.net/y\r\n" +
		"-- description: First\r\n--   and second.\r\n" +
		"-- param since DateTime64(3,'UTC') = 2025-01-31: From\r\n--   when on\r\n" +
		"-- param kind String = 'a b' in 'a b', c: Which\r\n" +
		"-- order: at DateTime64(3,'UTC') desc, name String\r\n-- note name: its\r\n--   name\r\n" +
		"SELECT toDateTime64(0, 3, 'UTC') AS at, 'x;{y:String}' AS name -- ; {z:String}\r\n" +
		"WHERE at > { since : DateTime64(3, 'UTC') } AND {kind:String} != '' /* ; */;\r\n"
	r, err := parseReport("dir/our-report.sql", text)
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "our-report" || r.Title != "Ours: the best" || r.Description != "First and second." ||
		r.Group != UserGroup {
		t.Errorf("%+v", r)
	}
	if len(r.Params) != 2 || r.Params[0].Description != "From when on" || r.Params[0].Default != "2025-01-31" ||
		r.Params[1].Default != "a b" || len(r.Params[1].Allowed) != 2 {
		t.Errorf("%+v", r.Params)
	}
	if len(r.Order) != 2 || !r.Order[0].Desc || r.Order[0].Type != "DateTime64(3,'UTC')" || r.Notes["name"] != "its name" {
		t.Errorf("%+v %+v", r.Order, r.Notes)
	}
	if strings.HasSuffix(r.Query, ";") || !strings.HasPrefix(r.Query, "SELECT") {
		t.Errorf("%q", r.Query)
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestABadFileOfTheFolderBreaksNoOther(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "good.sql"), "-- title: Good\nSELECT 1 AS one")
	writeFile(t, filepath.Join(dir, "bad.sql"), "-- title: Bad\nSELECT {n:UInt8}")
	writeFile(t, filepath.Join(dir, "compliance.sql"), "-- title: Mine\nSELECT 1")
	writeFile(t, filepath.Join(dir, "notes.txt"), "no report")
	writeFile(t, filepath.Join(dir, ".hidden.sql"), "no report")
	if err := os.Mkdir(filepath.Join(dir, "folder.sql"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := LoadCatalog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Get("good"); err != nil || r.Title != "Good" {
		t.Errorf("%v %v", r, err)
	}
	if r, err := c.Get("compliance"); err != nil || r.Source != "built-in" {
		t.Errorf("a file replaced a built-in report: %v %v", r, err)
	}
	problems := errors.Join(c.Problems()...).Error()
	if len(c.Problems()) != 2 || !strings.Contains(problems, "bad.sql:2: ") ||
		!strings.Contains(problems, "compliance.sql:1: the name") {
		t.Errorf("%v", problems)
	}
}

func TestTheFolderIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	c, err := LoadCatalog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get("ours"); !errors.Is(err, ErrNoReport) {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ours.sql")
	writeFile(t, file, "-- title: One\nSELECT 1")
	if r, err := c.Get("ours"); err != nil || r.Title != "One" {
		t.Fatalf("%v %v", r, err)
	}
	writeFile(t, file, "-- title: Two\nSELECT 1")
	if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Get("ours"); err != nil || r.Title != "Two" {
		t.Fatalf("%v %v", r, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get("ours"); !errors.Is(err, ErrNoReport) {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if len(c.Problems()) != 1 {
		t.Errorf("a folder that went away: %v", c.Problems())
	}
	if _, err := c.Get("compliance"); err != nil {
		t.Errorf("built-in reports went with the folder: %v", err)
	}
}

func TestParametersAreCheckedByType(t *testing.T) {
	for _, c := range []struct{ typ, in, out, err string }{
		{"UInt8", "255", "255", ""}, {"UInt8", "256", "", "from 0 to 255"}, {"UInt8", "-1", "", "from 0 to 255"},
		{"UInt8", "", "", "from 0 to 255"},
		{"UInt64", "18446744073709551615", "18446744073709551615", ""},
		{"UInt64", "18446744073709551616", "", "from 0 to 18446744073709551615"},
		{"UInt32", "0x10", "", "whole number"}, {"UInt32", "1 OR 1=1", "", "whole number"}, {"UInt32", " 7 ", "7", ""},
		{"Int64", "-5", "-5", ""}, {"Int64", "1e3", "", "whole number"}, {"Float64", "1.5", "1.5", ""},
		{"Float64", "much", "", "number"},
		{"Bool", "TRUE", "true", ""}, {"Bool", "yes", "", "true or false"},
		{"UUID", "GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4", "f1b03089-9ea1-4a64-83dc-5f8e77bddeb4", ""},
		{"UUID", "f1b030899ea14a6483dc5f8e77bddeb4", "", "GUID"},
		{"UUID", "{f1b03089-9ea1-4a64-83dc-5f8e77bddeb4}", "f1b03089-9ea1-4a64-83dc-5f8e77bddeb4", ""},
		{"Date", "2025-01-31", "2025-01-31", ""}, {"Date", "2025-01-31T23:30:00-02:00", "2025-02-01", ""},
		{"Date", "31.1.2025", "", "a time such as"},
		{"DateTime", "2025-01-31T08:00:00Z", "2025-01-31 08:00:00", ""},
		{"DateTime64(3,'UTC')", "2025-01-31 08:00:00.1239", "2025-01-31 08:00:00.123", ""},
		{"DateTime64(0)", "2025-01-31", "2025-01-31 00:00:00", ""},
		{"DateTime64(6,'UTC')", "2025-01-31", "2025-01-31 00:00:00.000000", ""},
		{"String", "'; DROP TABLE x --", "'; DROP TABLE x --", ""}, {"String", "a\xff", "", "UTF-8"},
		{"String", strings.Repeat("x", 5000), "", "longer"},
	} {
		got, err := Param{Name: "p", Type: c.typ}.value(c.in)
		if got != c.out || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %.40q: got %q, %v; want %q, %s", c.typ, c.in, got, err, c.out, c.err)
		}
	}
}

func TestTheEndsOfARangeAreInIt(t *testing.T) {
	p := Param{Name: "p", Type: "Int64", Low: "-1", High: "400"}
	for in, ok := range map[string]bool{"-2": false, "-1": true, "0": true, "400": true, "401": false} {
		if _, err := p.value(in); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestParametersAreRequiredKnownAndFilledIn(t *testing.T) {
	r := &Report{Name: "r", Params: []Param{{Name: "a", Type: "UInt8", Required: true, Description: "which"},
		{Name: "b", Type: "String", Default: "x"}}}
	if got, err := r.values(map[string]string{"a": "1"}); err != nil || got["b"] != "x" {
		t.Errorf("%v %v", got, err)
	}
	for want, given := range map[string]map[string]string{
		"report r: parameter a is required: which":                                     {},
		`report r: parameter "c" is unknown: this report takes a, b`:                   {"a": "1", "c": "2"},
		"report r: parameter a has to be a whole number from 0 to 255":                 {"a": "x"},
		`report r: parameter "a'" is unknown: this report takes a, b; did you mean a?`: {"a": "1", "a'": "1"},
	} {
		if _, err := r.values(given); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestConfigNamesEveryWrongValueAtOnce(t *testing.T) {
	err := Config{Listen: "0.0.0.0:80", Dir: "/nowhere/at/all"}.Validate()
	for _, key := range []string{"listen", "dir", "max_rows", "timeout", "max_memory", "max_queries", "refresh"} {
		if err == nil || !strings.Contains(err.Error(), "reports."+key) {
			t.Errorf("reports.%s is missing in: %v", key, err)
		}
	}
	for addr, ok := range map[string]bool{
		"": true, "127.0.0.1:8080": true, "127.9.9.9:1": true, "[::1]:8080": true, "localhost:0": true,
		"[::ffff:127.0.0.1]:1": true,
		":8080":                false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:8080": false,
		"localhost.example.net:80": false,
		"8080":                     false, "site:80": false,
	} {
		c := DefaultConfig()
		c.Listen = addr
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", addr, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzParseReport(f *testing.F) {
	entries, err := builtIn.ReadDir("sql")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		text, err := builtIn.ReadFile("sql/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("-- title: x\nSELECT '{a:String}' /* {b:UInt8")
	f.Add("-- title: x\n-- param a String = 'x' in 'x', 'y': z\nSELECT {a:String}")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReport("fuzz.sql", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.sql:") {
				t.Errorf("an error without file and line: %v", err)
			}
			return
		}
		// What was accepted can be asked for with nothing but its required parameters.
		given := map[string]string{}
		for _, p := range r.Params {
			if p.Required {
				given[p.Name] = p.Low
			}
		}
		if _, err := r.values(given); err != nil && len(given) == 0 {
			t.Errorf("defaults are refused: %v", err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	r := &Report{Name: "r", Order: []OrderBy{{"a", "String", false}, {"b", "UInt64", true}}}
	f.Add(r.encodeCursor(nil, []string{"x'", "7"}))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		after, err := r.decodeCursor(text, nil)
		if err != nil || after == nil {
			return
		}
		again, err := r.decodeCursor(r.encodeCursor(nil, after), nil)
		if err != nil || again[0] != after[0] || again[1] != after[1] {
			t.Errorf("%q: %v, then %v %v", text, after, again, err)
		}
	})
}

// Every parameter that a query reads is known, wherever it stands in the parts it begins with: one that is not is not
// given, and a report that does not say that it reads the end of a day is counted from the history for seconds.
func TestAReportKnowsTheParametersOfItsParts(t *testing.T) {
	catalog, err := LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, report := range catalog.List() {
		for _, m := range placeholderForm.FindAllStringSubmatch(report.Query, -1) {
			given := slices.ContainsFunc(report.Params, func(p Param) bool { return p.Name == m[1] })
			if _, known := hiddenTypes[m[1]]; !known || given {
				continue
			}
			if seen++; !slices.Contains(report.hidden, m[1]) {
				t.Errorf("%s reads {%s}, and does not know it", report.Name, m[1])
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d parameters were looked at", seen)
	}
}

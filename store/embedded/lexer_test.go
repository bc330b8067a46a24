package embedded

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTokensSkipCommentsAndKeepTextsWhole(t *testing.T) {
	tests := []struct{ name, sql, want string }{
		{"words and signs", "SELECT a,b", "SELECT|a|,|b"},
		{"line comment", "SELECT 1 -- FORMAT x\n+2", "SELECT|1|+|2"},
		{"block comment", "SELECT /* ; */ 1", "SELECT|1"},
		{"text with doubled quote", "SELECT 'it''s; x'", "SELECT|'it''s; x'"},
		{"text with escaped quote", `SELECT 'a\'; b'`, `SELECT|'a\'; b'`},
		{"quoted name loses its quotes", "SELECT `a b`, \"c\"", "SELECT|a b|,|c"},
		{"open text reaches to the end", "SELECT 'abc", "SELECT|'abc"},
		{"open comment reaches to the end", "SELECT /* abc", "SELECT"},
		{"nothing", " \n\t", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, tok := range tokens(tt.sql) {
				got = append(got, tok.text)
			}
			if g := strings.Join(got, "|"); g != tt.want {
				t.Errorf("got %s, want %s", g, tt.want)
			}
		})
	}
}

func FuzzTokensCoverTheStatement(f *testing.F) {
	for _, s := range []string{"SELECT 'a' -- x\n FROM `t`;", "/* */ # x", "'\\", "\"", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		end := 0
		for _, tok := range tokens(sql) {
			if tok.start < end || tok.start >= len(sql) {
				t.Fatalf("token %q starts at %d, after %d, in %q", tok.text, tok.start, end, sql)
			}
			end = tok.start + 1
		}
	})
}

func TestParseRequest(t *testing.T) {
	tests := []struct {
		name, method, query, body string
		check                     func(*statement) bool
	}{
		{"the driver's insert takes its rows from the body", "POST", "query=INSERT+INTO+t+(a)+FORMAT+Native", "x",
			func(s *statement) bool {
				return s.rows != nil && s.format == "Native" && s.sql == "INSERT INTO t (a) "
			}},
		{"an insert of VALUES takes its rows from the body", "POST", "query=INSERT+INTO+t+VALUES", "(1)",
			func(s *statement) bool { return s.rows != nil && s.format == "Values" }},
		{"an insert with its rows inline is one text", "POST", "", "INSERT INTO t FORMAT CSV\n1;2\n",
			func(s *statement) bool { return s.rows == nil && strings.HasSuffix(s.sql, "1;2\n") }},
		{"URL and body join", "POST", "query=SELECT", "1",
			func(s *statement) bool { return s.sql == "SELECT\n1" }},
		{"an end sign is dropped", "POST", "default_format=Native", "SELECT 1 ; ",
			func(s *statement) bool { return s.sql == "SELECT 1 " && s.native && s.returns }},
		{"a format of its own is no Native answer", "POST", "default_format=Native", "SELECT 1 FORMAT JSON",
			func(s *statement) bool { return !s.native }},
		{"a column called format is no format", "POST", "default_format=Native", "SELECT format FROM t",
			func(s *statement) bool { return s.native }},
		{"GET only reads", "GET", "query=SELECT+1", "", func(s *statement) bool { return s.session.readonly }},
		{"readonly=2 only reads", "POST", "readonly=2", "SELECT 1", func(s *statement) bool { return s.session.readonly }},
		{"parameters and settings are told apart", "POST", "param_x=1&max_threads=2&compress=0&query_id=q", "SELECT 1",
			func(s *statement) bool {
				return s.params["x"] == "1" && len(s.session.settings) == 1 && s.session.settings["max_threads"] == "2" &&
					s.queryID == "q"
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request(t, tt.method, tt.query, tt.body)
			s, err := parse(req, false)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(s) {
				t.Errorf("understood %+v", s)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, query, body string }{
		{"two statements", "", "SELECT 1; DROP TABLE t"},
		{"no statement", "", " -- nothing\n"},
		{"a setting that is no name", "a%20b=1", "SELECT 1"},
		{"a wish to leave the console", "", "exit"},
		{"a protocol version that is no number", "client_protocol_version=x", "SELECT 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := parse(request(t, "POST", tt.query, tt.body), false); err == nil {
				t.Errorf("understood %+v", s)
			}
		})
	}
}

func request(t testing.TB, method, query, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x/?"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := url.ParseQuery(query); err != nil {
		t.Fatal(err)
	}
	return req
}

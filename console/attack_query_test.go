package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// injections are texts that mean something else to an engine that reads them as SQL. Each has a name that nothing else
// has, so that an engine's complaint about it would show.
var injections = []string{
	`') UNION ALL SELECT zzsleuth() --`,
	`'; DROP TABLE state_messages; SELECT {zzsleuth:String}, '`,
	"\\'||zzsleuth()||\\'`zzsleuth`\x00\n;",
}

// asSQL is how the engine would complain about a text that it took for SQL, or about a name in it.
var asSQL = regexp.MustCompile(`(?i)DB::|exception|engine code|syntax error|unknown (function|identifier|table)|` +
	`UNKNOWN_|expected one of|failed at position|substitution .* is not set`)

// thorough says that there is time for every text in every place, as `make attack` has it.
func thorough() bool { return os.Getenv("STATEWIRE_TEST_LONG") != "" }

// looked are parameters that are looked up before a report runs: none of these texts is found.
var looked = map[string]bool{"collection": true, "group": true, "subject": true}

func TestAttackSQLInEveryParameter(t *testing.T) {
	seed := reportstest.Fleet(t)
	h := handler(t, seed, func(p *parts) { p.cfg.Hosts = nil })
	catalog, err := reports.LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	stored, asked := countRows(t, seed), 0
	ask := func(target string) {
		t.Helper()
		asked++
		w := get(t, h, target)
		var p Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if w.Code != http.StatusOK && (err != nil || w.Code < 400 || w.Code > 499) {
			t.Errorf("%s: %d %.300s", target, w.Code, w.Body)
		}
		if w.Code != http.StatusOK && (asSQL.MatchString(p.Detail) || p.Code == "syntax" || p.Code == "query") {
			t.Errorf("%s was read as SQL: %s %s", target, p.Code, p.Detail)
		}
	}
	for _, report := range catalog.List() {
		given := url.Values{"limit": {"1"}}
		for name, value := range reportstest.RequiredParams(report) {
			given.Set(name, value)
		}
		names, texts := []string{}, injections
		if !thorough() {
			texts = texts[asked%len(texts):][:1]
		}
		if thorough() || asked%5 == 0 { // every report takes these the same way
			names = append(names, "limit", "cursor", "format", "param", "sort")
		}
		together := maps.Clone(given)
		for _, param := range report.Params {
			if free := param.Type == "String" && len(param.Allowed) == 0 && !looked[param.Name]; free && !thorough() {
				together.Set(param.Name, texts[0])
				continue
			}
			names = append(names, param.Name)
		}
		ask("/api/v1/reports/" + report.Name + "?" + together.Encode())
		for _, name := range names {
			was, had := given[name]
			for _, text := range texts {
				given.Set(name, text)
				if name == "param" {
					given.Set(name, text+"="+text)
				}
				ask("/api/v1/reports/" + report.Name + "?" + given.Encode())
			}
			if given.Del(name); had {
				given[name] = was
			}
		}
		for _, text := range injections[:1] { // as a parameter's name
			ask("/api/v1/reports/" + report.Name + "?limit=1&" + url.QueryEscape(text) + "=1")
		}
	}
	for _, text := range injections {
		text = url.PathEscape(text)
		for _, target := range []string{"/api/v1/clients/" + text + "/explain", "/api/v1/clients/" + text + "/trace/1",
			"/api/v1/clients/" + id(1).String() + "/trace/" + text, "/api/v1/reports/" + text,
			"/api/v1/clients/" + id(1).String() + "/explain?topic=" + url.QueryEscape(text)} {
			ask(target)
		}
	}
	if asked < 200 {
		t.Errorf("only %d questions", asked)
	}
	if n := countRows(t, seed); n != stored {
		t.Errorf("the store has %d rows, had %d", n, stored)
	}
}

func TestAttackForeignNames(t *testing.T) {
	tokens := newTokens(t)
	h := handler(t, reportstest.NewSeed(t), func(p *parts) {
		p.pages.Tokens, p.cfg.Hosts = tokens, []string{"reports.example.net"}
	})
	token := bearer(tokens.make("admin").Token)
	named := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	for _, host := range []string{"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
		"evil.localhost", "localhost.", "127.0.0.1.", "2130706433", "0x7f.1", "0.0.0.0", "[::]", "10.0.0.1", "[fe80::1]",
		"reports.example.net.evil.example", "xreports.example.net", "reports.example.net@evil.example",
		"localhost@evil.example",
		"evil.example/localhost", "localhost:80:80", "[::1", "::1]x"} {
		for _, target := range []string{"/", "/api/v1/reports", "/healthz", "/metrics", "/nothing", "/static/statewire.css"} {
			w := get(t, h, target, named(host), token)
			if w.Code != http.StatusMisdirectedRequest || !strings.Contains(w.Body.String(), `"foreign_host"`) {
				t.Errorf("%s as %q: %d", target, host, w.Code)
			}
		}
	}
	for _, host := range []string{"localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]",
		"[::ffff:127.0.0.1]:80", "reports.example.net", "Reports.Example.net:443"} {
		w := get(t, h, "/api/v1/reports", named(host), token)
		if w.Code != http.StatusOK {
			t.Errorf("as %q: %d %s", host, w.Code, w.Body)
		}
		for header := range w.Header() { // a page of another site must not read the answer
			if strings.HasPrefix(header, "Access-Control-") {
				t.Errorf("as %q: %s", host, header)
			}
		}
	}
}

package console

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// scripts are texts of which each would run, where a page lets it out, and leave a mark in the page.
var scripts = []string{
	`<script>document.documentElement.setAttribute('pwned','1')</script>`,
	`"><img src=x onerror="document.documentElement.setAttribute('pwned','2')">`,
	`'><svg onload="document.documentElement.setAttribute('pwned','3')">`,
	`javascript:document.documentElement.setAttribute('pwned','4')`,
	`</title></textarea></style></script><script>document.documentElement.setAttribute('pwned','5')</script>`,
	`" autofocus onfocus="document.documentElement.setAttribute('pwned','6')" x="`,
}

// scriptSite has a script in every text that a client, a file or a person gives.
func scriptSite(t *testing.T) *reportstest.Seed {
	s := reportstest.StoreHostile(t, scripts)
	for n, text := range scripts {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text)
		client := id(n).String()
		for _, row := range []string{
			`bad_files (name, code, reason, set_aside_time) VALUES ('%', '%', '%', now64(3))`,
			`set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line, column,
				received_time, set_aside_time) VALUES ('@', '%', 0, 1, 2, '%', '%', 3, 4, now64(6), now64(3))`,
			`resync_requests (client_id, requested_time, requested_by, after_number) VALUES ('@', now64(6), '%', 0)`,
			`collections (name, revision, kind, query, changed_time, deleted) VALUES ('%', 2, 'list', '%', now64(6), 0)`,
			`collection_clients (name, revision, client_id) VALUES ('%', 2, '@')`,
			`policies (collection, revision, priority, topic_types, topic_paused, topic_interval_s, changed_time, deleted)
				VALUES ('%', 1, 1, [402], [1], [60], now64(6), 0)`,
		} {
			s.Exec("INSERT INTO " + strings.NewReplacer("%", quoted, "@", client).Replace(row))
		}
	}
	return s
}

func TestAttackScriptInEveryFieldThatAPageShows(t *testing.T) {
	if !thorough() {
		t.Skip("make attack runs it; other tests show hostile texts on each kind of page")
	}
	seed := scriptSite(t)
	site := serveSeeded(t, seed, func(p *parts) {
		p.pages.Notice = func() string { return scripts[0] + scripts[1] }
		p.pages.Version = scripts[2]
		p.pages.Alarm = func(context.Context) Alarm { return Alarm{Text: scripts[4] + scripts[5]} }
	})
	pages := []string{"/", "/completeness", "/reports", "/reports/" + url.PathEscape(scripts[0]),
		"/" + url.PathEscape(scripts[1]),
		"/clients/" + url.PathEscape(scripts[1]), "/clients/" + id(1).String() + "?serial=" + url.QueryEscape(scripts[5]) +
			"&topic=" + url.QueryEscape("402/"+scripts[0])}
	for n := range scripts[:3] {
		pages = append(pages, "/clients/"+id(n).String()+"?serial=1&topic="+url.QueryEscape("402/"+scripts[n]))
	}
	catalog, err := reports.LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	var inForm []string
	for _, report := range catalog.List() {
		query := url.Values{}
		for _, p := range report.Params {
			switch {
			case p.Name == "topic_type":
				query.Set(p.Name, "402")
			case p.Name == "state_id":
				query.Set(p.Name, "11")
			case p.Name == "client" && p.Required:
				query.Set(p.Name, id(1).String())
			case p.Required:
				query.Set(p.Name, "1")
			}
		}
		pages = append(pages, "/reports/"+report.Name+"?"+query.Encode())
		if len(inForm) < 3 && len(report.Params) > 0 { // the form is the same for all
			query.Set(report.Params[0].Name, scripts[5]+scripts[1])
			inForm = append(inForm, "/reports/"+report.Name+"?"+query.Encode())
		}
	}
	shown := ""
	var inBrowser []string
	for _, page := range append(pages, inForm...) {
		body := fetch(t, site+page)
		shown += body
		checkNoScript(t, page, body)
		if len(inBrowser) < 8 || strings.Contains(page, "bad-") || strings.HasPrefix(page, "/reports/clients") {
			inBrowser = append(inBrowser, page)
		}
	}
	for _, text := range scripts {
		if strings.Count(shown, html.EscapeString(text[:12])) < 5 {
			t.Errorf("the pages hardly show %s: the test proves nothing", text)
		}
	}
	b := openBrowser(t)
	for _, page := range inBrowser {
		dom, said := b.browse(site+page, 4*time.Second)
		if strings.Contains(dom, " pwned=") || strings.Contains(said, "Content Security Policy") ||
			strings.Contains(said, "exceptionThrown") {
			t.Errorf("%s: a script ran, or tried to: %.500s", page, said)
		}
		checkNoScript(t, page, dom)
	}
}

// checkNoScript finds elements and attributes that can only come from data.
func checkNoScript(t *testing.T, page, body string) {
	t.Helper()
	for node := range parsePage(t, body).Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		if node.Data == "script" && !strings.HasPrefix(attr(node, "src"), "/static/") ||
			node.Data == "img" && attr(node, "src") == "x" {
			t.Errorf("%s has a foreign element %s", page, node.Data)
		}
		for _, a := range node.Attr {
			value := strings.TrimSpace(strings.ToLower(a.Val))
			link := a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction"
			if strings.HasPrefix(a.Key, "on") || link && strings.HasPrefix(value, "javascript:") || a.Key == "pwned" {
				t.Errorf("%s has the attribute %s=%q", page, a.Key, a.Val)
			}
		}
	}
}

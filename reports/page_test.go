package reports

import (
	"cmp"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func parsePage(t *testing.T, page string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// words is all text below a node, with the labels of what has no text.
func words(n *html.Node) string {
	text := attr(n, "aria-label") + attr(n, "alt")
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text += d.Data
		} else {
			text += attr(d, "aria-label") + attr(d, "alt")
		}
	}
	return strings.TrimSpace(text)
}

// TestPagesAreWellMade holds every kind of page against the rules of safe and accessible pages.
func TestPagesAreWellMade(t *testing.T) {
	h := handler(t, patchDay(t))
	for name, page := range pagesToTry {
		w := get(t, h, page)
		if want := map[bool]int{true: http.StatusBadRequest, false: http.StatusOK}[name == "problem"]; w.Code != want {
			t.Errorf("%s: status %d", name, w.Code)
		}
		checkPage(t, name, parsePage(t, w.Body.String()))
	}
	for page, want := range map[string]int{"/nowhere": 404, "/reports/nothing": 404, "/panels/nothing": 404, "/static/nothing.js": 404} {
		if w := get(t, h, page); w.Code != want {
			t.Errorf("%s: status %d", page, w.Code)
		}
	}
}

func TestPagesOfClientsAreWellMade(t *testing.T) {
	s := tracedSite(t)
	s.reports(report{client: 40, name: "twin", received: hour, file: "a"}, report{client: 41, name: "TWIN", received: 2 * hour, file: "b"})
	h := handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
	for name, page := range clientPages {
		w := get(t, h, page)
		want := map[string]int{"client-unknown": http.StatusNotFound, "client-nobody": http.StatusNotFound, "client-many": http.StatusBadRequest}[name]
		if w.Code != cmp.Or(want, http.StatusOK) {
			t.Errorf("%s: status %d", name, w.Code)
		}
		doc := parsePage(t, w.Body.String())
		checkPage(t, name, doc)
		for n := range doc.Descendants() {
			if link := attr(n, "href"); n.Type == html.ElementNode && n.Data == "a" && (strings.HasPrefix(link, "/reports/") || strings.HasPrefix(link, "/clients/")) && name == "client-gap" {
				if w := get(t, h, strings.Split(link, "#")[0]); w.Code != http.StatusOK {
					t.Errorf("%s: %s: status %d", name, link, w.Code)
				}
			}
		}
	}
}

func checkPage(t *testing.T, name string, doc *html.Node) {
	t.Helper()
	ids, headings := map[string]bool{}, 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		checkElement(t, name, n)
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("%s: the id %s stands twice", name, id)
			}
			ids[id] = true
		}
		if n.Data == "h1" {
			headings++
		}
	}
	if headings != 1 || !ids["content"] {
		t.Errorf("%s: %d first headings", name, headings)
	}
}

func checkElement(t *testing.T, name string, n *html.Node) {
	t.Helper()
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("%s: <%s %s>: style and script stand in files", name, n.Data, a.Key)
		}
		if (a.Key == "href" || a.Key == "src" || a.Key == "action" || strings.HasPrefix(a.Key, "hx-get")) && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
			t.Errorf("%s: <%s %s=%q> leads elsewhere", name, n.Data, a.Key, a.Val)
		}
	}
	switch n.Data {
	case "style":
		t.Errorf("%s: an inline style", name)
	case "script":
		if attr(n, "src") == "" || n.FirstChild != nil {
			t.Errorf("%s: an inline script", name)
		}
	case "a", "button":
		if words(n) == "" {
			t.Errorf("%s: a link or button without words: %v", name, n.Attr)
		}
	case "input", "select":
		if attr(n, "aria-label") == "" && (n.Parent == nil || n.Parent.Data != "label") {
			t.Errorf("%s: a field without a label: %v", name, n.Attr)
		}
	case "th":
		if attr(n, "scope") == "" {
			t.Errorf("%s: a table head without scope", name)
		}
	case "html":
		if attr(n, "lang") == "" {
			t.Errorf("%s: no language", name)
		}
	}
}

func TestEachFigureLeadsToTheReportBehindIt(t *testing.T) {
	h := handler(t, patchDay(t))
	doc := parsePage(t, get(t, h, "/").Body.String())
	links := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" {
			links[attr(n, "href")] = true
		}
	}
	for link := range links {
		if strings.HasPrefix(link, "/reports/") {
			if w := get(t, h, link); w.Code != http.StatusOK {
				t.Errorf("%s: status %d", link, w.Code)
			}
		}
	}
	for _, want := range []string{"/reports/compliance?topic_type=500", "/reports/clients-in-state?state_id=2&topic_type=500", "/reports/throughput", "/reports/report-age",
		"/reports/clients?max_age_hours=1&min_age_hours=0", "/reports/failing-clients?code=0x80240022&state_id=11&topic_type=402", "/reports/bad-files?hours=24"} {
		if !links[want] {
			t.Errorf("no link to %s", want)
		}
	}
}

func TestReportPagesHaveFormDownloadsAndPager(t *testing.T) {
	h := handler(t, patchDay(t))
	body := get(t, h, "/reports/clients?name=PC&limit=20").Body.String()
	for _, want := range []string{`name="min_age_hours"`, `value="PC"`, `/api/v1/reports/clients?format=csv&amp;name=PC`, `Next page`, "20 rows on this page, more follow", "SELECT"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	doc := parsePage(t, body)
	next := ""
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" && strings.Contains(attr(n, "href"), "cursor=") {
			next = attr(n, "href")
		}
	}
	second := get(t, h, next).Body.String()
	if !strings.Contains(second, "First page") || !strings.Contains(second, "20 rows on this page") {
		t.Errorf("%s: %.300s", next, second)
	}
	if body := get(t, h, "/reports/client-states").Body.String(); !strings.Contains(body, "Fill in the required fields") {
		t.Error("a first visit is told off instead of asked")
	}
	if body := get(t, h, "/reports/compliance?topic_type=300").Body.String(); !strings.Contains(body, `class="stack"`) || !strings.Contains(body, "/reports/unknown-clients?topic_id=%7BDEPLOY-2025-11%7D&amp;topic_type=300") {
		t.Error("no bars, or the Unknown bucket leads nowhere")
	}
}

func TestPagesSayHowLongAgoAndExactlyWhen(t *testing.T) {
	s := brokenClients(t)
	h := handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
	exact := clockAt(s.now.Add(-20 * hour))
	if body := get(t, h, "/panels/incomplete").Body.String(); !strings.Contains(body, `title="`+exact+`">20 h ago</time>`) {
		t.Errorf("a range that is missing since %s: %s", exact, body)
	}
	if body := get(t, h, "/clients/"+id(5).String()).Body.String(); !strings.Contains(body, `<span class="value">1 h ago</span>`) {
		t.Errorf("the client's latest report: %s", body)
	}
}

func TestASerialLeadsToItsTrace(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	s.messages(message{client: 1, serial: 7, ago: hour, topic: 500, id: "a", state: 2}, message{client: 1, ago: hour, topic: 9003, id: "instant", state: 2})
	body := get(t, handler(t, s.seed), "/reports/messages?client=PC-0001").Body.String()
	if !strings.Contains(body, `<a href="/clients/`+id(1).String()+`?serial=7">7</a>`) || strings.Contains(body, "serial=0") {
		t.Errorf("%s", body)
	}
}

func TestAResyncThatANewerOneReplacedIsNotToCome(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	s.issued(1, 1, "missing", 10, 3*day)
	s.issued(1, 2, "requested", 10, hour)
	body := get(t, handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) }), "/clients/"+id(1).String()).Body.String()
	if strings.Count(body, "to come") != 3 || strings.Count(body, "never came") != 3 || strings.Count(body, `resync-row open`) != 1 {
		t.Errorf("%s", body)
	}
}

func TestTheLastHourHasTheRunningMinute(t *testing.T) {
	s := newSeed(t)
	s.reports(report{client: 1, name: "A", file: "a", messages: 25}, report{client: 1, name: "A", file: "b", received: 2 * hour / 3, messages: 4000},
		report{client: 1, name: "A", file: "c", received: hour + hour/30, messages: 1})
	body := get(t, handler(t, s), "/").Body.String()
	for _, want := range []string{"4,025 in the last hour", "Last hour: 4,025 messages in 2 reports."} {
		if !strings.Contains(body, want) {
			t.Errorf("the dashboard does not say %q: %s", want, body)
		}
	}
}

// A client that is well, and of whose state on a topic nothing is known.
func TestAPageSaysWhatItsTopicIs(t *testing.T) {
	s := tracedSite(t)
	h := handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
	if body := get(t, h, "/clients/PC-0013?topic=500%2Fother").Body.String(); !strings.Contains(body, `verdict unknown`) || !strings.Contains(body, "<small>topic 500/other</small>") {
		t.Errorf("a topic of which it never said anything: %s", body)
	}
	if body := get(t, h, "/clients/PC-0013?topic=other").Body.String(); !strings.Contains(body, "The topic could not be read") || strings.Contains(body, "<small>topic other</small>") {
		t.Errorf("no topic: %s", body)
	}
}

func TestAClientWithoutANameStillLeadsToItsPage(t *testing.T) {
	s := newSite(t)
	s.polled(1, 5, 5, 5, hour)
	s.missing(1, 1, 5, hour)
	if body := get(t, handler(t, s.seed), "/reports/missing-ranges").Body.String(); !strings.Contains(body, `<a href="/clients/`+id(1).String()+`">(no name)</a>`) || !strings.Contains(body, "<td>never</td>") {
		t.Errorf("%s", body)
	}
}

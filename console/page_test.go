package console

import (
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
	for page, want := range map[string]int{"/nowhere": 404, "/reports/nothing": 404, "/panels/nothing": 404,
		"/static/nothing.js": 404} {
		if w := get(t, h, page); w.Code != want {
			t.Errorf("%s: status %d", page, w.Code)
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
		if (a.Key == "href" || a.Key == "src" || a.Key == "action" || strings.HasPrefix(a.Key, "hx-get")) &&
			!strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
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

func TestReportPagesHaveFormDownloadsAndPager(t *testing.T) {
	h := handler(t, patchDay(t))
	body := get(t, h, "/reports/clients?name=PC&limit=20").Body.String()
	for _, want := range []string{`name="min_age_hours"`, `value="PC"`, `/api/v1/reports/clients?format=csv&amp;name=PC`,
		`Next page`, "20 rows on this page, more follow", "SELECT"} {
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
	if body := get(t, h, "/reports/unknown-clients?topic_type=300").Body.String(); strings.Contains(body, "`statewire") ||
		!strings.Contains(body, `>statewire explain CLIENT --topic</code>`) {
		t.Error("a command in a report's description shows its backquotes")
	}
	if body := get(t, h, "/reports/client-states").Body.String(); !strings.Contains(body, "Fill in the required fields") {
		t.Error("a first visit is told off instead of asked")
	}
	if body := get(t, h, "/reports/compliance?topic_type=300").Body.String(); !strings.Contains(body, `class="stack"`) ||
		!strings.Contains(body, "/reports/clients-in-state?state_id=1&amp;topic_id=%7BDEPLOY-2025-11%7D&amp;topic_type=300") {
		t.Error("no bars, or a state leads nowhere")
	}
}

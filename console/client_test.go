package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"statewire/internal/humanize"
	"statewire/reports/reportstest"
)

// TestOnlyWhatTheClientLeftOutIsUnconfirmed looks at the badges of a client's page.
func TestOnlyWhatTheClientLeftOutIsUnconfirmed(t *testing.T) {
	s := reportstest.BrokenClients(t)
	s.Messages(message{Client: 10, Serial: 40, Ago: 90 * time.Minute, Topic: 500, ID: "first-of-the-answer", State: 2},
		message{Client: 10, Ago: 90 * time.Minute, Topic: 777, ID: "instant", State: 2})
	h := handler(t, s.Seed, watched(s))
	const row, badge = `<tr class="unconfirmed">`, `>unconfirmed</span>`
	body := get(t, h, "/clients/"+id(10).String()).Body.String()
	_, marked, _ := strings.Cut(body, row)
	marked, _, _ = strings.Cut(marked, "</tr>")
	if strings.Count(body, row) != 1 || strings.Count(body, badge) != 1 || !strings.Contains(marked, badge) ||
		!strings.Contains(marked, "gone") {
		t.Errorf("the row that is marked: %s", marked)
	}
	if body := get(t, h, "/clients/"+id(13).String()).Body.String(); strings.Contains(body, row) ||
		strings.Contains(body, badge) {
		t.Errorf("a client that left nothing out: %s", body)
	}
}

// TestARunThatJumpedIsApart: of 1 to 10 and 5,000,000 only 9 is lost, one of eleven.
func TestARunThatJumpedIsApart(t *testing.T) {
	s := reportstest.Jumped(t)
	if body := get(t, handler(t, s.Seed, watched(s)), "/clients/PC-0001").Body.String(); !strings.Contains(body,
		"90.9 %") {
		t.Errorf("%s", body)
	}
}

// TestPagesOfClientsAreWellMade has one site for all of its looks: to make it takes longer than a page.
func TestPagesOfClientsAreWellMade(t *testing.T) {
	s, site := brokenSite(t)
	h := handler(t, s.Seed, watched(s))
	for name, page := range clientPages {
		w := get(t, h, page)
		want := map[string]int{"client-unknown": http.StatusNotFound, "client-nobody": http.StatusNotFound,
			"client-many": http.StatusBadRequest}[name]
		if w.Code != cmp.Or(want, http.StatusOK) {
			t.Errorf("%s: status %d", name, w.Code)
		}
		doc := parsePage(t, w.Body.String())
		checkPage(t, name, doc)
		checkSaid(t, name, w.Body.String())
		if name == "client-gap" {
			follow(t, h, doc)
		}
	}
	t.Run("in a browser", func(t *testing.T) { clientsInABrowser(t, site) })
}

// checkSaid looks for what a page of these names has to say.
func checkSaid(t *testing.T, name, body string) {
	t.Helper()
	for _, want := range map[string][]string{
		"client-gap": {"67 messages of PC-0007 are missing", "answer.SMX", `class="serials"`, "Picked up",
			"first noticed"},
		"client-unconfirmed": {"unconfirmed", "Closed: the client sent everything"},
		"completeness":       {"ring-value", "Least complete clients", "PC-0012", "Gap checks"},
		"complete-dashboard": {`id="panel-complete"`, "ring-value"},
		"client-many":        {"Serials are whole numbers"}, "client-twins": {"2 clients are called twin"},
		"client-unknown": {"has never heard of"}, "client-nobody": {"No client of this site is called NOBODY"},
	}[name] {
		if !strings.Contains(body, want) {
			t.Errorf("%s has no %s", name, want)
		}
	}
}

// follow goes to where a page's links lead: one for each path and set of parameters, as their values differ only.
func follow(t *testing.T, h http.Handler, doc *html.Node) {
	t.Helper()
	followed := map[string]bool{}
	for n := range doc.Descendants() {
		link, _, _ := strings.Cut(attr(n, "href"), "#")
		to, err := url.Parse(link)
		if n.Type != html.ElementNode || n.Data != "a" || err != nil ||
			!strings.HasPrefix(link, "/reports/") && !strings.HasPrefix(link, "/clients/") {
			continue
		}
		like := to.Path + " " + strings.Join(slices.Sorted(maps.Keys(to.Query())), " ")
		if followed[like] {
			continue
		}
		followed[like] = true
		if w := get(t, h, link); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", link, w.Code)
		}
	}
	if len(followed) < 5 {
		t.Errorf("only %v were followed", followed)
	}
}

func TestPagesSayHowLongAgoAndExactlyWhen(t *testing.T) {
	s := reportstest.BrokenClients(t)
	h := handler(t, s.Seed, watched(s))
	exact := humanize.Clock(s.Now.Add(-20 * hour))
	if body := get(t, h, "/panels/incomplete").Body.String(); !strings.Contains(body,
		`title="`+exact+`">20 h ago</time>`) {
		t.Errorf("a range that is missing since %s: %s", exact, body)
	}
	if body := get(t, h, "/clients/"+id(5).String()).Body.String(); !strings.Contains(body,
		`<span class="value">1 h ago</span>`) {
		t.Errorf("the client's latest report: %s", body)
	}
}

func TestASerialLeadsToItsTrace(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	s.Messages(message{Client: 1, Serial: 7, Ago: hour, Topic: 500, ID: "a", State: 2},
		message{Client: 1, Ago: hour, Topic: 9003, ID: "instant", State: 2})
	body := get(t, handler(t, s.Seed), "/reports/messages?client=PC-0001").Body.String()
	if !strings.Contains(body, `<a href="/clients/`+id(1).String()+`?serial=7">7</a>`) ||
		strings.Contains(body, "serial=0") {
		t.Errorf("%s", body)
	}
}

func TestAResyncThatANewerOneReplacedIsNotToCome(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	s.Issued(1, 1, "missing", 10, 3*day)
	s.Issued(1, 2, "requested", 10, hour)
	body := get(t, handler(t, s.Seed, watched(s)), "/clients/"+id(1).String()).Body.String()
	if strings.Count(body, "to come") != 3 || strings.Count(body, "never came") != 3 ||
		strings.Count(body, `resync-row open`) != 1 {
		t.Errorf("%s", body)
	}
}

// A client that is well, and of whose state on a topic nothing is known.
func TestAPageSaysWhatItsTopicIs(t *testing.T) {
	s := reportstest.TracedSite(t)
	h := handler(t, s.Seed, watched(s))
	if body := get(t, h, "/clients/PC-0013?topic=500%2Fother").Body.String(); !strings.Contains(body, `verdict unknown`) ||
		!strings.Contains(body, "<small>topic 500/other</small>") {
		t.Errorf("a topic of which it never said anything: %s", body)
	}
	if body := get(t, h, "/clients/PC-0013?topic=other").Body.String(); !strings.Contains(body,
		"The topic could not be read") || strings.Contains(body, "<small>topic other</small>") {
		t.Errorf("no topic: %s", body)
	}
}

func TestAClientWithoutANameStillLeadsToItsPage(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Polled(1, 5, 5, 5, hour)
	s.Missing(1, 1, 5, hour)
	if body := get(t, handler(t, s.Seed), "/reports/missing-ranges").Body.String(); !strings.Contains(body,
		`<a href="/clients/`+id(1).String()+`">(no name)</a>`) || !strings.Contains(body, "never</div></td>") {
		t.Errorf("%s", body)
	}
}

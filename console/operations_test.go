package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// The list shows each operation with its counts, whether it waits for somebody, and that everything is stopped.
func TestThePageOfOperationsShowsHowFarTheyAre(t *testing.T) {
	q := someTasks()
	h, _ := taskSite(t, q)
	body := get(t, h, "/operations").Body.String()
	for _, want := range []string{`<a href="/operations/13">13 Statewire.Utility.TestEvent</a>`, "for collection pilot",
		"by local:0", "5 of 7 at an end", "Waits for a second person", "At an end", `hx-get="/operations"`,
		`<a href="/operations/13?step=failed">failed</a> <b>1</b>`,
		`<a href="/operations/13?step=queued">offline</a> <b>1</b>`,
		`aria-label="13 Statewire.Utility.TestEvent: succeeded 3,`, "0 of 2,000 at an end"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if strings.Contains(body, "Nothing is sent") || !slices.Contains(q.asked, "list false 101") {
		t.Errorf("%q: %s", q.asked, body)
	}
	q.stopped = &TaskStop{Since: q.list[0].Created, Actor: "local:0", Reason: "<i>fire</i>"}
	body = get(t, h, "/operations?open=true").Body.String()
	if !strings.Contains(body, "Nothing is sent: local:0 stopped all tasks at") || strings.Contains(body, "<i>fire") ||
		!strings.Contains(body, "statewire notify resume") || !slices.Contains(q.asked, "list true 101") {
		t.Errorf("%q: %s", q.asked, body)
	}
	q.list = nil
	if body = get(t, h, "/operations").Body.String(); !strings.Contains(body, "statewire notify TestEvent --all") {
		t.Errorf("nobody asked for anything: %s", body)
	}
	q.away = errors.New("dial unix /secret")
	w := get(t, h, "/operations")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "/secret") ||
		!strings.Contains(w.Body.String(), "does not answer") || strings.Contains(w.Body.String(), "Nobody has asked") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	q.list = someTasks().list
	if !strings.Contains(w.Body.String(), `<a href="/reports/client-operations">What the store has</a>`) ||
		!strings.Contains(get(t, h, "/operations/13").Body.String(),
			`<a href="/reports/task-steps?task=13">What the store has</a>`) ||
		get(t, h, "/reports/task-steps?task=13").Code != http.StatusOK ||
		get(t, h, "/reports/client-operations").Code != 200 {
		t.Errorf("no way to what the tables have: %s", w.Body)
	}
	if w := get(t, h, "/operations?opne=true"); w.Code != http.StatusBadRequest {
		t.Errorf("a misspelt parameter: %d", w.Code)
	}
}

// One operation shows its clients, those that need somebody first, in pages.
func TestThePageOfAnOperationShowsItsClients(t *testing.T) {
	q := someTasks()
	h, _ := taskSite(t, q)
	body := get(t, h, "/operations/13").Body.String()
	order := []string{">3</td>", "refused: bad_parameter (Text)", "running", "queued: offline", "succeeded"}
	rest, found := body[strings.Index(body, "<tbody>"):], true
	for _, want := range order {
		if _, rest, found = strings.Cut(rest, want); !found {
			t.Errorf("no %s in its place in %s", want, body)
		}
	}
	for _, want := range []string{"&lt;script&gt;alert(1)&lt;/script&gt; …", "server 1", `hx-get="/operations/13"`,
		"Text is &#34;&lt;b&gt;hello&lt;/b&gt;&#34;.", "Reason: a &#39;test&#39;", ">2026-08-01 13:00:00Z</span>, or never",
		"1 result came when the site waited no longer", "/clients/" + reportstest.ID(1).String()} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	body = get(t, h, "/operations/13?step=succeeded").Body.String()
	if strings.Count(body, "/clients/") != 3 || !strings.Contains(body, `hx-get="/operations/13?step=succeeded"`) {
		t.Errorf("one step: %s", body)
	}
	if body := get(t, h, "/operations/11").Body.String(); strings.Contains(body, `hx-get="/operations`) {
		t.Error("what is over is asked for again and again")
	}
	if body := get(t, h, "/operations/12").Body.String(); !strings.Contains(body, "statewire tasks approve 12") ||
		!strings.Contains(body, "Somebody else than token:7Q2M") {
		t.Errorf("no word of the second person: %s", body)
	}
	for target, status := range map[string]int{"/operations/99": 404, "/operations/13?step=x": 400,
		"/operations/13?cursor=x": 400,
		"/operations/13?page=2":   400} {
		if w := get(t, h, target); w.Code != status {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	many := q.steps["succeeded"][0]
	q.steps["succeeded"] = nil
	for n := range 2 * pageRows {
		many.Client = reportstest.ID(1000 + n)
		q.steps["succeeded"] = append(q.steps["succeeded"], many)
	}
	body = get(t, h, "/operations/13").Body.String()
	_, next, _ := strings.Cut(body, `<nav class="pager" aria-label="Pages"><a href="`)
	next, _, _ = strings.Cut(next, `"`)
	second := get(t, h, next).Body.String()
	if strings.Count(body, "/clients/") != pageRows || strings.Count(second, "/clients/") != pageRows ||
		!strings.Contains(second, `<a href="/operations/13" role="button" class="outline">First page</a>`) {
		t.Errorf("%d and %d clients behind %q", strings.Count(body, "/clients/"), strings.Count(second, "/clients/"), next)
	}
}

// What one client was asked is shown with its computer's name, where a report told it; and the page says how to have
// all that a task wrote.
func TestAnOperationNamesItsClientAndTheWayToItsOutput(t *testing.T) {
	q := someTasks()
	known, unknown := explain.WireID(reportstest.ID(1)), explain.WireID(reportstest.ID(999_999))
	q.list[0].For, q.list[2].For = "client "+known, "client "+unknown
	h, _ := taskSite(t, q)
	for _, path := range []string{"/operations", "/operations/13"} {
		if body := get(t, h, path).Body.String(); !strings.Contains(body, "for client PC001 ") ||
			strings.Contains(body, "for client "+known) {
			t.Errorf("%s: %s", path, body)
		}
	}
	for path, has := range map[string]bool{"/operations/13": true, "/operations/11": true, "/operations/12": false} {
		body := get(t, h, path).Body.String()
		if strings.Contains(body, "statewire tasks show "+path[len("/operations/"):]+" --output") != has {
			t.Errorf("%s: %s", path, body)
		}
	}
	if body := get(t, h, "/operations/11").Body.String(); !strings.Contains(body, "for client "+unknown) {
		t.Errorf("a client without a name: %s", body)
	}
	if q.list[0].For != "client "+known {
		t.Error("the manager's own answer was changed")
	}
}

func operationsRun(t *testing.T, b *browser) {
	q := someTasks()
	site := serveSeeded(t, reportstest.Fleet(t), func(p *parts) { p.cfg.Refresh = time.Second }, withTasks(q))
	for page, want := range map[string]string{"/operations": "5 of 7 at an end",
		"/operations/13": "refused: bad_parameter"} {
		q.asked, q.by = nil, nil
		dom, console := b.browse(site+page, 2500*time.Millisecond)
		if console != "" || !strings.Contains(dom, want) {
			t.Errorf("%s: the console says %q: %s", page, console, dom)
		}
		if asked := max(len(q.asked), len(q.by)/11); asked < 2 || strings.Count(dom, `id="operation`) != 1 {
			t.Errorf("%s: asked %d times in more than two seconds of page time: %s", page, asked, dom)
		}
	}
}

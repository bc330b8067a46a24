package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

// olderSite is a site of eight machines with twelve days of history: an update that they needed ten days ago and that
// all but three have by now, a deployment and a baseline. Its days are counted.
func olderSite(t *testing.T) *reportstest.Seed {
	s := reportstest.NewSeed(t)
	var told []message
	var heard []report
	for c := 1; c <= 8; c++ {
		serial := uint64(0)
		say := func(days int, topic uint32, topicID string, state uint32) {
			serial++
			told = append(told, message{Client: c, Serial: serial, Ago: time.Duration(days)*day + hour, Topic: topic,
				ID: topicID, State: state})
		}
		say(12, 501, "apt", 3)
		say(10, 500, "{KB-OLD}", 2)
		say(9, 401, "Baseline-TLS", 1+uint32(c%2))
		say(8, 300, "{ROLLOUT}", 2)
		if c > 3 {
			say(c, 500, "{KB-OLD}", 3)
		}
		if c%2 == 0 {
			say(2, 300, "{ROLLOUT}", 1)
		}
		for _, ago := range []time.Duration{12*day + hour, hour} {
			heard = append(heard, report{Client: c, Name: fmt.Sprintf("PC-%04d", c), Received: ago,
				File: fmt.Sprintf("f%d-%d.SMX", c, ago), Messages: uint32(serial)})
		}
	}
	s.Reports(heard...)
	s.Messages(told...)
	s.Exec(`INSERT INTO collections (name, revision, kind, deleted) VALUES ('pilot', 1, 'list', 0)`)
	s.Exec(`INSERT INTO collection_clients (name, revision, client_id)
		SELECT 'pilot', 1, client_id FROM clients_seen WHERE client_id < toUUID('` + id(5).String() + `')`)
	if err := summary.New(time.Minute, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPagesAreAsOfADate(t *testing.T) {
	s := olderSite(t)
	h := handler(t, s)
	on := func(days int) string { return s.Now.AddDate(0, 0, -days).Format(time.DateOnly) }
	then, band := "as_of="+on(6), "As of "+s.Now.AddDate(0, 0, -6).Format("2 January 2006")+", end of day (UTC)."
	const kb = "/subjects/update/%7BKB-OLD%7D"
	for page, wants := range map[string][]string{
		"/": {`id="days-trend"`, `href="/compliance?as_of=` + on(1) + `"`, `href="/reports/compliance-trend"`,
			"/api/v1/reports/compliance-trend?days=90&amp;format=csv&amp;kind=machine",
			"37.5\u00a0% compliant, 5 machines not compliant"},
		"/compliance": {"3 of 8 machines", "62.5\u00a0%", `type="date" name="as_of" value="" max="` + on(1) + `"`},
		"/compliance?" + then: {"0 of 8 machines", "37.5\u00a0%", `<a href="/compliance">Show now</a>`,
			"Members are today&#39;s.", `href="/compliance?` + then + `&amp;tab=deployments"`,
			`href="` + kb + `?` + then + `"`, `href="/api/v1/reports/updates?` + then + `&amp;format=csv"`,
			`name="as_of" value="` + on(6) + `"`},
		"/compliance?tab=deployments&" + then: {"{ROLLOUT}", "0\u00a0%", "not compliant</a> <b>8</b>"},
		"/compliance?tab=baselines&" + then:   {"Baseline-TLS", "50\u00a0%", "compliant</a> <b>4</b>"},
		kb: {"5 &#43; 3 = 8", `id="days-trend"`, "3 machines remain. In 11 days: 8 newly required, 5 fixed.",
			"Machines needed it 8 times; 5 times it was fixed, half of them within 4\u00a0days", `data-daily`,
			"Make a collection of these", `href="` + kb + `?as_of=` + on(1) + `"`},
		kb + "?collection=pilot&" + then: {"4 = 4", "4 machines remain. In 5 days", "Machines needed it 4 times",
			`href="/clients/` + id(1).String() + `?` + then + `"`, `href="/compliance?` + then + `&amp;collection=pilot"`,
			`href="` + kb + `?` + then + `&amp;class=bad&amp;collection=pilot#machines"`},
		"/machines?" + then: {"need updates <b>8</b>", `href="/machines?` + then + `&amp;problem=failed"`,
			`href="/clients/` + id(2).String() + `?` + then, `href="/reports/client-states?` + then + `&amp;client=`},
		"/collections?" + then: {`href="/reports/machines?` + then + `&amp;collection=pilot"`},
		"/clients/PC-0005?" + then: {"required", "nothing said", `href="` + kb + `?` + then + `"`,
			`?` + then + `&amp;show=all#needs`, `href="/reports/client-states?` + then + `&amp;client=` + id(5).String()},
		"/clients/PC-0005": {`id="timeline"`, "Update is installed", "All changes",
			"Follow one message"},
		"/reports/updates?" + then:                      {"Show now", "37.5"},
		"/reports/client-states?client=PC-0005&" + then: {"Show now", "Update is required"},
		"/reports/compliance-trend":                     {"data-daily", "<td", "37.5"},
		"/reports/time-to-remediate":                    {`href="` + kb + `"`},
	} {
		w := get(t, h, page)
		body := w.Body.String()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %q: %s", page, want, mainOf(body))
			}
		}
		if w.Code != http.StatusOK || strings.Contains(body, band) != strings.Contains(page, then) ||
			strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: status %d: %s", page, w.Code, mainOf(body))
		}
		if strings.Contains(page, then) {
			for _, now := range []string{"statewire collection create", "Follow one message", `class="verdict`} {
				if strings.Contains(body, now) {
					t.Errorf("%s is not about now, and has %s", page, now)
				}
			}
		}
		checkPage(t, page, parsePage(t, body))
	}
	for page, want := range map[string]string{
		"/compliance?as_of=soon":                                  "as_of has to be a date",
		"/compliance?tab=other&as_of=soon":                        "as_of has to be a date",
		"/compliance?tab=baselines&as_of=" + on(6) + "T08:00:00Z": "Baselines are listed as of the end of a day",
		"/machines?as_of=" + on(0):                                "is not over yet",
		"/collections?as_of=2999-01-01":                           "lies in the future",
		"/subjects/update/%7BKB-OLD%7D?as_of=2001-01-01":          "lies before the stored history",
		"/clients/PC-0001?as_of=2999-01-01":                       "lies in the future",
		"/names?as_of=" + on(6):                                   "is unknown",
	} {
		if w := get(t, h, page); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, no %q: %s", page, w.Code, want, mainOf(w.Body.String()))
		}
	}
}

// mainOf is the content of a page.
func mainOf(body string) string {
	_, content, _ := strings.Cut(body, "<main")
	content, _, _ = strings.Cut(content, "</main>")
	return content
}

// daysAreDrawn looks at the charts, and at pages as of a date, on a desktop and on a phone. A reader has a table open
// while its panel is fetched anew.
func daysAreDrawn(t *testing.T, b *browser) {
	s := olderSite(t)
	site := serveSeeded(t, s, func(p *parts) { p.cfg.Refresh = time.Second })
	then := "?as_of=" + s.Now.AddDate(0, 0, -6).Format(time.DateOnly)
	said := b.ask(site+"/", `(async () => {
		const until = async ok => { for (let n = 0; n < 200 && !ok(); n++) await new Promise(done => setTimeout(done, 50)); };
		const panel = () => document.getElementById("panel-trend"), first = panel();
		await until(() => first.querySelector("canvas"));
		document.getElementById("days-trend").open = true;
		await until(() => panel() !== first && panel().querySelector("canvas"));
		return [panel() !== first, document.getElementById("days-trend").open, panel().querySelectorAll("canvas").length,
			panel().querySelector(".u-legend").textContent].join(" ");
	})()`)
	if want := "true true 1 Day–Compliant–Machines not compliant–"; said != want {
		t.Errorf("the panel fetched anew says %q, want %q", said, want)
	}
	subject := "/subjects/update/%7BKB-OLD%7D" + then
	if dom, console := b.browse(site+subject, time.Second); console != "" || strings.Count(dom, "<canvas") != 2 {
		t.Errorf("%s has %d charts; the console says: %s", subject, strings.Count(dom, "<canvas"), console)
	}
	looksFit(t, b, site, map[string]string{"subject-then": subject, "client-then": "/clients/PC-0005" + then,
		"compliance-then": "/compliance" + then, "time": "/subjects/deployment/%7BROLLOUT%7D" + then + "T08:00:00Z"}, nil)
}

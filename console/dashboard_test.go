package console

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"statewire/console/web"
	"statewire/reports"
	"statewire/reports/reportstest"
)

func TestPanelsOfCompletenessAnswerByThemselves(t *testing.T) {
	s := reportstest.BrokenClients(t)
	h := handler(t, s.Seed, watched(s))
	for panel, want := range map[string]string{
		"complete": "ring-value", "complete-tiles": "Counters went back", "incomplete": "PC-0005", "owed": "picked up",
		"fleet-complete": "16 of 22 clients", "ranges": "2 to 7 days", "checks": "incremental",
	} {
		if w := get(t, h, "/panels/"+panel); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) ||
			strings.Contains(w.Body.String(), "can't be read") {
			t.Errorf("%s: %d %s", panel, w.Code, w.Body)
		}
	}
}

// TestClientsOfWhichNothingIsStoredAreNotComplete has one complete client, two that gave out messages of which nothing
// is stored, one that gave out none, and one whose messages a check has found missing.
func TestClientsOfWhichNothingIsStoredAreNotComplete(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Arrived(1, 1, 10)
	s.Polled(1, 10, 10, 0, hour)
	s.Polled(2, 5, 5, 5, hour)
	s.Polled(3, 1, 1, 1, hour)
	s.Polled(4, 0, 0, 0, hour)
	s.Polled(5, 8, 8, 0, hour)
	s.Missing(5, 1, 8, hour)
	s.Checked(time.Minute)
	r := s.Runner()
	expect(t, lines(s.All(r, "completeness", nil), "percent", "clients", "complete_clients", "complete_percent",
		"incomplete_clients", "unstored_clients"), "40 | 5 | 2 | 40 | 1 | 2")
	s.Exec("ALTER TABLE missing_ranges DELETE WHERE 1")
	expect(t, lines(s.All(r, "completeness", nil), "percent", "complete_percent", "unstored_clients"), "40 | 40 | 3")
	h := handler(t, s.Seed, watched(s), func(p *parts) {
		p.reports.Backlog = func(context.Context) ([]reports.Box, error) {
			return []reports.Box{{Name: "normal", Files: 3}, {Name: "process", Files: 4}, {Name: "corrupt", Files: 9}}, nil
		}
	})
	if text := get(t, h, "/completeness").Body.String(); !strings.Contains(text, "2 of 5 clients are complete.") ||
		!strings.Contains(text, "Of 3 clients nothing is stored yet, though messages were given out. 7 files wait to be "+
			"loaded, and what they hold is not known here.") {
		t.Error(text)
	}
}

// TestColoursOfAgesAndShares has both sides of each threshold.
func TestColoursOfAgesAndShares(t *testing.T) {
	for share, want := range map[float64]web.Tone{100: web.ToneGood, 99.9: web.ToneGood, 99.89: web.ToneBusy,
		98: web.ToneBusy, 97.99: web.ToneBad, 0: web.ToneBad} {
		if got := completeTone(share); got != want {
			t.Errorf("%v %% is %s, want %s", share, got, want)
		}
	}
	for hours, want := range map[int]web.Tone{0: web.ToneGood, 23: web.ToneGood, 24: web.ToneBusy, 167: web.ToneBusy,
		168: web.ToneBad} {
		if got := ageTone(hours); got != want {
			t.Errorf("%d hours are %s, want %s", hours, got, want)
		}
	}
	s := reportstest.NewSite(t)
	for n, last := range []uint64{1000, 1000} { // one of 2,000 is missing: 99.95 in the mean of two clients
		s.Arrived(n+1, 1, last)
	}
	s.Missing(1, 500, 500, hour)
	s.Checked(time.Minute)
	if body := get(t, handler(t, s.Seed), "/completeness").Body.String(); !strings.Contains(body, "99.95 %") {
		t.Errorf("%s", body)
	}
}

// TestColoursOfABacklog has both sides of each threshold.
func TestColoursOfABacklog(t *testing.T) {
	for _, c := range []struct {
		box  reports.Box
		want web.Tone
	}{
		{reports.Box{Oldest: hour}, web.ToneGood}, {reports.Box{Files: 1, Name: "corrupt"}, web.ToneBad},
		{reports.Box{Files: manyFiles - 1, Oldest: time.Minute}, web.ToneGood},
		{reports.Box{Files: manyFiles}, web.ToneBusy}, {reports.Box{Files: 1, Oldest: time.Minute + 1}, web.ToneBusy},
		{reports.Box{Files: tooManyFiles - 1, Oldest: reports.StaleAfter}, web.ToneBusy},
		{reports.Box{Files: tooManyFiles}, web.ToneBad}, {reports.Box{Files: 1, Oldest: reports.StaleAfter + 1}, web.ToneBad},
	} {
		if got := boxTone(c.box); got != c.want {
			t.Errorf("%+v is %s, want %s", c.box, got, c.want)
		}
	}
}

func TestEachFigureLeadsToTheReportBehindIt(t *testing.T) {
	h := handler(t, patchDay(t))
	doc := parsePage(t, get(t, h, "/").Body.String())
	follow(t, h, doc)
	links := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" {
			links[attr(n, "href")] = true
		}
	}
	for _, want := range []string{"/reports/compliance?topic_type=500",
		"/reports/clients-in-state?state_id=2&topic_type=500", "/reports/throughput", "/reports/report-age",
		"/reports/clients?max_age_hours=1&min_age_hours=0",
		"/reports/failing-clients?code=0x80240022&state_id=11&topic_type=402", "/reports/bad-files?hours=24"} {
		if !links[want] {
			t.Errorf("no link to %s", want)
		}
	}
}

func TestTheLastHourHasTheRunningMinute(t *testing.T) {
	s := reportstest.NewSeed(t)
	s.Reports(report{Client: 1, Name: "A", File: "a", Messages: 25},
		report{Client: 1, Name: "A", File: "b", Received: 2 * hour / 3, Messages: 4000},
		report{Client: 1, Name: "A", File: "c", Received: hour + hour/30, Messages: 1})
	body := get(t, handler(t, s), "/").Body.String()
	for _, want := range []string{"4,025 in the last hour", "Last hour: 4,025 messages in 2 reports."} {
		if !strings.Contains(body, want) {
			t.Errorf("the dashboard does not say %q: %s", want, body)
		}
	}
}

// TestEveryFailureReadsAsBad keeps the report's idea of a failure and the pages' colours together.
func TestEveryFailureReadsAsBad(t *testing.T) {
	s := reportstest.NewSeed(t)
	r := s.Runner()
	rep, err := r.Catalog().Get("failures")
	if err != nil {
		t.Fatal(err)
	}
	failing := regexp.MustCompile(rep.Params[slices.IndexFunc(rep.Params,
		func(p reports.Param) bool { return p.Name == "failing" })].Default)
	count := 0
	for _, row := range s.All(r, "state-names", nil) {
		if name := row["state_name"]; failing.MatchString(name) {
			if count++; web.ToneOf(name) != web.ToneBad {
				t.Errorf("%s reads as %s", name, web.ToneOf(name))
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d failures", count)
	}
}

// Who reported 10 and 20 hours ago reported today; who did 30 hours ago or before did not.
func TestReportedTodayEndsAfterADay(t *testing.T) {
	h := handler(t, reportstest.Fleet(t))
	if body := get(t, h, "/panels/tiles").Body.String(); !strings.Contains(body, "2 clients in 24 hours") ||
		!strings.Contains(body, "40 %") {
		t.Errorf("the tiles are %s", body)
	}
}

// A dashboard without a client says how a first one comes to report, as text and not as markup; one with clients does
// not.
func TestAnEmptyDashboardSaysHowToBegin(t *testing.T) {
	s := reportstest.NewSite(t)
	h := handler(t, s.Seed, watched(s), func(p *parts) {
		p.pages.FirstSteps = []web.Step{{Where: "Here:", Command: "enroll --data '<d>'"}, {Where: "There:", Command: "run"}}
	})
	panel := func() string { return get(t, h, "/panels/compliance").Body.String() }
	if text := panel(); !strings.Contains(text, "No client has reported a state yet.") ||
		!strings.Contains(text, "<code>enroll --data &#39;&lt;d&gt;&#39;</code>") || !strings.Contains(text, "There:") {
		t.Error(text)
	}
	s = reportstest.BrokenClients(t)
	h = handler(t, s.Seed, watched(s), func(p *parts) {
		p.pages.FirstSteps = []web.Step{{Where: "Here:", Command: "enroll"}}
	})
	if text := panel(); strings.Contains(text, "Here:") {
		t.Error(text)
	}
}

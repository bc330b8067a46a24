package explain_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"statewire/internal/humanize"
	"statewire/reports"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// TestNoSentenceIsAGuess has clients of whom earlier sentences told what nobody knew.
func TestNoSentenceIsAGuess(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Checked(20 * time.Minute)
	s.Client(1, 0, hour) // 1 to 4 are missing: nothing can have come before
	s.Arrived(1, 5, 9)
	s.Missing(1, 1, 4, 10*time.Minute)
	s.Client(2, 0, hour) // 6 is missing: 5 came before
	s.Arrived(2, 1, 5, 7, 7)
	s.Messages(message{Client: 2, Serial: 5, Ago: 2 * hour, Topic: 500, ID: "a", State: 1})
	s.Missing(2, 6, 6, 10*time.Minute)
	s.Exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, set_aside_time) VALUES ('bad.SMX', 'x', 'y', '%s')",
		s.Micros(hour)[:23]))
	s.Client(3, 9, hour) // asked twice; the second time a moment ago
	s.Issued(3, 1, "requested", 10, 90*hour)
	s.Issued(3, 2, "requested", 10, 5*time.Second)
	s.Client(4, 9, hour) // asked three times
	s.Issued(4, 1, "requested", 10, 190*hour)
	s.Issued(4, 2, "requested", 10, 90*hour)
	s.Issued(4, 3, "requested", 10, 5*time.Second)
	s.Client(5, 9, hour) // asked once
	s.Issued(5, 1, "requested", 10, 5*time.Second)
	s.Client(6, 9, hour) // the check was later than what the client said
	s.Polled(6, 9, 22, 0, 5*time.Minute)
	s.Exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, "+
		"client_digest, site_states, site_digest) VALUES ('%s', 1, '%s', '%[2]s', 22, 1, 23, 2)",
		id(6), s.Micros(20*time.Minute)))
	s.Held[id(7)] = explain.Held{Files: []explain.HeldFile{{Box: "normal", Name: "a.SMX", Since: s.Now.Add(-time.Minute),
		Names: true}}}
	s.Polled(8, 9, 5, 5, hour) // nothing of it is stored, and no check has looked
	s.Exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, "+
		"client_digest, site_states, site_digest) VALUES ('%s', 1, '%s', '%[2]s', 5, 1, 0, 0)",
		id(8), s.Micros(10*time.Minute)))
	r, x := s.Runner(), s.Explainer()
	for _, c := range []struct {
		client     int
		code, want string
		not        string
	}{
		{1, "bad_files", "was set aside, at", "before it arrived"},
		{2, "bad_files", "was set aside since the message before it arrived, at", ""},
		{3, "resync_unanswered", "The resync before it was not completed.", "in a row"},
		{4, "resync_unanswered", "The 2 resyncs before it were not completed.", "in a row"},
		{5, "resync_unanswered", "", "resync"},
		{6, "differs", "A gap check found at " + humanize.Clock(s.Now.Add(-20*time.Minute)) +
			" (20 min ago) that the client holds other states than the site, " +
			"although no message was missing: the client had said that it holds 22, the site had 23.", "it counted"},
	} {
		got := s.Explained(c.client)[c.code]
		if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("client %d: %q", c.client, got)
		}
	}
	trace, err := x.Trace(t.Context(), id(1).String(), 1)
	if err != nil || strings.Contains(trace.String(), "comes before") {
		t.Errorf("before the first message: %v\n%s", err, trace)
	}
	if trace, err = x.Trace(t.Context(), id(1).String(), 2); err != nil ||
		!strings.Contains(trace.String(), "Nothing that comes before it has arrived.") {
		t.Errorf("before the second: %v\n%s", err, trace)
	}
	e, err := x.Explain(t.Context(), id(7).String(), nil)
	if err != nil || e.Next[0].At != nil || !strings.Contains(e.Next[0].Text,
		"usually within seconds, at the latest when it looks by itself, every 15 min;") {
		t.Errorf("what waits: %v\n%s", err, e)
	}
	expect(t, lines(s.All(r, "client-completeness", map[string]string{"only": "all", "client": id(8).String()}), "percent",
		"expected_messages"), " | 9")
	expect(t, lines(s.All(r, "client-completeness", map[string]string{"only": "all", "client": id(3).String()}), "percent",
		"expected_messages"), "100 | 9")
	expect(t, lines(s.All(r, "silent-clients", map[string]string{"verdict": "never reported"}), "client_id",
		"last_report"), id(8).String()+" | ")
	neverIsEmpty(s, r)
}

// neverIsEmpty reads every report: what never was has no date.
func neverIsEmpty(s *reportstest.Site, r *reports.Runner) {
	s.T.Helper()
	s.Subject()
	for _, rep := range r.Catalog().List() {
		params := maps.Clone(reportstest.Asked[rep.Name])
		if params["subject"] != "" {
			params["subject"] = "1"
		}
		for _, row := range s.All(r, rep.Name, params) {
			for name, cell := range row {
				if strings.HasPrefix(cell, "1970-01-01") && !strings.HasPrefix(name, "_") {
					s.T.Errorf("%s: %s is %s", rep.Name, name, cell)
				}
			}
		}
	}
}

package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNoSentenceIsAGuess has clients of whom earlier sentences told what nobody knew.
func TestNoSentenceIsAGuess(t *testing.T) {
	s := newSite(t)
	s.checked(20 * time.Minute)
	s.client(1, 0, hour) // 1 to 4 are missing: nothing can have come before
	s.arrived(1, 5, 9)
	s.missing(1, 1, 4, 10*time.Minute)
	s.client(2, 0, hour) // 6 is missing: 5 came before
	s.arrived(2, 1, 5, 7, 7)
	s.messages(message{client: 2, serial: 5, ago: 2 * hour, topic: 500, id: "a", state: 1})
	s.missing(2, 6, 6, 10*time.Minute)
	s.exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, set_aside_time) VALUES ('bad.SMX', 'x', 'y', '%s')", s.micros(hour)[:23]))
	s.client(3, 9, hour) // asked twice; the second time a moment ago
	s.issued(3, 1, "requested", 10, 90*hour)
	s.issued(3, 2, "requested", 10, 5*time.Second)
	s.client(4, 9, hour) // asked three times
	s.issued(4, 1, "requested", 10, 190*hour)
	s.issued(4, 2, "requested", 10, 90*hour)
	s.issued(4, 3, "requested", 10, 5*time.Second)
	s.client(5, 9, hour) // asked once
	s.issued(5, 1, "requested", 10, 5*time.Second)
	s.client(6, 9, hour) // the check was later than what the client said
	s.polled(6, 9, 22, 0, 5*time.Minute)
	s.exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, client_digest, site_states, site_digest) VALUES ('%s', 1, '%s', '%[2]s', 22, 1, 23, 2)",
		id(6), s.micros(20*time.Minute)))
	s.held[id(7)] = Held{Files: []HeldFile{{Box: "normal", Name: "a.SMX", Since: s.now.Add(-time.Minute), Names: true}}}
	s.polled(8, 9, 5, 5, hour) // nothing of it is stored, and no check has looked
	s.exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, client_digest, site_states, site_digest) VALUES ('%s', 1, '%s', '%[2]s', 5, 1, 0, 0)",
		id(8), s.micros(10*time.Minute)))
	r := s.detective()
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
		{6, "differs", "A gap check found at " + clockAt(s.now.Add(-20*time.Minute)) + " (20 min ago) that the client holds other states than the site, " +
			"although no message was missing: the client had said that it holds 22, the site had 23.", "it counted"},
	} {
		got := s.explained(c.client)[c.code]
		if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("client %d: %q", c.client, got)
		}
	}
	trace, err := r.Trace(t.Context(), id(1).String(), 1)
	if err != nil || strings.Contains(trace.String(), "comes before") {
		t.Errorf("before the first message: %v\n%s", err, trace)
	}
	if trace, err = r.Trace(t.Context(), id(1).String(), 2); err != nil || !strings.Contains(trace.String(), "Nothing that comes before it has arrived.") {
		t.Errorf("before the second: %v\n%s", err, trace)
	}
	e, err := r.Explain(t.Context(), id(7).String(), nil)
	if err != nil || e.Next[0].At != nil || !strings.Contains(e.Next[0].Text, "usually within seconds, at the latest when it looks by itself, every 15 min;") {
		t.Errorf("what waits: %v\n%s", err, e)
	}
	expect(t, lines(s.all(r, "client-completeness", map[string]string{"only": "all", "client": id(8).String()}), "percent", "expected_messages"), " | 9")
	expect(t, lines(s.all(r, "client-completeness", map[string]string{"only": "all", "client": id(3).String()}), "percent", "expected_messages"), "100 | 9")
	expect(t, lines(s.all(r, "silent-clients", map[string]string{"verdict": "never reported"}), "client_id", "last_report"), id(8).String()+" | ")
	s.neverIsEmpty(r)
}

// neverIsEmpty reads every report: what never was has no date.
func (s *site) neverIsEmpty(r *Runner) {
	s.t.Helper()
	for _, rep := range r.Catalog().List() {
		for _, row := range s.all(r, rep.Name, asked[rep.Name]) {
			for name, cell := range row {
				if strings.HasPrefix(cell, "1970-01-01") && !strings.HasPrefix(name, "_") {
					s.t.Errorf("%s: %s is %s", rep.Name, name, cell)
				}
			}
		}
	}
}

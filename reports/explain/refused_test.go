package explain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/internal/humanize"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// refused is a report that the relay refused; taken is how long ago it took another one, 0 = not since.
func refused(s *reportstest.Site, slot, client int, name, code, detail string, ago, taken time.Duration, retry,
	verified bool, count int) {
	s.T.Helper()
	since := "NULL"
	if taken > 0 {
		since = "'" + s.Micros(taken) + "'"
	}
	s.Exec(fmt.Sprintf(`INSERT INTO refused_reports (slot, change, client_id, verified, netbios_name, address,
		refused_time, code, status, line, column, detail, retry, refusals, taken_time)
		VALUES (%d, %d, '%s', %v, '%s', '10.0.0.7', '%s', '%s', 400, 2, 785, '%s', %v, %d, %s)`,
		slot, s.Now.Add(-ago).UnixMicro(), id(client), verified, name, s.Micros(ago), code, detail, retry, count, since))
}

// refusedClients are clients of whom the relay refused a report.
func refusedClients(t testing.TB) *reportstest.Site {
	s := reportstest.NewSite(t)
	// its place in the list was lost, and it has another one
	refused(s, 0, 1, "PC-0001", "too_large", "old", 3*hour, 0, false, true, 1)
	refused(s, 1, 1, "PC-0001", "xml_syntax", "line 2, column 785: end tag", hour, 0, false, false, 3)
	s.Client(2, 10, 2*hour)
	refused(s, 2, 2, "", "rate_limited", "", hour, 0, true, true, 1)
	s.Client(3, 10, 20*time.Minute)
	s.Arrived(3, 12, 12)
	refused(s, 3, 3, "PC-0003", "bad_date", "Date x is no date", hour, 30*time.Minute, false, true, 1)
	s.Client(4, 10, hour) // the relay stopped before it noted that it took this one
	s.Exec(fmt.Sprintf("INSERT INTO client_reports (client_id, received_time, source_file, receipt, netbios_name) "+
		"VALUES ('%s', '%s', 'relay.SMX', 'r-4', 'PC-0004')", id(4), s.Micros(10*time.Minute)))
	refused(s, 4, 4, "PC-0004", "xml_syntax", "x", 2*hour, 0, false, true, 1)
	s.Client(5, 10, 10*time.Minute) // a person put a file into the inbox: the relay took nothing
	refused(s, 5, 5, "PC-0005", "xml_syntax", "x", hour, 0, false, true, 1)
	s.Polled(6, 3, 1, 1, time.Minute)
	refused(s, 6, 6, "PC-0006", "bad_header", "x", hour, 0, false, true, 1)
	s.Held[id(6)] = explain.Held{Files: []explain.HeldFile{{Box: "normal", Name: "new.SMX", Since: s.Now.Add(-time.Minute),
		Names: true}}}
	s.Client(7, 10, hour)
	s.Arrived(7, 13, 20)
	s.Messages(message{Client: 7, Serial: 12, Ago: 30 * time.Minute, Topic: 500, ID: "a", State: 1})
	refused(s, 7, 7, "PC-0007", "xml_syntax", "x", hour, 0, false, true, 1) // before what came before the gap
	return s
}

func TestARefusedReportIsExplained(t *testing.T) {
	s := refusedClients(t)
	r, x := s.Runner(), s.Explainer()
	const open, over = "report_refused", "report_refused_over"
	for _, c := range []struct {
		client         int
		summary        string
		code, absent   string
		severity       explain.Severity
		says, saysNot  []string
		next, saysNext string
	}{
		{1, "does not know GUID:00000000-0000-4000-8000-000000000001: the relay refused its last report", open, over,
			explain.Bad,
			[]string{"(1 h ago): line 2, column 785: end tag (xml_syntax)", "Its 3 latest reports were all refused",
				"told to put that report aside", "Nobody verified who sent it"},
			[]string{"too_large", "send the same"}, "docs/http-relay.md", "xml_syntax"},
		{2, "No message of PC-0002 is missing, but the relay refused its last report.", open, over, explain.Warning,
			[]string{": rate_limited. It was told to send the same again."},
			[]string{"latest reports", "verified", "put that report aside"}, "agent status", "rate_limited"},
		{3, "", over, open, explain.Note, []string{"Date x is no date (bad_date)", "That is over: it took another one at",
			"(30 min ago)", "What the refused one held may be among what is missing"},
			[]string{"verified"}, "", ""},
		{4, "PC-0004 is complete", over, open, explain.Note, []string{"(10 min ago)"}, []string{"may be among"}, "", ""},
		{5, "but the relay refused its last report", open, over, explain.Warning, nil, nil, "", "xml_syntax"},
		{6, "none of its reports is stored: the relay refused the last one", open, over, explain.Bad,
			[]string{"A file with reports of it has come into the inbox since, so that may be over"}, nil, "", ""},
	} {
		e, err := x.Explain(t.Context(), id(c.client).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := reportstest.Codes(e)
		if !strings.Contains(e.Summary, c.summary) || got[c.code] == "" || got[c.absent] != "" {
			t.Errorf("client %d: want %q and %s in\n%s", c.client, c.summary, c.code, e)
		}
		for _, fact := range e.Facts {
			if fact.Code == c.code && fact.Severity != c.severity {
				t.Errorf("client %d: %s", c.client, fact.Severity)
			}
			if strings.Contains(fact.Text, "never heard of") {
				t.Errorf("client %d: %s", c.client, fact.Text)
			}
		}
		for _, text := range c.says {
			if !strings.Contains(got[c.code], text) {
				t.Errorf("client %d: no %q in %s", c.client, text, got[c.code])
			}
		}
		for _, text := range c.saysNot {
			if strings.Contains(got[c.code], text) {
				t.Errorf("client %d: %q in %s", c.client, text, got[c.code])
			}
		}
		next := ""
		for _, step := range e.Next {
			next += step.Text
		}
		if !strings.Contains(next, c.next) || !strings.Contains(next, c.saysNext) ||
			(c.code == over) == strings.Contains(next, "docs/http-relay.md") {
			t.Errorf("client %d: next %s", c.client, next)
		}
	}
	for _, c := range []struct {
		client  int
		serial  uint64
		refused bool
	}{{1, 5, true}, {3, 11, true}, {2, 11, true}, {2, 10, false}, {7, 11, true}, {7, 21, false}} {
		trace, err := x.Trace(t.Context(), id(c.client).String(), c.serial)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(strings.Fields(trace.String()), " "), "may have been in it") != c.refused {
			t.Errorf("client %d, serial %d: %s", c.client, c.serial, trace)
		}
	}
	const columns = "netbios_name refused_time code line column detail retry refusals verified address"
	for _, c := range []struct{ params, columns, want string }{
		{id(2).String(), columns, "PC-0002 | " + s.At(hour) + " | rate_limited | 2 | 785 |  | true | 1 | true | 10.0.0.7"},
		{"", "netbios_name code", "PC-0001 | xml_syntax\nPC-0002 | rate_limited\nPC-0005 | xml_syntax\nPC-0006 | " +
			"bad_header\nPC-0007 | xml_syntax\n" +
			"PC-0004 | xml_syntax\nPC-0001 | too_large"},
		{"pc-0001", "code", "xml_syntax\ntoo_large"},
		{"PC-0003", "code", ""},
	} {
		expect(t, lines(s.All(r, "refused-reports", map[string]string{"client": c.params}), strings.Fields(c.columns)...),
			c.want)
	}
	expect(t, lines(s.All(r, "refused-reports", map[string]string{"only": "all", "client": "pc-0003"}), "netbios_name",
		"taken_time"),
		"PC-0003 | "+s.At(30*time.Minute))
	namesExplained(s, x)
}

// namesExplained asks for names that no client has now.
func namesExplained(s *reportstest.Site, x *explain.Explainer) {
	s.T.Helper()
	s.Reports(report{Client: 8, Name: "OLD", Received: 9 * day, File: "8a.SMX"},
		report{Client: 8, Name: "NEW", Received: day, File: "8b.SMX"},
		report{Client: 9, Name: "Old", Received: 5 * day, File: "9a.SMX"},
		report{Client: 9, Name: "other", Received: day, File: "9b.SMX"})
	for name, want := range map[string][]string{
		" old ": {"No client of this site is called old now; 2 clients were called so before.",
			explain.WireID(id(8)) + " was called old in a report that arrived at " + humanize.Clock(s.Now.Add(-9*day)) +
				"; now it is called NEW.",
			explain.WireID(id(9)) + " was called old in a report that arrived at " + humanize.Clock(s.Now.Add(-5*day)) +
				"; now it is called other."},
		"pc-0001": {"No client of this site is called pc-0001.",
			"The relay refused a report that named this computer, at " + humanize.Clock(s.Now.Add(-hour)) + ": xml_syntax",
			explain.WireID(id(1))},
		"nobody": {"No client of this site is called nobody.", "No report that is stored came from a computer called nobody"},
	} {
		e, err := x.Explain(s.T.Context(), name, nil)
		if err != nil {
			s.T.Fatal(err)
		}
		text := e.Summary
		for _, fact := range e.Facts {
			text += "\n" + fact.Text
		}
		for _, part := range want {
			if !strings.Contains(text, part) {
				s.T.Errorf("%s: no %q in %s", name, part, text)
			}
		}
		if strings.Contains(text, "No report that") != (name == "nobody") {
			s.T.Errorf("%s: %s", name, text)
		}
	}
}

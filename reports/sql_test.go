package reports_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

func TestEveryReportRunsOnAnEmptyStore(t *testing.T) {
	r := reportstest.NewSeed(t).Subject().Runner()
	for _, rep := range r.Catalog().List() {
		t.Run(rep.Name, func(t *testing.T) {
			for _, page := range []reports.Page{{}, {Limit: 1}} {
				rows, err := r.Run(t.Context(), rep.Name, reportstest.RequiredParams(rep), page)
				if err != nil {
					t.Fatal(err)
				}
				reportstest.ReadRows(t, rows)
				for column := range maps.Keys(rep.Notes) {
					if !slices.ContainsFunc(rows.Columns, func(c reports.Column) bool { return c.Name == column }) {
						t.Errorf("a note names the column %s, which the query doesn't have", column)
					}
				}
				checkLinks(t, r.Catalog(), rep, rows.Columns)
			}
		})
	}
}

// columnPlace is a column's place in a link to a client's page.
var columnPlace = regexp.MustCompile(`\{[A-Za-z_]\w*\}`)

// checkLinks holds every link against the columns it takes values from and the report it leads to.
func checkLinks(t *testing.T, c *reports.Catalog, rep *reports.Report, columns []reports.Column) {
	t.Helper()
	has := func(name string) bool {
		return slices.ContainsFunc(columns, func(c reports.Column) bool { return c.Name == name })
	}
	for column, link := range rep.Links {
		if strings.HasPrefix(link, "/clients/") {
			for _, from := range columnPlace.FindAllString(link, -1) {
				if !has(strings.Trim(from, "{}")) || !has(column) {
					t.Errorf("link %s: %s names a column that the query hasn't", column, link)
				}
			}
			continue
		}
		name, query, _ := strings.Cut(link, "?")
		target, err := c.Get(name)
		if err != nil || !has(column) {
			t.Errorf("link %s: %s: %v", column, link, err)
			continue
		}
		for pair := range strings.SplitSeq(query, "&") {
			param, value, _ := strings.Cut(pair, "=")
			if !slices.ContainsFunc(target.Params, func(p reports.Param) bool { return p.Name == param }) {
				t.Errorf("link %s: %s takes no parameter %s", column, name, param)
			}
			asks := func(p reports.Param) bool { return "{"+p.Name+"}" == value }
			if from := strings.Trim(value, "{}"); from != value && !has(from) && !slices.ContainsFunc(rep.Params, asks) {
				t.Errorf("link %s: the query has no column %s", column, from)
			}
		}
	}
}

func TestComplianceCountsTheClientsThatTold(t *testing.T) {
	s := reportstest.Fleet(t)
	r := s.Runner()
	// The same messages again, in another file: nothing may count twice.
	s.Messages(message{Client: 1, Serial: 2, Ago: 40 * hour, Topic: 300, ID: "DEP1", State: 1, Received: hour,
		File: "again.SMX"})
	expect(t, lines(s.All(r, "compliance", nil), "topic_id", "state_id", "state_name", "clients", "percent"), `
DEP1 | 1 | Compliant | 2 | 50
DEP1 | 2 | Non-compliant | 1 | 25
DEP1 | 77 | State 77 | 1 | 25
DEP2 | 1 | Compliant | 1 | 100`)
	expect(t, lines(s.All(r, "compliance", map[string]string{"topic_id": "DEP2"}), "topic_id", "state_id", "class", "clients"), `
DEP2 | 1 | compliant | 1`)
	expect(t, lines(s.All(r, "compliance", map[string]string{"topic_id": "NOBODY"}), "topic_id", "state_id", "clients"),
		``)
	// One topic id, counted anew, says the same of its states as the summary of all: 40 and 30 hours ago are two
	// Compliant.
	expect(t, lines(s.All(r, "compliance", map[string]string{"topic_id": "DEP1"}), "state_id", "clients",
		"newest_message"), `
1 | 2 | `+s.At(30*hour)+`
2 | 1 | `+s.At(20*hour)+`
77 | 1 | `+s.At(10*hour))
	// Members of a target that said nothing are Unknown, one row for each cause; client 5 reported 50 hours ago.
	s.Exec("INSERT INTO collections (name, revision, kind) VALUES ('all', 1, 'list'), ('two', 1, 'list')")
	s.Exec(fmt.Sprintf("INSERT INTO collection_clients (name, revision, client_id) VALUES ('all', 1, '%s'), ('all', 1, '%s'), "+
		"('all', 1, '%s'), ('two', 1, '%[1]s'), ('two', 1, '%[3]s')", id(1), id(4), id(5)))
	s.Exec("INSERT INTO topic_titles (topic_id, source, target, version) VALUES ('DEP2', 'file', 'all', 1)")
	r = s.Runner(func(c *reports.Config, _ *reports.Deps) { c.StaleAfter = 45 * hour })
	if err := summary.New(time.Second, summary.Deps{Store: s.Store, Stale: 45 * hour}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, lines(s.All(r, "compliance", map[string]string{"topic_id": "DEP2"}), "state_name", "class", "clients",
		"percent"), `
Compliant | compliant | 1 | 33.3
Unknown: silent for long | not_known | 1 | 33.3
Unknown: never reported on this topic | not_known | 1 | 33.3`)
	expect(t, lines(s.All(r, "compliance", map[string]string{"collection": "two"}), "topic_id", "state_name", "clients"), `
DEP1 | Compliant | 1`)
	for cause, want := range map[string]string{"": "PC005 | silent\nPC001 | never_told", "silent": "PC005 | silent"} {
		expect(t, lines(s.All(r, "unknown-clients", map[string]string{"topic_type": "300", "topic_id": "DEP2", "cause": cause}),
			"netbios_name", "cause"), want)
	}
	// The summarizer's counts give the same for every topic id at once.
	expect(t, lines(s.All(r, "compliance", nil)[3:], "topic_id", "state_name", "clients", "percent"), `
DEP2 | Compliant | 1 | 33.3
DEP2 | Unknown: silent for long | 1 | 33.3
DEP2 | Unknown: never reported on this topic | 1 | 33.3`)
}

func TestTopicsSumUpPairs(t *testing.T) {
	s := reportstest.Fleet(t)
	expect(t, lines(s.All(s.Runner(), "topics", nil), "topic_type", "topic_name", "topic_ids", "state_name", "pairs"), `
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | Compliant | 3
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | Non-compliant | 1
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | State 77 | 1
501 | STATE_TOPICTYPE_SUM_UPDATE_SOURCE_SCAN | 1 | Scan completed | 1`)
}

func TestClientsInStateSayWhenTheStateChangedAndHowSurelyThatIsKnown(t *testing.T) {
	s := reportstest.NewSeed(t)
	r := s.Runner()
	for n, c := range []struct {
		name     string
		messages []message
		extra    string // statement about the client, run after the messages
		received time.Duration
		changed  time.Duration
		known    string
	}{
		{"the first message of the run counts, not its repeats", []message{
			{Serial: 1, Ago: 50 * hour, State: 1}, {Serial: 2, Ago: 40 * hour, State: 2},
			{Serial: 3, Ago: 30 * hour, State: 2}, {Serial: 4, Ago: 20 * hour, State: 2},
		}, "", 20 * hour, 40 * hour, "exact"},
		{"a state that left and came back counts from its return", []message{
			{Serial: 1, Ago: 50 * hour, State: 2}, {Serial: 2, Ago: 40 * hour, State: 1}, {Serial: 3, Ago: 30 * hour, State: 2},
		}, "", 30 * hour, 30 * hour, "exact"},
		{"serials decide the order, not the client's clock", []message{
			{Serial: 1, Ago: 10 * hour, State: 1, Received: 50 * hour}, {Serial: 2, Ago: 40 * hour, State: 2},
			{Serial: 3, Ago: 45 * hour, State: 2, Received: 30 * hour},
		}, "", 30 * hour, 40 * hour, "exact"},
		{"never in another state since serial 1", []message{
			{Serial: 1, Ago: 50 * hour, State: 2}, {Serial: 2, Ago: 40 * hour, State: 2},
		}, "", 40 * hour, 50 * hour, "exact"},
		{"the client's first messages never reached this site", []message{
			{Serial: 9, Ago: 50 * hour, State: 2}, {Serial: 10, Ago: 40 * hour, State: 2},
		}, "", 40 * hour, 50 * hour, "or earlier"},
		{"retention dropped all history", []message{
			{Serial: 1, Ago: 50 * hour, State: 1}, {Serial: 2, Ago: 40 * hour, State: 2},
		}, "ALTER TABLE state_messages DELETE WHERE client_id = %s SETTINGS mutations_sync = 2", 40 * hour, 40 * hour,
			"or earlier"},
		{"retention dropped the older part of the history", []message{
			{Serial: 1, Ago: 50 * hour, State: 1}, {Serial: 2, Ago: 40 * hour, State: 2}, {Serial: 3, Ago: 30 * hour, State: 2},
		}, "ALTER TABLE state_messages DELETE WHERE client_id = %s AND serial < 3 SETTINGS mutations_sync = 2", 30 * hour,
			30 * hour, "or earlier"},
		{"the first message came late, and what came before it is held no longer", []message{
			{Serial: 1, Ago: 45 * hour, Received: 30 * hour, State: 2},
		}, "", 30 * hour, 45 * hour, "or earlier"},
		{"a message in between never arrived", []message{
			{Serial: 1, Ago: 50 * hour, State: 1}, {Serial: 3, Ago: 40 * hour, State: 2},
		}, "INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) SELECT " +
			"%s, 2, 2, now64(6), now64(6), 0",
			40 * hour, 40 * hour, "messages missing"},
		{"a message missing before the change doesn't matter", []message{
			{Serial: 1, Ago: 50 * hour, State: 2}, {Serial: 3, Ago: 40 * hour, State: 1}, {Serial: 4, Ago: 30 * hour, State: 2},
		}, "INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) SELECT " +
			"%s, 2, 2, now64(6), now64(6), 0",
			30 * hour, 30 * hour, "exact"},
		{"of two messages under one serial the later one counts", []message{
			{Serial: 1, Ago: 50 * hour, State: 2}, {Serial: 2, Ago: 45 * hour, State: 1}, {Serial: 2, Ago: 44 * hour, State: 2},
			{Serial: 3, Ago: 30 * hour, State: 2},
		}, "", 30 * hour, 50 * hour, "exact"},
		{"instant messages are ordered by arrival, copies by their first", []message{
			{Serial: 0, Ago: 50 * hour, State: 1}, {Serial: 0, Ago: 40 * hour, State: 2},
			{Serial: 0, Ago: 50 * hour, State: 1, Received: 20 * hour},
		}, "", 40 * hour, 40 * hour, "exact"},
		{"a numbered message is later than any instant one", []message{
			{Serial: 0, Ago: 20 * hour, State: 1}, {Serial: 1, Ago: 40 * hour, State: 2}, {Serial: 2, Ago: 30 * hour, State: 2},
		}, "", 30 * hour, 40 * hour, "exact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			deployment, name := fmt.Sprintf("DEP%d", n), fmt.Sprintf("PC%03d", n)
			s.Reports(report{Client: n, Name: name, Received: 50 * hour})
			for i := range c.messages {
				c.messages[i].Client, c.messages[i].Topic, c.messages[i].ID = n, 300, deployment
				s.Messages(c.messages[i]) // each its own part: nothing is merged for the query's comfort
			}
			if c.extra != "" {
				s.Exec(fmt.Sprintf(c.extra, "toUUID('"+id(n).String()+"')"))
			}
			want := s.At(c.received) + " | " + s.At(c.changed) + " | " + c.known
			columns := []string{"last_message_received", "last_state_changed", "change_known"}
			expect(t, lines(s.All(r, "clients-in-state", map[string]string{"topic_type": "300", "state_id": "2",
				"topic_id": deployment}), columns...), want)
			expect(t, lines(s.All(r, "client-states", map[string]string{"client": strings.ToLower(name)}), columns...), want)
		})
	}
}

func TestClientsInStatePagesThroughAllOfThem(t *testing.T) {
	s := reportstest.NewSeed(t)
	var list []message
	for n := 1; n <= 23; n++ {
		s.Reports(report{Client: n, Name: fmt.Sprintf("PC%03d", n), Received: 50 * hour})
		// Groups of clients share one arrival, as a relay-written file brings it.
		list = append(list, message{Client: n, Serial: 1, Ago: time.Duration(n/5) * hour, Topic: 300, ID: "DEP1", State: 2})
	}
	s.Messages(list...)
	r := s.Runner()
	for _, limit := range []int{1, 4, 22, 23, 24} {
		var names []string
		cursor := ""
		for pages := 1; ; pages++ {
			rows, err := r.Run(t.Context(), "clients-in-state", map[string]string{"topic_type": "300", "state_id": "2"},
				reports.Page{Limit: limit, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			page := reportstest.ReadRows(t, rows)
			for _, row := range page {
				names = append(names, row["netbios_name"])
			}
			if cursor = rows.NextPage(); cursor == "" {
				break
			}
			if len(page) != limit || pages > 30 {
				t.Fatalf("page %d has %d rows, not %d", pages, len(page), limit)
			}
		}
		slices.Sort(names)
		if len(slices.Compact(names)) != 23 || len(names) != 23 {
			t.Errorf("limit %d: %d names: %v", limit, len(names), names)
		}
	}
}

// Not every text that reads has columns that can be asked for.
func TestShowThatFindsNothingIsAnAnswerWithoutRows(t *testing.T) {
	r := reportstest.NewSeed(t).Runner()
	rows, err := r.SQL(t.Context(), "SHOW TABLES LIKE 'there is none'")
	if err != nil {
		t.Fatal(err)
	}
	if got := reportstest.ReadRows(t, rows); len(got) != 0 {
		t.Errorf("rows %v, want none", got)
	}
}

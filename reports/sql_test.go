package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// requiredParams gives every required parameter a value its type accepts.
func requiredParams(r *Report) map[string]string {
	params := map[string]string{}
	for _, p := range r.Params {
		if p.Required {
			params[p.Name] = "1"
		}
	}
	return params
}

func TestEveryReportRunsOnAnEmptyStore(t *testing.T) {
	r := newSeed(t).runner()
	for _, rep := range r.Catalog().List() {
		t.Run(rep.Name, func(t *testing.T) {
			for _, page := range []Page{{}, {Limit: 1}} {
				rows, err := r.Run(t.Context(), rep.Name, requiredParams(rep), page)
				if err != nil {
					t.Fatal(err)
				}
				readRows(t, rows)
				for column := range maps.Keys(rep.Notes) {
					if !slices.ContainsFunc(rows.Columns, func(c Column) bool { return c.Name == column }) {
						t.Errorf("a note names the column %s, which the query doesn't have", column)
					}
				}
				checkLinks(t, r.Catalog(), rep, rows.Columns)
			}
		})
	}
}

// checkLinks holds every link against the columns it takes values from and the report it leads to.
func checkLinks(t *testing.T, c *Catalog, rep *Report, columns []Column) {
	t.Helper()
	has := func(name string) bool {
		return slices.ContainsFunc(columns, func(c Column) bool { return c.Name == name })
	}
	for column, link := range rep.Links {
		if strings.HasPrefix(link, clientPath) {
			for _, from := range linkColumn.FindAllString(link, -1) {
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
			if !slices.ContainsFunc(target.Params, func(p Param) bool { return p.Name == param }) {
				t.Errorf("link %s: %s takes no parameter %s", column, name, param)
			}
			if from := strings.Trim(value, "{}"); from != value && !has(from) {
				t.Errorf("link %s: the query has no column %s", column, from)
			}
		}
	}
}

// lines joins some columns of each row, for comparison at a glance.
func lines(rows []map[string]string, columns ...string) string {
	var out []string
	for _, row := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, row[c])
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return strings.Join(out, "\n")
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const hour, day = time.Hour, 24 * time.Hour

// fleet is five clients and one deployment: two compliant, one not, one in a state without a name, one silent on it.
func fleet(t *testing.T) *seed {
	s := newSeed(t)
	for n := 1; n <= 5; n++ {
		s.reports(report{client: n, name: fmt.Sprintf("PC%03d", n), received: time.Duration(n) * 10 * hour, messages: 3})
	}
	s.messages(
		message{client: 1, serial: 1, ago: 50 * hour, topic: 300, id: "DEP1", state: 2},
		message{client: 1, serial: 2, ago: 40 * hour, topic: 300, id: "DEP1", state: 1},
		message{client: 2, serial: 7, ago: 30 * hour, topic: 300, id: "DEP1", state: 1},
		message{client: 3, serial: 1, ago: 20 * hour, topic: 300, id: "DEP1", state: 2},
		message{client: 4, serial: 1, ago: 10 * hour, topic: 300, id: "DEP1", state: 77},
		message{client: 4, serial: 2, ago: 9 * hour, topic: 300, id: "DEP2", state: 1},
		message{client: 5, serial: 1, ago: 9 * hour, topic: 501, id: "WSUS", state: 3},
	)
	return s
}

func TestComplianceCountsEveryClientOnceWithUnknownAsItsOwnBucket(t *testing.T) {
	s := fleet(t)
	r := s.runner()
	// The same messages again, in another file: nothing may count twice.
	s.messages(message{client: 1, serial: 2, ago: 40 * hour, topic: 300, id: "DEP1", state: 1, received: hour, file: "again.SMX"})
	expect(t, lines(s.all(r, "compliance", nil), "topic_id", "state_id", "state_name", "clients", "percent"), `
DEP1 | 1 | Compliant | 2 | 40
DEP1 | 2 | Non-compliant | 1 | 20
DEP1 | 77 | State 77 | 1 | 20
DEP1 |  | Unknown: never reported on this topic | 1 | 20
DEP2 | 1 | Compliant | 1 | 20
DEP2 |  | Unknown: never reported on this topic | 4 | 80`)
	expect(t, lines(s.all(r, "compliance", map[string]string{"topic_id": "DEP2"}), "topic_id", "state_id", "clients"), `
DEP2 | 1 | 1
DEP2 |  | 4`)
	expect(t, lines(s.all(r, "compliance", map[string]string{"topic_id": "NOBODY"}), "topic_id", "state_id", "clients"), `NOBODY |  | 5`)
	// One topic id, counted anew, says the same of its states as the summary of all: 40 and 30 hours ago are two Compliant.
	expect(t, lines(s.all(r, "compliance", map[string]string{"topic_id": "DEP1"}), "state_id", "clients", "newest_message"), `
1 | 2 | `+s.at(30*hour)+`
2 | 1 | `+s.at(20*hour)+`
77 | 1 | `+s.at(10*hour)+`
 | 1 | `)
}

func TestTopicsSumUpPairs(t *testing.T) {
	s := fleet(t)
	expect(t, lines(s.all(s.runner(), "topics", nil), "topic_type", "topic_name", "topic_ids", "state_name", "pairs"), `
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | Compliant | 3
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | Non-compliant | 1
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | State 77 | 1
300 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | 2 | Unknown: never reported on this topic | 1
501 | STATE_TOPICTYPE_SUM_UPDATE_SOURCE_SCAN | 1 | Scan completed | 1
501 | STATE_TOPICTYPE_SUM_UPDATE_SOURCE_SCAN | 1 | Unknown: never reported on this topic | 4`)
}

// at is a time of the seed as text, the way the answers write it.
func (s *seed) at(ago time.Duration) string { return timeText(s.now.Add(-ago)) }

func TestClientsInStateSayWhenTheStateChangedAndHowSurelyThatIsKnown(t *testing.T) {
	s := newSeed(t)
	r := s.runner()
	for n, c := range []struct {
		name     string
		messages []message
		extra    string // statement about the client, run after the messages
		received time.Duration
		changed  time.Duration
		known    string
	}{
		{"the first message of the run counts, not its repeats", []message{
			{serial: 1, ago: 50 * hour, state: 1}, {serial: 2, ago: 40 * hour, state: 2},
			{serial: 3, ago: 30 * hour, state: 2}, {serial: 4, ago: 20 * hour, state: 2},
		}, "", 20 * hour, 40 * hour, "exact"},
		{"a state that left and came back counts from its return", []message{
			{serial: 1, ago: 50 * hour, state: 2}, {serial: 2, ago: 40 * hour, state: 1}, {serial: 3, ago: 30 * hour, state: 2},
		}, "", 30 * hour, 30 * hour, "exact"},
		{"serials decide the order, not the client's clock", []message{
			{serial: 1, ago: 10 * hour, state: 1, received: 50 * hour}, {serial: 2, ago: 40 * hour, state: 2}, {serial: 3, ago: 45 * hour, state: 2, received: 30 * hour},
		}, "", 30 * hour, 40 * hour, "exact"},
		{"never in another state since serial 1", []message{
			{serial: 1, ago: 50 * hour, state: 2}, {serial: 2, ago: 40 * hour, state: 2},
		}, "", 40 * hour, 50 * hour, "exact"},
		{"the client's first messages never reached this site", []message{
			{serial: 9, ago: 50 * hour, state: 2}, {serial: 10, ago: 40 * hour, state: 2},
		}, "", 40 * hour, 50 * hour, "or earlier"},
		{"retention dropped all history", []message{
			{serial: 1, ago: 50 * hour, state: 1}, {serial: 2, ago: 40 * hour, state: 2},
		}, "ALTER TABLE state_messages DELETE WHERE client_id = %s SETTINGS mutations_sync = 2", 40 * hour, 40 * hour, "or earlier"},
		{"retention dropped the older part of the history", []message{
			{serial: 1, ago: 50 * hour, state: 1}, {serial: 2, ago: 40 * hour, state: 2}, {serial: 3, ago: 30 * hour, state: 2},
		}, "ALTER TABLE state_messages DELETE WHERE client_id = %s AND serial < 3 SETTINGS mutations_sync = 2", 30 * hour, 30 * hour, "or earlier"},
		{"the first message came late, and what came before it is held no longer", []message{
			{serial: 1, ago: 45 * hour, received: 30 * hour, state: 2},
		}, "", 30 * hour, 45 * hour, "or earlier"},
		{"a message in between never arrived", []message{
			{serial: 1, ago: 50 * hour, state: 1}, {serial: 3, ago: 40 * hour, state: 2},
		}, "INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) SELECT %s, 2, 2, now64(6), now64(6), 0",
			40 * hour, 40 * hour, "messages missing"},
		{"a message missing before the change doesn't matter", []message{
			{serial: 1, ago: 50 * hour, state: 2}, {serial: 3, ago: 40 * hour, state: 1}, {serial: 4, ago: 30 * hour, state: 2},
		}, "INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) SELECT %s, 2, 2, now64(6), now64(6), 0",
			30 * hour, 30 * hour, "exact"},
		{"of two messages under one serial the later one counts", []message{
			{serial: 1, ago: 50 * hour, state: 2}, {serial: 2, ago: 45 * hour, state: 1}, {serial: 2, ago: 44 * hour, state: 2}, {serial: 3, ago: 30 * hour, state: 2},
		}, "", 30 * hour, 50 * hour, "exact"},
		{"instant messages are ordered by arrival, copies by their first", []message{
			{serial: 0, ago: 50 * hour, state: 1}, {serial: 0, ago: 40 * hour, state: 2}, {serial: 0, ago: 50 * hour, state: 1, received: 20 * hour},
		}, "", 40 * hour, 40 * hour, "exact"},
		{"a numbered message is later than any instant one", []message{
			{serial: 0, ago: 20 * hour, state: 1}, {serial: 1, ago: 40 * hour, state: 2}, {serial: 2, ago: 30 * hour, state: 2},
		}, "", 30 * hour, 40 * hour, "exact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			deployment, name := fmt.Sprintf("DEP%d", n), fmt.Sprintf("PC%03d", n)
			s.reports(report{client: n, name: name, received: 50 * hour})
			for i := range c.messages {
				c.messages[i].client, c.messages[i].topic, c.messages[i].id = n, 300, deployment
				s.messages(c.messages[i]) // each its own part: nothing is merged for the query's comfort
			}
			if c.extra != "" {
				s.exec(fmt.Sprintf(c.extra, "toUUID('"+id(n).String()+"')"))
			}
			want := s.at(c.received) + " | " + s.at(c.changed) + " | " + c.known
			columns := []string{"last_message_received", "last_state_changed", "change_known"}
			expect(t, lines(s.all(r, "clients-in-state", map[string]string{"topic_type": "300", "state_id": "2", "topic_id": deployment}), columns...), want)
			expect(t, lines(s.all(r, "client-states", map[string]string{"client": strings.ToLower(name)}), columns...), want)
		})
	}
}

func TestClientsInStatePagesThroughAllOfThem(t *testing.T) {
	s := newSeed(t)
	var list []message
	for n := 1; n <= 23; n++ {
		s.reports(report{client: n, name: fmt.Sprintf("PC%03d", n), received: 50 * hour})
		// Groups of clients share one arrival, as a relay-written file brings it.
		list = append(list, message{client: n, serial: 1, ago: time.Duration(n/5) * hour, topic: 300, id: "DEP1", state: 2})
	}
	s.messages(list...)
	r := s.runner()
	for _, limit := range []int{1, 4, 22, 23, 24} {
		var names []string
		cursor := ""
		for pages := 1; ; pages++ {
			rows, err := r.Run(t.Context(), "clients-in-state", map[string]string{"topic_type": "300", "state_id": "2"}, Page{Limit: limit, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			page := readRows(t, rows)
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

package reports_test

import (
	"slices"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// A topic id is nothing that a person knows by heart: its title stands before it in every report that has one.
func TestTitlesStandBeforeTheIDsTheyAreOf(t *testing.T) {
	s := reportstest.NewSeed(t)
	s.Reports(report{Client: 1, Name: "ALPHA", Received: hour}, report{Client: 2, Name: "BETA", Received: hour})
	s.Messages(
		message{Client: 1, Serial: 1, Ago: 10 * day, Topic: 402, ID: "u-1", State: 11, Params: []string{"0x80240022"}},
		message{Client: 2, Serial: 1, Ago: 10 * day, Topic: 402, ID: "u-2", State: 11, Params: []string{"0x80240022"}},
		message{Client: 2, Serial: 2, Ago: 10 * day, Topic: 402, ID: "u-1", State: 11, Params: []string{"0x80240022"}},
		message{Client: 1, Serial: 2, Ago: 9 * day, Topic: 20777, ID: "own", State: 1},
	)
	s.Exec(`INSERT INTO topic_titles (topic_id, topic_type, source, title, article, severity, grp, target, version) VALUES
		('u-1', 0, 'file', '=Cumulative Update', 'KB5031', 'critical', 'May', '', 1), ('u-1', 0, 'pack', 'Of a pack', '', '', '', '', 1)`)
	for _, claim := range []string{"'2026-05-02', 'Own, second', 2", "'2026-05-01', 'Own', 1"} {
		s.Exec(`INSERT INTO title_claims (claimed_time, title, topic_id, topic_type, client_id, earliest)
			SELECT toDateTime64(when, 6, 'UTC'), title, 'own', 20777, toUUID(concat('00000000-0000-4000-8000-00000000000', toString(n))),
				bitNot(toUInt64(toUnixTimestamp64Micro(toDateTime64(when, 6, 'UTC'))))
			FROM VALUES('when String, title String, n UInt8', (` + claim + `))`)
	}
	r := s.Runner()
	enforcement := map[string]string{"topic_type": "402", "state_id": "11"}
	for _, c := range []struct {
		name   string
		params map[string]string
		want   string
	}{
		{"client-states", map[string]string{"client": "ALPHA"}, "=Cumulative Update | u-1\nOwn | own"},
		{"messages", map[string]string{"client": "ALPHA"}, "Own | own\n=Cumulative Update | u-1"},
		{"clients-in-state", enforcement, "=Cumulative Update | u-1\n=Cumulative Update | u-1\nu-2 | u-2"},
		{"failing-clients", enforcement, "=Cumulative Update | u-1\n=Cumulative Update | u-1\nu-2 | u-2"},
		{"compliance", map[string]string{"topic_type": "402", "topic_id": "u-1"}, "=Cumulative Update | u-1"},
		{"failures", nil, "=Cumulative Update | u-1"},
		{"stale-states", map[string]string{"topic_type": "402"}, "=Cumulative Update | u-1\n=Cumulative Update | u-1\nu-2 | u-2"},
		{"names", nil, "u-2 | u-2\n=Cumulative Update | u-1\nOwn | own"},
		{"names", map[string]string{"missing": "1"}, "u-2 | u-2"},
		{"names", map[string]string{"search": "kb50"}, "=Cumulative Update | u-1"},
		{"names", map[string]string{"group": "May", "kind": "update"}, "=Cumulative Update | u-1"},
		{"name-conflicts", nil, "Own | own"},
	} {
		rows := s.All(r, c.name, c.params)
		got := lines(rows, "title", "topic_id")
		if c.name == "clients-in-state" || c.name == "failing-clients" || c.name == "stale-states" {
			sorted := slices.Clone(rows) // clients of one time are in the order of their ids
			slices.SortFunc(sorted, func(a, b map[string]string) int { return strings.Compare(a["topic_id"], b["topic_id"]) })
			got = lines(sorted, "title", "topic_id")
		}
		t.Log(c.name, c.params)
		expect(t, got, c.want)
		report, err := r.Catalog().Get(c.name)
		if err != nil {
			t.Fatal(err)
		}
		page, err := r.Run(t.Context(), report.Name, c.params, reports.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var columns []string
		for _, column := range page.Columns {
			columns = append(columns, column.Name)
		}
		if err := page.Close(); err != nil {
			t.Fatal(err)
		}
		if at := slices.Index(columns, "title"); at < 0 || at > slices.Index(columns, "topic_id") {
			t.Errorf("%s: the columns are %q", c.name, columns)
		}
	}
	expect(t, lines(s.All(r, "client-states", map[string]string{"client": "ALPHA"}), "topic_type", "topic", "topic_name"),
		"402 | Update item enforcement | STATE_TOPICTYPE_SUM_CI_ENFORCEMENT\n20777 | Topic type 20777 | ")
	expect(t, lines(s.All(r, "name-conflicts", nil), "title", "other_title", "netbios_name", "title_source"),
		"Own | Own, second | BETA | agent")
}

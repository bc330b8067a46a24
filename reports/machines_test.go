package reports_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

// machines is a site of nine: of each class, one that is retired, and one that nothing was summed of yet.
func machines(t *testing.T) *reportstest.Site {
	s := reportstest.NewSite(t)
	for n := 1; n <= 8; n++ {
		s.Client(n, 10, time.Duration(n)*hour)
	}
	say := func(client int, serial uint64, topic, state uint32, id string) message {
		return message{Client: client, Serial: serial, Ago: time.Duration(20-serial) * hour, Topic: topic, ID: id,
			State: state}
	}
	s.Messages(
		say(1, 1, 500, 2, "x"), say(1, 2, 402, 9, "x"), // required, and waits for a restart
		say(2, 1, 500, 3, "x"), say(2, 2, 300, 1, "d"),
		say(3, 1, 300, 2, "d"), say(3, 2, 301, 6, "d"), say(3, 3, 402, 5, "x"), say(3, 4, 500, 2, "x"),
		say(4, 1, 500, 2, "x"), say(4, 2, 300, 2, "d"),
		say(5, 1, 500, 0, "x"),
		say(6, 1, 501, 3, "apt"), // it looked after x was first seen, and needs nothing
		say(8, 1, 501, 5, "apt"),
	)
	retire(s, "retired", 1, 7)
	s.Exec("INSERT INTO topic_titles (topic_id, source, title, grp, version) VALUES ('x', 'file', 'KB5031455', 'May', 1)")
	s.Exec("INSERT INTO collections (name, revision, kind) VALUES ('web', 1, 'list'), ('none', 1, 'list')")
	for _, n := range []int{1, 2, 6, 7} {
		s.Exec(fmt.Sprintf("INSERT INTO collection_clients (name, revision, client_id) VALUES ('web', 1, '%s')", id(n)))
	}
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Exec(fmt.Sprintf("INSERT INTO client_reports (client_id, received_time, netbios_name) "+
		"VALUES ('%s', '%s', 'PC-0009')", id(9), s.Micros(0)))
	return s
}

// Each machine is in one class, and each figure is the number of rows behind it.
func TestProblemsPartitionTheMachines(t *testing.T) {
	s := machines(t)
	r := s.Runner()
	ask := func(name string, columns []string, pairs ...string) string {
		t.Helper()
		params := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			params[pairs[i]] = pairs[i+1]
		}
		return lines(s.All(r, name, params), columns...)
	}
	for _, tt := range []struct {
		name, report string
		columns      string
		params       []string
		want         string
	}{
		{"those that need most first", "machines", "computer class required failed restart not_known", nil, `
PC-0003 | failed | 2 | 1 | 1 | 0
PC-0004 | required | 2 | 0 | 0 | 0
PC-0001 | restart | 1 | 0 | 1 | 0
PC-0002 | compliant | 0 | 0 | 0 | 0
PC-0005 | not_known | 0 | 0 | 0 | 1
PC-0006 | compliant | 0 | 0 | 0 | 0
PC-0008 | failed | 0 | 1 | 0 | 0
PC-0009 | not_known | 0 | 0 | 0 | 0`},
		{"failed", "machines", "computer", []string{"problem", "failed"}, "PC-0003\nPC-0008"},
		{"restart", "machines", "computer", []string{"problem", "restart"}, "PC-0001"},
		{"required", "machines", "computer", []string{"problem", "required"}, "PC-0004"},
		{"not known", "machines", "computer", []string{"problem", "not_known"}, "PC-0005\nPC-0009"},
		{"none", "machines", "computer", []string{"problem", "none"}, "PC-0002\nPC-0006"},
		{"any", "machines", "computer", []string{"problem", "any"}, "PC-0003\nPC-0004\nPC-0001\nPC-0005\nPC-0008\nPC-0009"},
		{"part of a name", "machines", "computer", []string{"search", "c-0004"}, "PC-0004"},
		{"a collection", "machines", "computer class", []string{"collection", "web"},
			"PC-0001 | restart\nPC-0002 | compliant\nPC-0006 | compliant"},
		{"a group counts what belongs to it", "machines", "computer class required", []string{"group", "May"}, `
PC-0001 | restart | 1
PC-0003 | restart | 1
PC-0004 | required | 1
PC-0002 | compliant | 0
PC-0005 | not_known | 0
PC-0006 | compliant | 0`},
		{"a group in a collection", "machines", "computer class", []string{"group", "May", "collection", "web"},
			"PC-0001 | restart\nPC-0002 | compliant\nPC-0006 | compliant"},
		{"who needs any and who has all, of those that said so", "machines-summary",
			"class machines percent need_any have_all have_all_percent need_none not_known", nil, `
compliant | 2 | 25 | 4 | 1 | 25 | 1 | 3
required | 1 | 12.5 | 4 | 1 | 25 | 1 | 3
restart | 1 | 12.5 | 4 | 1 | 25 | 1 | 3
failed | 2 | 25 | 4 | 1 | 25 | 1 | 3
not_known | 2 | 25 | 4 | 1 | 25 | 1 | 3`},
		{"of nobody there is no percentage", "machines-summary", "class machines percent need_any have_all_percent",
			[]string{"collection", "none"}, `
compliant | 0 |  | 0 | 
required | 0 |  | 0 | 
restart | 0 |  | 0 | 
failed | 0 |  | 0 | 
not_known | 0 |  | 0 |`},
		{"the worst collection first", "collections-compliance",
			"collection clients compliant_machines percent required failed restart not_known", nil,
			"web | 3 | 2 | 50 | 0 | 0 | 1 | 0\nnone | 0 | 0 |  | 0 | 0 | 0 | 0"},
		{"of a group", "collections-compliance", "collection clients compliant_machines percent restart",
			[]string{"group", "May"},
			"web | 3 | 2 | 50 | 1\nnone | 0 | 0 |  | 0"},
		// Example 5 of docs/compliance.md.
		{"required and enforced up to a restart is a restart", "restart-pending", "computer since for online", nil,
			"PC-0001 | " + s.At(18 * hour)[:19] + "Z | KB5031455 | 0\nPC-0003 | " + s.At(17 * hour)[:19] + "Z | KB5031455 | 0"},
		{"of a collection", "restart-pending", "computer", []string{"collection", "web"}, "PC-0001"},
		{"members that reported", "report-age", "last_report clients percent", []string{"collection", "web"}, `
under 1 hour | 0 | 0
1 to 4 hours | 2 | 66.7
4 to 24 hours | 1 | 33.3
1 to 7 days | 0 | 0
7 to 30 days | 0 | 0
over 30 days | 0 | 0`},
		{"members as a list", "clients", "netbios_name", []string{"collection", "web"}, "PC-0006\nPC-0002\nPC-0001"},
		{"silent members", "silent-clients", "netbios_name", []string{"collection", "web", "hours", "3"}, "PC-0006"},
		{"members without a connection", "offline-clients", "netbios_name", []string{"collection", "web"},
			"PC-0001\nPC-0002\nPC-0006"},
		{"members' old states", "stale-states", "netbios_name", []string{"collection", "web", "older_than_hours", "1"},
			"PC-0006"},
		{"members' presence", "presence", "netbios_name", []string{"collection", "web"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, ask(tt.report, strings.Fields(tt.columns), tt.params...), tt.want)
		})
	}
	for _, name := range []string{"machines", "restart-pending", "collections-compliance"} {
		whole, _ := paged(s, r, name, nil, 0)
		if got, _ := paged(s, r, name, nil, 1); !slices.Equal(got, whole) {
			t.Errorf("%s in pages: %q, want %q", name, got, whole)
		}
	}
}

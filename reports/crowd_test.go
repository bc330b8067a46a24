package reports_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// crowd is a site in which all that a report sorts by has ties: several clients, topics and ranges share each time.
// Each client's last report stands between older ones, and its name is the last one.
func crowd(t testing.TB) *reportstest.Site { return crowdOf(t, time.Now(), 1, 2, 3, 4, 5, 6) }

// crowdOf is some clients of the crowd, as they were at a time.
func crowdOf(t testing.TB, now time.Time, clients ...int) *reportstest.Site {
	s := reportstest.NewSite(t)
	s.Subject()
	s.Now = now.UTC().Truncate(time.Millisecond)
	var reports []report
	var said []message
	for _, n := range clients {
		tie := time.Duration(n/4+1) * 30 * hour // clients 1 to 3, and 4 to 6
		reports = append(reports, report{Client: n, Name: fmt.Sprintf("OLD-%d", n), Received: 60 * day,
			File: fmt.Sprint("a", n), Messages: 1, SetAside: 2},
			report{Client: n, Name: fmt.Sprintf("PC-%d", n), Received: tie, File: fmt.Sprint("b", n), Messages: 1},
			report{Client: n, Name: fmt.Sprintf("OLD-%d", n), Received: 50 * day, File: fmt.Sprint("c", n), Messages: 1})
		for i, id := range []string{"A", "B"} {
			for k, topic := range []uint32{300, 301, 402, 501} {
				said = append(said, message{Client: n, Serial: uint64(10*i + k + 1), Ago: 40 * day, Topic: topic, ID: id,
					State: []uint32{2, 6, 11, 5}[k], Params: []string{"0x80240022"}})
			}
		}
		said = append(said, message{Client: n, Serial: 39, Ago: 40 * day, Topic: 402, ID: "C", State: 9})
		s.Exec(fmt.Sprintf("INSERT INTO collection_clients (name, revision, client_id) VALUES ('everybody', 1, '%s')", id(n)))
		said = append(said, message{Client: n, Serial: 40, Ago: 20 * day, Topic: 700, ID: "x", State: 2,
			Params: []string{"30"}})
		s.Arrived(n, 1, 40)
		s.Polled(n, 45, 9, 3, hour)
		s.Missing(n, 41, 42, tie)
		s.Missing(n, 44, 45, tie)
		s.Missing(n, 50, 3_000_050, tie)
		s.Issued(n, 1, "missing", 46, 100*hour)
		s.Issued(n, 2, "missing", 46, 20*hour)
		at := s.Micros(tie)
		s.Exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES "+
			"('%[1]s', 41, 'reused', '%[2]s', '%[2]s'), ('%[1]s', 42, 'reused', '%[2]s', '%[2]s')", id(n), at))
		s.Exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, "+
			"client_states, client_digest, site_states, site_digest) VALUES ('%[1]s', 1, '%[2]s', '%[2]s', 22, 1, 23, 2)", id(n),
			at))
		s.Exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code,
			reason, line, column, received_time, set_aside_time)
			VALUES ('%[1]s', 'f', 0, 3, 11, 'bad_date', 'no date', 3, 77, '%[2]s', '%[3]s'), ('%[1]s', 'f', 0, 4, 12,
			'bad_%[4]d', 'no date', 3, 77, '%[2]s', '%[3]s')`, id(n), at, at[:23], n))
		s.Exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES "+
			"('f%d.SMX', 'x', 'y', 1, 2, 3, '%s')", n, at[:23]))
		s.Exec(fmt.Sprintf("INSERT INTO set_aside_ends (name, until, received_time, how, client_id, code, records, time) "+
			"VALUES ('e%[1]d', '%[2]s', '%[2]s', 'dropped', '%[3]s', 'x', 1, '%[4]s')", n, at, id(n), at[:23]))
		s.Exec(fmt.Sprintf("INSERT INTO refused_reports (slot, change, client_id, refused_time, code) VALUES (%d, 1, "+
			"'%s', '%s', 'x')", n, id(n), at))
		s.Checked(tie + time.Duration(n)*time.Minute) // one check at a time
		s.NotificationServer(n, fmt.Sprintf("push%d", n), hour)
		s.Presence(reportstest.Presence{Client: n, Online: n == 6, HTTP: n > 3, Server: uint32(n), Since: tie, Heard: tie,
			Reason: "closed", Why: "refused"})
		for i := range 4 {
			s.WasConnected(n, tie+time.Duration(i/2)*hour, tie, uint64(i), "closed")
		}
		s.Exec(fmt.Sprintf("INSERT INTO component_status (time, component, event, text, message_id) VALUES ('%s', "+
			"'SMS_NOTIFICATION_SERVER', 'status', 'text %d', 9800)", at[:23], n))
	}
	for number := 12; number < 16; number++ {
		task := reportstest.Task{Number: number, Name: "Statewire.Utility.TestEvent", Created: 30 * hour}
		for _, n := range clients {
			task.Steps = append(task.Steps, reportstest.TaskStep{Client: n, Step: "pushed", At: 30 * hour, Server: uint32(n),
				Pushes: 1})
		}
		s.Task(task)
	}
	s.Exec("INSERT INTO collections (name, revision, kind) VALUES ('everybody', 1, 'list')")
	s.Reports(reports...)
	s.Messages(said...)
	return s
}

// few are the reports of which the crowd has fewer than four rows.
var few = []string{"account", "burn-down", "client-timeline", "collections-compliance", "completeness", "compliance-trend",
	"deployments", "failures", "groups",
	"name-conflicts", "restart-pending", "retired-clients", "time-to-remediate", "updates", "volume", "wrong-clocks"}

// TestEachRowOfAReportIsOnOnePage reads every report whole, and in pages that cut its ties. What it says of a client
// beside that is the client's: its name, and when its last report came.
func TestEachRowOfAReportIsOnOnePage(t *testing.T) {
	s := crowd(t)
	r := s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Now = s.Clock })
	for _, rep := range r.Catalog().List() {
		if len(rep.Order) == 0 {
			continue
		}
		params := reportstest.Asked[rep.Name]
		whole, columns := paged(s, r, rep.Name, params, 0)
		if len(whole) < 4 && !slices.Contains(few, rep.Name) && !slices.Contains(alike, rep.Name) {
			t.Errorf("%s: only %d rows: let crowd have more of what it counts, or name it in few", rep.Name, len(whole))
		}
		if len(slices.Compact(slices.Sorted(slices.Values(whole)))) != len(whole) {
			t.Errorf("%s: a row stands twice", rep.Name)
		}
		limit := 2 // which cuts ties of three, as the other does, and that one pairs
		if len(whole) > 6 {
			limit = 5
		}
		if got, _ := paged(s, r, rep.Name, params, limit); !slices.Equal(got, whole) {
			t.Errorf("%s in pages of %d: %d rows, want %d\ngot\n%s\nwant\n%s", rep.Name, limit, len(got), len(whole),
				strings.Join(got, "\n"), strings.Join(whole, "\n"))
		}
		aboutClients(s, t, rep.Name, columns)
	}
}

// alike are the reports that count states: the whole crowd is in one state of each topic id.
var alike = []string{"compliance", "deployment-enforcement", "not-known", "scan-states"}

// paged reads a report in pages, each row as one text; ages are left out, which grow meanwhile.
func paged(s *reportstest.Site, r *reports.Runner, name string, params map[string]string,
	limit int) (all []string, rows []map[string]string) {
	s.T.Helper()
	cursor := ""
	for pages := 0; ; pages++ {
		page, err := r.Run(s.T.Context(), name, params, reports.Page{Limit: limit, Cursor: cursor})
		if err != nil {
			s.T.Fatalf("report %s: %v", name, err)
		}
		columns := page.Columns
		list := reportstest.ReadRows(s.T, page)
		rows = append(rows, list...)
		for _, row := range list {
			var cells []string
			for _, c := range columns {
				if !strings.HasSuffix(c.Name, "_hours") {
					cells = append(cells, row[c.Name])
				}
			}
			all = append(all, strings.Join(cells, " | "))
		}
		if cursor = page.NextPage(); cursor == "" || limit == 0 {
			return all, rows
		}
		if len(list) != limit || pages > 200 {
			s.T.Fatalf("%s: page %d has %d rows, not %d", name, pages, len(list), limit)
		}
	}
}

func aboutClients(s *reportstest.Site, t *testing.T, name string, rows []map[string]string) {
	t.Helper()
	for n := 1; n <= 6; n++ {
		last := s.At(time.Duration(n/4+1) * 30 * hour)
		for _, row := range rows {
			if row["client_id"] != id(n).String() {
				continue
			}
			for column, want := range map[string]string{"last_report": last, "last_report_time": last,
				"first_report": s.At(60 * day), "netbios_name": fmt.Sprintf("PC-%d", n)} {
				if got, has := row[column]; has && got != want {
					t.Errorf("%s: %s of client %d is %s, want %s", name, column, n, got, want)
				}
			}
		}
	}
}

// TestArrivalMakesAStateStale has clocks that say otherwise, and both edges of both ages.
func TestArrivalMakesAStateStale(t *testing.T) {
	s := reportstest.NewSeed(t)
	cases := []struct {
		name          string
		sent, arrived time.Duration
		reported      time.Duration
		stale         bool
	}{
		{"arrived long ago, by a clock that says now", 0, 200 * hour, hour, true},
		{"arrived long ago, by a clock ahead", -100 * day, 200 * hour, hour, true},
		{"arrived now, by a clock of long ago", 300 * day, hour, hour, false},
		{"a minute older than a week", 168*hour + time.Minute, 168*hour + time.Minute, hour, true},
		{"a minute younger than a week", 168*hour - time.Minute, 168*hour - time.Minute, hour, false},
		{"its client reported a minute within the day", 200 * hour, 200 * hour, day - time.Minute, true},
		{"its client reported a minute before the day", 200 * hour, 200 * hour, day + time.Minute, false},
	}
	var want []string
	for n, c := range cases {
		s.Reports(report{Client: n, Name: c.name, Received: c.reported, File: fmt.Sprint(n)})
		s.Messages(message{Client: n, Serial: 1, Ago: c.sent, Received: c.arrived, Topic: 501, ID: "W", State: 3})
		if c.stale {
			want = append(want, c.name)
		}
	}
	got := strings.Split(lines(s.All(s.Runner(), "stale-states", nil), "netbios_name"), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOnlyAClientWhoseMessagesAllArrivedHasNothingToSay holds the verdict on a silent client against what is known of
// it.
func TestOnlyAClientWhoseMessagesAllArrivedHasNothingToSay(t *testing.T) {
	s := reportstest.NewSite(t)
	const nothing, silent = "connected with nothing to say", "connected but silent"
	unknown := 4294967295
	cases := []struct {
		name          string
		seen, claimed uint64
		unsent        int
		polled, quiet time.Duration
		verdict       string
	}{
		{"all that it claims arrived", 10, 10, 0, hour, 3 * day, nothing},
		{"more arrived than it claims", 10, 9, 0, hour, 4 * day, nothing},
		{"its last message never arrived", 10, 11, 0, hour, 5 * day, silent},
		{"one state waits on it", 10, 10, 1, hour, 6 * day, silent},
		{"it does not say what waits", 10, 10, unknown, hour, 7 * day, silent},
		{"it asked a minute within the day", 10, 10, 0, day - time.Minute, 8 * day, nothing},
		{"it asked a minute before the day", 10, 10, 0, day + time.Minute, 9 * day, "silent"},
		{"it never asked", 10, 0, -1, 0, 10 * day, "silent"},
		{"it reported a minute within the day", 10, 10, 1, hour, day - time.Minute, ""},
		{"it reported a minute before the day", 10, 10, 1, hour, day + time.Minute, silent},
	}
	want := map[string][]string{}
	for n, c := range cases {
		s.Reports(report{Client: n, Name: c.name, Received: c.quiet, File: fmt.Sprint(n)})
		s.Arrived(n, 1, c.seen)
		if c.unsent >= 0 {
			s.Polled(n, c.claimed, 5, c.unsent, c.polled)
		}
		if c.verdict != "" {
			want[c.verdict] = append(want[c.verdict], c.name)
			want[""] = append(want[""], c.verdict+" | "+c.name)
		}
	}
	r := s.Runner()
	for _, verdict := range []string{nothing, silent, "silent"} {
		got := s.All(r, "silent-clients", map[string]string{"verdict": verdict})
		for i := range got {
			got[i] = map[string]string{"name": got[i]["netbios_name"]}
		}
		sorted := strings.Split(lines(got, "name"), "\n")
		slices.Sort(sorted)
		slices.Sort(want[verdict])
		if !slices.Equal(sorted, want[verdict]) {
			t.Errorf("%s: got\n%s\nwant\n%s", verdict, strings.Join(sorted, "\n"), strings.Join(want[verdict], "\n"))
		}
	}
	whole := s.All(r, "silent-clients", nil)
	for _, row := range whole {
		if row["netbios_name"] == "it does not say what waits" && row["unsent"] != "" ||
			row["netbios_name"] == "one state waits on it" && row["unsent"] != "1" {
			t.Errorf("%s: %s states are unsent", row["netbios_name"], row["unsent"])
		}
	}
	all := strings.Split(lines(whole, "verdict", "netbios_name"), "\n")
	slices.Sort(all)
	slices.Sort(want[""])
	if !slices.Equal(all, want[""]) {
		t.Errorf("all: got\n%s\nwant\n%s", strings.Join(all, "\n"), strings.Join(want[""], "\n"))
	}
}

// TestTheReasonWhyAClientIsUnknownIsTheFirstThatApplies has clients to whom several apply, and both sides of each edge.
func TestTheReasonWhyAClientIsUnknownIsTheFirstThatApplies(t *testing.T) {
	s := reportstest.NewSite(t)
	const wait, silent, never = "states wait on the client to be sent", "silent: no report for a long time",
		"never reported on this topic"
	cases := []struct {
		name   string
		unsent int
		quiet  time.Duration
		reason string
	}{
		{"it never said what waits", -1, hour, never}, {"nothing waits on it", 0, hour, never},
		{"a state waits on it", 1, hour, wait},
		{"it says nothing of its states", 4294967295, hour, never},
		{"a state waits, a minute within a fortnight", 1, 14*day - time.Minute, wait},
		{"a state waits on a silent one", 1, 14*day + time.Minute, wait},
		{"nothing waits, a minute beyond a fortnight", 0, 14*day + time.Minute, silent},
	}
	want := map[string]string{}
	for n, c := range cases {
		s.Reports(report{Client: n, Name: c.name, Received: c.quiet, File: fmt.Sprint(n)})
		if c.unsent >= 0 {
			s.Polled(n, 0, 5, c.unsent, hour)
		}
		want[c.name] = c.reason
	}
	got := map[string]string{}
	for _, row := range s.All(s.Runner(), "unknown-clients", map[string]string{"topic_type": "300"}) {
		got[row["netbios_name"]] = row["reason"]
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestWhatCameBeforeThePickupIsNoAnswer has the same message on both sides of it.
func TestWhatCameBeforeThePickupIsNoAnswer(t *testing.T) {
	s := reportstest.NewSite(t)
	for n := 1; n <= 4; n++ {
		s.Client(n, 10, hour)
		s.Issued(n, 1, "missing", 11, 8*hour)
	}
	held := func(n int, serial uint64, received time.Duration) message {
		return message{Client: n, Serial: serial, Ago: 30 * hour, Received: received, Topic: 500, ID: "a", State: 2}
	}
	s.PickedUp(1, 1, 5*hour)
	s.Messages(held(1, 10, 30*hour), held(1, 11, 6*hour)) // on its way when it was picked up
	s.PickedUp(2, 1, 5*hour)
	s.Messages(held(2, 10, 30*hour), held(2, 11, 4*hour))
	s.Messages(held(3, 10, 30*hour), held(3, 11, 4*hour)) // it was never picked up
	s.PickedUp(4, 1, 5*hour)
	s.Messages(held(4, 9, 30*hour), held(4, 10, 4*hour)) // below the serials of the answer
	expect(t, lines(s.All(s.Runner(), "resyncs", map[string]string{"step": "any"}), "netbios_name", "step", "picked_up",
		"answering"), `
PC-0001 | picked up | `+s.At(5*hour)+` | 
PC-0002 | answering | `+s.At(5*hour)+` | `+s.At(4*hour)+`
PC-0003 | issued |  | 
PC-0004 | picked up | `+s.At(5*hour)+` |`)
}

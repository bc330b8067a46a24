package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports/web"
)

// crowd is a site in which all that a report sorts by has ties: several clients, topics and ranges share each time. Each client's last
// report stands between older ones, and its name is the last one.
func crowd(t testing.TB) *site {
	s := newSite(t)
	var reports []report
	var said []message
	for n := 1; n <= 6; n++ {
		tie := time.Duration(n/4+1) * 30 * hour // clients 1 to 3, and 4 to 6
		reports = append(reports, report{client: n, name: fmt.Sprintf("OLD-%d", n), received: 60 * day, file: fmt.Sprint("a", n), messages: 1, setAside: 2},
			report{client: n, name: fmt.Sprintf("PC-%d", n), received: tie, file: fmt.Sprint("b", n), messages: 1},
			report{client: n, name: fmt.Sprintf("OLD-%d", n), received: 50 * day, file: fmt.Sprint("c", n), messages: 1})
		for i, id := range []string{"A", "B"} {
			for k, topic := range []uint32{300, 301, 402, 501} {
				said = append(said, message{client: n, serial: uint64(10*i + k + 1), ago: 40 * day, topic: topic, id: id, state: []uint32{2, 6, 11, 5}[k], params: []string{"0x80240022"}})
			}
		}
		said = append(said, message{client: n, serial: 40, ago: 20 * day, topic: 700, id: "x", state: 2, params: []string{"30"}})
		s.arrived(n, 1, 40)
		s.polled(n, 45, 9, 3, hour)
		s.missing(n, 41, 42, tie)
		s.missing(n, 44, 45, tie)
		s.missing(n, 50, 3_000_050, tie)
		s.issued(n, 1, "missing", 46, 100*hour)
		s.issued(n, 2, "missing", 46, 20*hour)
		at := s.micros(tie)
		s.exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES ('%[1]s', 41, 'reused', '%[2]s', '%[2]s'), ('%[1]s', 42, 'reused', '%[2]s', '%[2]s')", id(n), at))
		s.exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, client_digest, site_states, site_digest) VALUES ('%[1]s', 1, '%[2]s', '%[2]s', 22, 1, 23, 2)", id(n), at))
		s.exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line, column, received_time, set_aside_time)
			VALUES ('%[1]s', 'f', 0, 3, 11, 'bad_date', 'no date', 3, 77, '%[2]s', '%[3]s'), ('%[1]s', 'f', 0, 4, 12, 'bad_%[4]d', 'no date', 3, 77, '%[2]s', '%[3]s')`, id(n), at, at[:23], n))
		s.exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES ('f%d.SMX', 'x', 'y', 1, 2, 3, '%s')", n, at[:23]))
		s.exec(fmt.Sprintf("INSERT INTO set_aside_ends (name, until, received_time, how, client_id, code, records, time) VALUES ('e%[1]d', '%[2]s', '%[2]s', 'dropped', '%[3]s', 'x', 1, '%[4]s')", n, at, id(n), at[:23]))
		s.exec(fmt.Sprintf("INSERT INTO refused_reports (slot, change, client_id, refused_time, code) VALUES (%d, 1, '%s', '%s', 'x')", n, id(n), at))
		s.checked(tie + time.Duration(n)*time.Minute) // one check at a time
	}
	s.reports(reports...)
	s.messages(said...)
	return s
}

// asked is what a report is asked, so that the crowd gives it rows.
var asked = map[string]map[string]string{
	"client-states": {"client": "pc-1"}, "messages": {"client": "pc-1"}, "clients-in-state": {"topic_type": "300", "state_id": "2"},
	"failing-clients": {"topic_type": "402", "state_id": "11", "code": "0x80240022"}, "unknown-clients": {"topic_type": "900"},
	"stale-states": {"reported_within_hours": "1000"}, "resyncs": {"step": "any"}, "missing-ranges": {"jumps": "both"},
	"client-completeness": {"only": "all"}, "set-aside": {"hours": "10000"}, "volume": {"hours": "2000"}, "state-names": {"search": "302"},
}

// few are the reports of which the crowd has fewer than four rows.
var few = []string{"account", "completeness", "failures", "volume", "wrong-clocks"}

// TestEachRowOfAReportIsOnOnePage reads every report whole, and in pages that cut its ties. What it says of a client
// beside that is the client's: its name, and when its last report came.
func TestEachRowOfAReportIsOnOnePage(t *testing.T) {
	s := crowd(t)
	r := s.runner(func(_ *Config, d *Deps) { s.deps(d) })
	for _, rep := range r.Catalog().List() {
		if len(rep.Order) == 0 {
			continue
		}
		params := asked[rep.Name]
		whole, columns := s.paged(r, rep.Name, params, 0)
		if len(whole) < 4 && !slices.Contains(few, rep.Name) {
			t.Errorf("%s: only %d rows", rep.Name, len(whole))
		}
		if len(slices.Compact(slices.Sorted(slices.Values(whole)))) != len(whole) {
			t.Errorf("%s: a row stands twice", rep.Name)
		}
		limit := 2 // which cuts ties of three, as the other does, and that one pairs
		if len(whole) > 6 {
			limit = 5
		}
		if got, _ := s.paged(r, rep.Name, params, limit); !slices.Equal(got, whole) {
			t.Errorf("%s in pages of %d: %d rows, want %d\ngot\n%s\nwant\n%s", rep.Name, limit, len(got), len(whole), strings.Join(got, "\n"), strings.Join(whole, "\n"))
		}
		s.aboutClients(t, rep.Name, columns)
	}
}

// paged reads a report in pages, each row as one text; ages are left out, which grow meanwhile.
func (s *site) paged(r *Runner, name string, params map[string]string, limit int) (all []string, rows []map[string]string) {
	s.t.Helper()
	cursor := ""
	for pages := 0; ; pages++ {
		page, err := r.Run(s.t.Context(), name, params, Page{Limit: limit, Cursor: cursor})
		if err != nil {
			s.t.Fatalf("report %s: %v", name, err)
		}
		columns := page.Columns
		list := readRows(s.t, page)
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
			s.t.Fatalf("%s: page %d has %d rows, not %d", name, pages, len(list), limit)
		}
	}
}

func (s *site) aboutClients(t *testing.T, name string, rows []map[string]string) {
	t.Helper()
	for n := 1; n <= 6; n++ {
		last := s.at(time.Duration(n/4+1) * 30 * hour)
		for _, row := range rows {
			if row["client_id"] != id(n).String() {
				continue
			}
			for column, want := range map[string]string{"last_report": last, "last_report_time": last, "first_report": s.at(60 * day), "netbios_name": fmt.Sprintf("PC-%d", n)} {
				if got, has := row[column]; has && got != want {
					t.Errorf("%s: %s of client %d is %s, want %s", name, column, n, got, want)
				}
			}
		}
	}
}

// TestArrivalMakesAStateStale has clocks that say otherwise, and both edges of both ages.
func TestArrivalMakesAStateStale(t *testing.T) {
	s := newSeed(t)
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
		s.reports(report{client: n, name: c.name, received: c.reported, file: fmt.Sprint(n)})
		s.messages(message{client: n, serial: 1, ago: c.sent, received: c.arrived, topic: 501, id: "W", state: 3})
		if c.stale {
			want = append(want, c.name)
		}
	}
	got := strings.Split(lines(s.all(s.runner(), "stale-states", nil), "netbios_name"), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOnlyAClientWhoseMessagesAllArrivedHasNothingToSay holds the verdict on a silent client against what is known of it.
func TestOnlyAClientWhoseMessagesAllArrivedHasNothingToSay(t *testing.T) {
	s := newSite(t)
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
		s.reports(report{client: n, name: c.name, received: c.quiet, file: fmt.Sprint(n)})
		s.arrived(n, 1, c.seen)
		if c.unsent >= 0 {
			s.polled(n, c.claimed, 5, c.unsent, c.polled)
		}
		if c.verdict != "" {
			want[c.verdict] = append(want[c.verdict], c.name)
			want[""] = append(want[""], c.verdict+" | "+c.name)
		}
	}
	r := s.runner()
	for _, verdict := range []string{nothing, silent, "silent"} {
		got := s.all(r, "silent-clients", map[string]string{"verdict": verdict})
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
	whole := s.all(r, "silent-clients", nil)
	for _, row := range whole {
		if row["netbios_name"] == "it does not say what waits" && row["unsent"] != "" || row["netbios_name"] == "one state waits on it" && row["unsent"] != "1" {
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
	s := newSite(t)
	const wait, silent, never = "states wait on the client to be sent", "silent: no report for a long time", "never reported on this topic"
	cases := []struct {
		name   string
		unsent int
		quiet  time.Duration
		reason string
	}{
		{"it never said what waits", -1, hour, never}, {"nothing waits on it", 0, hour, never}, {"a state waits on it", 1, hour, wait},
		{"it says nothing of its states", 4294967295, hour, never}, {"a state waits, a minute within a week", 1, 7*day - time.Minute, wait},
		{"a state waits, a minute beyond a week", 1, 7*day + time.Minute, silent}, {"nothing waits, a minute beyond a week", 0, 7*day + time.Minute, silent},
	}
	want := map[string]string{}
	for n, c := range cases {
		s.reports(report{client: n, name: c.name, received: c.quiet, file: fmt.Sprint(n)})
		if c.unsent >= 0 {
			s.polled(n, 0, 5, c.unsent, hour)
		}
		want[c.name] = c.reason
	}
	got := map[string]string{}
	for _, row := range s.all(s.runner(), "unknown-clients", map[string]string{"topic_type": "300"}) {
		got[row["netbios_name"]] = row["reason"]
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestWhatCameBeforeThePickupIsNoAnswer has the same message on both sides of it.
func TestWhatCameBeforeThePickupIsNoAnswer(t *testing.T) {
	s := newSite(t)
	for n := 1; n <= 4; n++ {
		s.client(n, 10, hour)
		s.issued(n, 1, "missing", 11, 8*hour)
	}
	held := func(n int, serial uint64, received time.Duration) message {
		return message{client: n, serial: serial, ago: 30 * hour, received: received, topic: 500, id: "a", state: 2}
	}
	s.pickedUp(1, 1, 5*hour)
	s.messages(held(1, 10, 30*hour), held(1, 11, 6*hour)) // on its way when it was picked up
	s.pickedUp(2, 1, 5*hour)
	s.messages(held(2, 10, 30*hour), held(2, 11, 4*hour))
	s.messages(held(3, 10, 30*hour), held(3, 11, 4*hour)) // it was never picked up
	s.pickedUp(4, 1, 5*hour)
	s.messages(held(4, 9, 30*hour), held(4, 10, 4*hour)) // below the serials of the answer
	expect(t, lines(s.all(s.runner(), "resyncs", map[string]string{"step": "any"}), "netbios_name", "step", "picked_up", "answering"), `
PC-0001 | picked up | `+s.at(5*hour)+` | 
PC-0002 | answering | `+s.at(5*hour)+` | `+s.at(4*hour)+`
PC-0003 | issued |  | 
PC-0004 | picked up | `+s.at(5*hour)+` |`)
}

// TestTheNearestOneIsTheEndOfTheNextRun traces between runs of which no message is stored.
func TestTheNearestOneIsTheEndOfTheNextRun(t *testing.T) {
	s := newSite(t)
	s.client(1, 5, hour)
	s.arrived(1, 10, 12, 20, 22, 30, 30)
	for serial, want := range map[uint64][]string{
		7:  {"Serial 5 arrived, the nearest one before it", "Serial 10 arrived, the nearest one after it"},
		15: {"Serial 12 arrived, the nearest one before it", "Serial 20 arrived, the nearest one after it"},
		25: {"Serial 22 arrived, the nearest one before it", "Serial 30 arrived, the nearest one after it"},
	} {
		trace, err := s.detective().Trace(t.Context(), "PC-0001", serial)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(trace.String()), " ")
		for _, sentence := range want {
			if !strings.Contains(text, sentence) {
				t.Errorf("message %d: no %q in %s", serial, sentence, text)
			}
		}
	}
}

// TestOnlyWhatTheClientLeftOutIsUnconfirmed looks at the badges of a client's page.
func TestOnlyWhatTheClientLeftOutIsUnconfirmed(t *testing.T) {
	s := brokenClients(t)
	s.messages(message{client: 10, serial: 40, ago: 90 * time.Minute, topic: 500, id: "first-of-the-answer", state: 2}, message{client: 10, ago: 90 * time.Minute, topic: 777, id: "instant", state: 2})
	h := handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
	const row, badge = `<tr class="unconfirmed">`, `>unconfirmed</span>`
	body := get(t, h, "/clients/"+id(10).String()).Body.String()
	_, marked, _ := strings.Cut(body, row)
	marked, _, _ = strings.Cut(marked, "</tr>")
	if strings.Count(body, row) != 1 || strings.Count(body, badge) != 1 || !strings.Contains(marked, badge) || !strings.Contains(marked, "gone") {
		t.Errorf("the row that is marked: %s", marked)
	}
	if body := get(t, h, "/clients/"+id(13).String()).Body.String(); strings.Contains(body, row) || strings.Contains(body, badge) {
		t.Errorf("a client that left nothing out: %s", body)
	}
}

// TestColoursOfAgesAndShares has both sides of each threshold.
func TestColoursOfAgesAndShares(t *testing.T) {
	for share, want := range map[float64]web.Tone{100: web.ToneGood, 99.9: web.ToneGood, 99.89: web.ToneBusy, 98: web.ToneBusy, 97.99: web.ToneBad, 0: web.ToneBad} {
		if got := completeTone(share); got != want {
			t.Errorf("%v %% is %s, want %s", share, got, want)
		}
	}
	for hours, want := range map[int]web.Tone{0: web.ToneGood, 23: web.ToneGood, 24: web.ToneBusy, 167: web.ToneBusy, 168: web.ToneBad} {
		if got := ageTone(hours); got != want {
			t.Errorf("%d hours are %s, want %s", hours, got, want)
		}
	}
	s := newSite(t)
	for n, last := range []uint64{1000, 1000} { // one of 2,000 is missing: 99.95 in the mean of two clients
		s.arrived(n+1, 1, last)
	}
	s.missing(1, 500, 500, hour)
	s.checked(time.Minute)
	if body := get(t, handler(t, s.seed), "/completeness").Body.String(); !strings.Contains(body, "99.95 %") {
		t.Errorf("%s", body)
	}
}

package reports_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// model is what a small site holds, and what reports have to say of it, worked out without a query.
type model struct {
	*reportstest.Seed
	reported map[int][]report
	sent     []message
}

// topicKey is one topic of one client.
type topicKey struct {
	client int
	topic  uint32
	ID     string
}

// modelled is a site of eight clients: each has its last report between others, its clock is wrong by weeks, and what
// it says comes in no order. Every message is stored twice, the copy later and in another file: it may move nothing.
func modelled(t testing.TB) *model {
	m := &model{Seed: reportstest.NewSeed(t), reported: map[int][]report{}}
	random := rand.New(rand.NewPCG(7, 7))
	// of client 1 to 8
	quiet := []time.Duration{0, time.Minute, 23 * hour, 23 * hour, 25 * hour, 8 * day, 8 * day, 6 * day, 20 * day}
	var reports []report
	for n := 1; n <= 8; n++ {
		m.reported[n] = []report{
			{Client: n, Name: fmt.Sprintf("OLD-%d", n), Received: 60 * day, File: fmt.Sprintf("a-%d", n), Messages: 5},
			{Client: n, Name: fmt.Sprintf("PC-%d", n), Received: quiet[n], Lag: time.Second, File: fmt.Sprintf("b-%d", n),
				Messages: 5},
			{Client: n, Name: fmt.Sprintf("OLD-%d", n), Received: 50 * day, File: fmt.Sprintf("c-%d", n), Messages: 5},
		}
		reports = append(reports, m.reported[n]...)
	}
	m.Reports(reports...)
	codes := []string{"0x80240022", "4294967295", "-2145124318", "none"}
	for n := 1; n <= 8; n++ {
		for i := range 20 {
			said := message{
				Client: n, Serial: uint64(1 + (i*7)%20), Topic: []uint32{300, 301, 402, 501}[random.IntN(4)],
				ID:       []string{"A", "B"}[random.IntN(2)],
				Ago:      time.Duration(random.IntN(80*24)-20*24) * hour,
				Received: quiet[n] + time.Duration(1+random.IntN(20)*24)*hour + time.Minute,
				File:     fmt.Sprintf("m-%d-%d", n, i),
			}
			said.State = map[uint32][]uint32{300: {1, 2, 77}, 301: {4, 6, 6}, 402: {10, 11, 11},
				501: {3, 5, 3}}[said.Topic][random.IntN(3)]
			said.Params = []string{codes[random.IntN(4)], fmt.Sprint(n)}
			if said.ID == "B" && n > 5 {
				said.ID = "A" // some clients are unknown on B
			}
			m.sent = append(m.sent, said)
		}
		// Two instant messages: the one that came last counts, whatever the clock says, unless a numbered one is there.
		m.sent = append(m.sent, message{Client: n, Ago: 5 * hour, Received: 9*day + 2*hour, Topic: 777, ID: "I", State: 1},
			message{Client: n, Ago: 6 * hour, Received: 9*day + hour, Topic: 777, ID: "I", State: 2},
			message{Client: n, Ago: 6 * hour, Received: time.Duration(n)*hour + time.Minute, Topic: 300, ID: "A", State: 5})
	}
	again := slices.Clone(m.sent)
	for i := range again {
		again[i].Received -= time.Second
		again[i].File = "again"
	}
	m.Messages(m.sent...)
	m.Messages(again...)
	return m
}

// last is how long ago a client's last report came.
func (m *model) last(client int) time.Duration {
	return slices.MinFunc(m.reported[client], func(a, b report) int {
		return cmp.Compare(a.Received,
			b.Received)
	}).Received
}

// current is what counts of each topic: the greatest serial, and of instant messages the one that arrived last.
func (m *model) current() map[topicKey]message {
	latest := map[topicKey]message{}
	for _, said := range m.sent {
		key := topicKey{said.Client, said.Topic, said.ID}
		if old, ok := latest[key]; !ok || said.Serial > old.Serial || said.Serial == 0 && old.Serial == 0 &&
			said.Received < old.Received {
			latest[key] = said
		}
	}
	return latest
}

// among are the current messages that a report is about, sorted as it sorts them.
func (m *model) among(wanted func(message) bool, order func(a, b message) int) []message {
	all := slices.Collect(maps.Values(m.current()))
	all = slices.DeleteFunc(all, func(said message) bool { return !wanted(said) })
	slices.SortFunc(all, func(a, b message) int {
		return cmp.Or(order(a, b), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func byArrival(a, b message) int    { return cmp.Compare(b.Received, a.Received) }
func byClock(a, b message) int      { return cmp.Compare(a.Ago, b.Ago) }
func anyOrder(message, message) int { return 0 }

var modelStates = map[string]string{
	"300 1": "Compliant", "300 2": "Non-compliant", "301 4": "Successfully installed update(s)",
	"301 6":  "Failed to install update(s)",
	"402 11": "Failed to install update", "501 3": "Scan completed", "501 5": "Scan failed",
}

func stateName(topic, state uint32) string {
	return cmp.Or(modelStates[fmt.Sprint(topic, " ", state)], fmt.Sprintf("State %d", state))
}

// buckets are the lines of a report that counts the clients in each state of each topic id.
func (m *model) buckets(topic uint32) string {
	var out []string
	for _, id := range []string{"A", "B"} {
		count, newest, all := map[uint32]int{}, map[uint32]time.Duration{}, 0
		for key, said := range m.current() {
			if key.topic == topic && key.ID == id {
				if count[said.State]++; count[said.State] == 1 || said.Ago < newest[said.State] {
					newest[said.State] = said.Ago
				}
				all++
			}
		}
		for _, state := range slices.Sorted(maps.Keys(count)) {
			out = append(out, fmt.Sprintf("%s | %d | %s | %d | %v | %s", id, state, stateName(topic, state), count[state],
				float64(1000*count[state]/all)/10, m.At(newest[state])))
		}
	}
	return strings.Join(out, "\n")
}

// TestReportsSayWhatASmallModelSays compares row by row.
func TestReportsSayWhatASmallModelSays(t *testing.T) {
	m := modelled(t)
	r := m.Runner()
	pc := func(said message) string { return fmt.Sprintf("PC-%d", said.Client) }
	check := func(name string, params map[string]string, want []string, columns ...string) {
		t.Helper()
		if len(want) == 0 {
			t.Fatalf("%s: the model has no row", name)
		}
		if got := lines(m.All(r, name, params), columns...); strings.TrimSpace(got) != strings.TrimSpace(strings.Join(want,
			"\n")) {
			t.Errorf("%s %v: got\n%s\nwant\n%s", name, params, got, strings.Join(want, "\n"))
		}
	}
	write := func(list []message, line func(message) string) (out []string) {
		for _, said := range list {
			out = append(out, line(said))
		}
		return out
	}

	counts := []string{"state_id", "state_name", "clients", "percent", "newest_message"}
	for name, c := range map[string]struct {
		topic uint32
		ID    string
	}{
		"compliance": {300, "topic_id"}, "deployment-enforcement": {301, "deployment"}, "scan-states": {501, "source"},
	} {
		check(name, nil, strings.Split(m.buckets(c.topic), "\n"), append([]string{c.ID}, counts...)...)
	}
	check("clients-in-state", map[string]string{"topic_type": "402", "state_id": "11"},
		write(m.among(func(said message) bool { return said.Topic == 402 && said.State == 11 }, byArrival),
			func(said message) string {
				return fmt.Sprint(pc(said), " | ", said.ID, " | ", m.At(said.Received), " | ", m.At(said.Ago), " | ",
					m.At(m.last(said.Client)), " | ", said.Serial)
			}), "netbios_name", "topic_id", "last_message_received", "last_message_time", "last_report", "serial")
	check("stale-states", map[string]string{"topic_type": "300"}, write(m.among(func(said message) bool {
		return said.Topic == 300 && said.Received > 168*hour && m.last(said.Client) < day
	}, byArrival), func(said message) string {
		return fmt.Sprint(pc(said), " | ", said.ID, " | ", stateName(300, said.State), " | ", m.At(said.Received), " | ",
			m.At(m.last(said.Client)), " | ", said.Serial)
	}), "netbios_name", "topic_id", "state_name", "last_message_received", "last_report", "serial")
	check("client-states", map[string]string{"client": "pc-3"},
		write(m.among(func(said message) bool { return said.Client == 3 }, func(a, b message) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
		}), func(said message) string {
			return fmt.Sprint(said.Topic, " | ", said.ID, " | ", said.State, " | ", m.At(said.Received), " | ", m.At(said.Ago),
				" | ", said.Serial)
		}), "topic_type", "topic_id", "state_id", "last_message_received", "last_message_time", "serial")

	failing := func(said message) bool {
		return stateName(said.Topic, said.State) == "Failed to install update"
	}
	written := map[string]string{"0x80240022": "0x80240022", "4294967295": "0xFFFFFFFF", "-2145124318": "0x80240022",
		"none": ""}
	for _, code := range []string{"0x80240022", "0xffffffff"} {
		list := m.among(func(said message) bool {
			return failing(said) && strings.EqualFold(written[said.Params[0]], code)
		}, byClock)
		check("failing-clients", map[string]string{"topic_type": "402", "state_id": "11", "code": code},
			write(list, func(said message) string {
				return fmt.Sprint(pc(said), " | ", said.ID, " | ", written[said.Params[0]], " | ", m.At(said.Ago), " | ",
					m.At(said.Received), " | ", m.At(m.last(said.Client)))
			}), "netbios_name", "topic_id", "error_code", "message_time", "received_time", "last_report")
	}
	check("failures", map[string]string{"topic_type": "402"}, m.failures(failing, written), "state_id", "error_code",
		"clients", "topic_ids", "oldest_message", "newest_message")
	m.checkClients(t, r)
	m.checkEdges(t)
}

// failures counts by code, the most clients first.
func (m *model) failures(failing func(message) bool, written map[string]string) (out []string) {
	type tally struct {
		clients        map[int]bool
		ids            map[string]bool
		oldest, newest time.Duration
	}
	counted := map[string]*tally{}
	for _, said := range m.among(failing, anyOrder) {
		code := written[said.Params[0]]
		if counted[code] == nil {
			counted[code] = &tally{map[int]bool{}, map[string]bool{}, said.Ago, said.Ago}
		}
		c := counted[code]
		c.clients[said.Client], c.ids[said.ID] = true, true
		c.oldest, c.newest = max(c.oldest, said.Ago), min(c.newest, said.Ago)
	}
	codes := slices.SortedFunc(maps.Keys(counted), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(counted[b].clients), len(counted[a].clients)), strings.Compare(a, b))
	})
	for _, code := range codes {
		c := counted[code]
		out = append(out, fmt.Sprint("11 | ", code, " | ", len(c.clients), " | ", len(c.ids), " | ", m.At(c.oldest), " | ",
			m.At(c.newest)))
	}
	return out
}

// checkClients compares the reports that are about clients alone.
func (m *model) checkClients(t *testing.T, r *reports.Runner) {
	t.Helper()
	quietest := slices.SortedFunc(maps.Keys(m.reported), func(a,
		b int) int {
		return cmp.Or(cmp.Compare(m.last(b), m.last(a)), cmp.Compare(a, b))
	})
	want := func(keep func(int) bool, line func(int) string) string {
		var out []string
		for _, n := range quietest {
			if keep(n) {
				out = append(out, line(n))
			}
		}
		return strings.Join(out, "\n")
	}
	row := func(n int) string {
		return fmt.Sprintf("PC-%d | %s | %s", n, m.At(60*day), m.At(m.last(n)))
	}
	expect(t, lines(m.All(r, "clients", nil), "netbios_name", "first_report_time", "last_report_time"),
		want(func(int) bool { return true }, row))
	expect(t, lines(m.All(r, "clients", map[string]string{"min_age_hours": "24", "max_age_hours": "168"}), "netbios_name",
		"first_report_time", "last_report_time"),
		want(func(n int) bool { return m.last(n) >= 24*hour && m.last(n) < 168*hour }, row))
	expect(t, lines(m.All(r, "clients", map[string]string{"name": "OLD"}), "netbios_name"), "")
	known := m.current()
	never := func(n int) bool {
		_, a := known[topicKey{n, 300, "A"}]
		_, b := known[topicKey{n, 300, "B"}]
		return !a && !b
	}
	expect(t, lines(m.All(r, "unknown-clients", map[string]string{"topic_type": "300"}), "netbios_name", "reason",
		"first_report", "last_report"), want(never, func(n int) string {
		reason := map[bool]string{true: "silent: no report for a long time",
			false: "never reported on this topic"}[m.last(n) > 14*day]
		return fmt.Sprintf("PC-%d | %s | %s | %s", n, reason, m.At(60*day), m.At(m.last(n)))
	}))
}

// TestWhatLooksLikeAFailureCode has the edges of the numbers that do. Both reports have to agree.
func TestWhatLooksLikeAFailureCode(t *testing.T) {
	s := reportstest.NewSeed(t)
	cases := []struct{ given, code string }{
		{"4294967295", "0xFFFFFFFF"}, {"2147483648", "0x80000000"}, {"4294967296", ""}, {"2147483647", ""},
		{"9999999999", ""},
		{"0x80000000", "0x80000000"}, {"0xffffffff", "0xFFFFFFFF"}, {"0x7FFFFFFF", ""}, {"0x8000000", ""},
		{"0x800000000", ""},
		{"-2147483648", "0x80000000"}, {"-1000000", "0xFFF0BDC0"}, {"-999999", ""}, {"x0x80000000", ""}, {"", ""},
	}
	count := map[string]int{}
	for n, c := range cases {
		s.Reports(report{Client: n, Name: fmt.Sprintf("PC%02d", n), Received: hour, File: fmt.Sprint(n)})
		s.Messages(message{Client: n, Serial: 1, Ago: hour, Topic: 402, ID: "U", State: 11, Params: []string{"5", c.given}})
		count[c.code]++
	}
	r := s.Runner()
	got := map[string]int{}
	for _, row := range s.All(r, "failures", nil) {
		var n int
		if _, err := fmt.Sscan(row["clients"], &n); err != nil {
			t.Fatal(err)
		}
		got[row["error_code"]] = n
	}
	if !maps.Equal(got, count) {
		t.Errorf("failures says %v, want %v", got, count)
	}
	for code := range count {
		if code == "" {
			continue
		}
		var want []string
		for n, c := range cases {
			if c.code == code {
				want = append(want, fmt.Sprintf("PC%02d", n))
			}
		}
		expect(t, lines(s.All(r, "failing-clients", map[string]string{"topic_type": "402", "state_id": "11", "code": code}),
			"netbios_name"), strings.Join(want, "\n"))
	}
}

// TestAHeaderOfAQueryIsNoFormula holds the names of columns against what holds for cells: whoever writes a query
// chooses them.
func TestAHeaderOfAQueryIsNoFormula(t *testing.T) {
	r := reportstest.NewSeed(t).Runner()
	var out bytes.Buffer
	if err := r.WriteSQL(t.Context(), &out, reports.CSV,
		"SELECT 1 AS `=1+1`, 2 AS `@SUM(A1)`, 3 AS plain, 4 AS `-2+3`, 5 AS `+4`", reports.View{}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[0], []string{"'=1+1", "'@SUM(A1)", "plain", "'-2+3", "'+4"}) ||
		!slices.Equal(rows[1], []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("%q, %v", rows, err)
	}
}

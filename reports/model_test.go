package reports

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
)

// model is what a small site holds, and what reports have to say of it, worked out without a query.
type model struct {
	*seed
	reported map[int][]report
	sent     []message
}

// topicKey is one topic of one client.
type topicKey struct {
	client int
	topic  uint32
	id     string
}

// modelled is a site of eight clients: each has its last report between others, its clock is wrong by weeks, and what it says comes in
// no order. Every message is stored twice, the copy later and in another file: it may move nothing.
func modelled(t testing.TB) *model {
	m := &model{seed: newSeed(t), reported: map[int][]report{}}
	random := rand.New(rand.NewPCG(7, 7))
	quiet := []time.Duration{0, time.Minute, 23 * hour, 23 * hour, 25 * hour, 8 * day, 8 * day, 6 * day, 20 * day} // of client 1 to 8
	var reports []report
	for n := 1; n <= 8; n++ {
		m.reported[n] = []report{
			{client: n, name: fmt.Sprintf("OLD-%d", n), received: 60 * day, file: fmt.Sprintf("a-%d", n), messages: 5},
			{client: n, name: fmt.Sprintf("PC-%d", n), received: quiet[n], lag: time.Second, file: fmt.Sprintf("b-%d", n), messages: 5},
			{client: n, name: fmt.Sprintf("OLD-%d", n), received: 50 * day, file: fmt.Sprintf("c-%d", n), messages: 5},
		}
		reports = append(reports, m.reported[n]...)
	}
	m.reports(reports...)
	codes := []string{"0x80240022", "4294967295", "-2145124318", "none"}
	for n := 1; n <= 8; n++ {
		for i := range 20 {
			said := message{
				client: n, serial: uint64(1 + (i*7)%20), topic: []uint32{300, 301, 402, 501}[random.IntN(4)], id: []string{"A", "B"}[random.IntN(2)],
				ago: time.Duration(random.IntN(80*24)-20*24) * hour, received: quiet[n] + time.Duration(1+random.IntN(20)*24)*hour + time.Minute,
				file: fmt.Sprintf("m-%d-%d", n, i),
			}
			said.state = map[uint32][]uint32{300: {1, 2, 77}, 301: {4, 6, 6}, 402: {10, 11, 11}, 501: {3, 5, 3}}[said.topic][random.IntN(3)]
			said.params = []string{codes[random.IntN(4)], fmt.Sprint(n)}
			if said.id == "B" && n > 5 {
				said.id = "A" // some clients are unknown on B
			}
			m.sent = append(m.sent, said)
		}
		// Two instant messages: the one that came last counts, whatever the clock says, unless a numbered one is there.
		m.sent = append(m.sent, message{client: n, ago: 5 * hour, received: 9*day + 2*hour, topic: 777, id: "I", state: 1},
			message{client: n, ago: 6 * hour, received: 9*day + hour, topic: 777, id: "I", state: 2},
			message{client: n, ago: 6 * hour, received: time.Duration(n)*hour + time.Minute, topic: 300, id: "A", state: 5})
	}
	again := slices.Clone(m.sent)
	for i := range again {
		again[i].received -= time.Second
		again[i].file = "again"
	}
	m.messages(m.sent...)
	m.messages(again...)
	return m
}

// last is how long ago a client's last report came.
func (m *model) last(client int) time.Duration {
	return slices.MinFunc(m.reported[client], func(a, b report) int { return cmp.Compare(a.received, b.received) }).received
}

// current is what counts of each topic: the greatest serial, and of instant messages the one that arrived last.
func (m *model) current() map[topicKey]message {
	latest := map[topicKey]message{}
	for _, said := range m.sent {
		key := topicKey{said.client, said.topic, said.id}
		if old, ok := latest[key]; !ok || said.serial > old.serial || said.serial == 0 && old.serial == 0 && said.received < old.received {
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
		return cmp.Or(order(a, b), cmp.Compare(a.client, b.client), cmp.Compare(a.topic, b.topic), cmp.Compare(a.id, b.id))
	})
	return all
}

func byArrival(a, b message) int    { return cmp.Compare(b.received, a.received) }
func byClock(a, b message) int      { return cmp.Compare(a.ago, b.ago) }
func anyOrder(message, message) int { return 0 }

var modelStates = map[string]string{
	"300 1": "Compliant", "300 2": "Non-compliant", "301 4": "Successfully installed update(s)", "301 6": "Failed to install update(s)",
	"402 11": "Failed to install update", "501 3": "Scan completed", "501 5": "Scan failed",
}

func stateName(topic, state uint32) string {
	return cmp.Or(modelStates[fmt.Sprint(topic, " ", state)], fmt.Sprintf("State %d", state))
}

// buckets are the lines of a report that counts the clients in each state of each topic id, unknown ones last.
func (m *model) buckets(topic uint32, unknown string) string {
	var out []string
	for _, id := range []string{"A", "B"} {
		count, newest, all := map[uint32]int{}, map[uint32]time.Duration{}, 0
		for key, said := range m.current() {
			if key.topic == topic && key.id == id {
				if count[said.state]++; count[said.state] == 1 || said.ago < newest[said.state] {
					newest[said.state] = said.ago
				}
				all++
			}
		}
		for _, state := range slices.Sorted(maps.Keys(count)) {
			out = append(out, fmt.Sprintf("%s | %d | %s | %d | %v | %s", id, state, stateName(topic, state), count[state], float64(count[state])*12.5, m.at(newest[state])))
		}
		out = append(out, fmt.Sprintf("%s |  | Unknown: never %s | %d | %v | ", id, unknown, 8-all, float64(8-all)*12.5))
	}
	return strings.Join(out, "\n")
}

// TestReportsSayWhatASmallModelSays compares row by row.
func TestReportsSayWhatASmallModelSays(t *testing.T) {
	m := modelled(t)
	r := m.runner()
	pc := func(said message) string { return fmt.Sprintf("PC-%d", said.client) }
	check := func(name string, params map[string]string, want []string, columns ...string) {
		t.Helper()
		if len(want) == 0 {
			t.Fatalf("%s: the model has no row", name)
		}
		if got := lines(m.all(r, name, params), columns...); strings.TrimSpace(got) != strings.TrimSpace(strings.Join(want, "\n")) {
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
		topic       uint32
		id, unknown string
	}{
		"compliance":             {300, "topic_id", "reported on this topic"},
		"deployment-enforcement": {301, "deployment", "reported on this deployment"},
		"scan-states":            {501, "source", "told of a scan"},
	} {
		check(name, nil, strings.Split(m.buckets(c.topic, c.unknown), "\n"), append([]string{c.id}, counts...)...)
	}
	check("clients-in-state", map[string]string{"topic_type": "402", "state_id": "11"}, write(m.among(func(said message) bool { return said.topic == 402 && said.state == 11 }, byArrival), func(said message) string {
		return fmt.Sprint(pc(said), " | ", said.id, " | ", m.at(said.received), " | ", m.at(said.ago), " | ", m.at(m.last(said.client)), " | ", said.serial)
	}), "netbios_name", "topic_id", "last_message_received", "last_message_time", "last_report", "serial")
	check("stale-states", map[string]string{"topic_type": "300"}, write(m.among(func(said message) bool {
		return said.topic == 300 && said.received > 168*hour && m.last(said.client) < day
	}, byArrival), func(said message) string {
		return fmt.Sprint(pc(said), " | ", said.id, " | ", stateName(300, said.state), " | ", m.at(said.received), " | ", m.at(m.last(said.client)), " | ", said.serial)
	}), "netbios_name", "topic_id", "state_name", "last_message_received", "last_report", "serial")
	check("client-states", map[string]string{"client": "pc-3"}, write(m.among(func(said message) bool { return said.client == 3 }, func(a, b message) int { return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.id, b.id)) }), func(said message) string {
		return fmt.Sprint(said.topic, " | ", said.id, " | ", said.state, " | ", m.at(said.received), " | ", m.at(said.ago), " | ", said.serial)
	}), "topic_type", "topic_id", "state_id", "last_message_received", "last_message_time", "serial")

	failing := func(said message) bool { return stateName(said.topic, said.state) == "Failed to install update" }
	written := map[string]string{"0x80240022": "0x80240022", "4294967295": "0xFFFFFFFF", "-2145124318": "0x80240022", "none": ""}
	for _, code := range []string{"0x80240022", "0xffffffff"} {
		list := m.among(func(said message) bool { return failing(said) && strings.EqualFold(written[said.params[0]], code) }, byClock)
		check("failing-clients", map[string]string{"topic_type": "402", "state_id": "11", "code": code}, write(list, func(said message) string {
			return fmt.Sprint(pc(said), " | ", said.id, " | ", written[said.params[0]], " | ", m.at(said.ago), " | ", m.at(said.received), " | ", m.at(m.last(said.client)))
		}), "netbios_name", "topic_id", "error_code", "message_time", "received_time", "last_report")
	}
	check("failures", map[string]string{"topic_type": "402"}, m.failures(failing, written), "state_id", "error_code", "clients", "topic_ids", "oldest_message", "newest_message")
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
		code := written[said.params[0]]
		if counted[code] == nil {
			counted[code] = &tally{map[int]bool{}, map[string]bool{}, said.ago, said.ago}
		}
		c := counted[code]
		c.clients[said.client], c.ids[said.id] = true, true
		c.oldest, c.newest = max(c.oldest, said.ago), min(c.newest, said.ago)
	}
	codes := slices.SortedFunc(maps.Keys(counted), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(counted[b].clients), len(counted[a].clients)), strings.Compare(a, b))
	})
	for _, code := range codes {
		c := counted[code]
		out = append(out, fmt.Sprint("11 | ", code, " | ", len(c.clients), " | ", len(c.ids), " | ", m.at(c.oldest), " | ", m.at(c.newest)))
	}
	return out
}

// checkClients compares the reports that are about clients alone.
func (m *model) checkClients(t *testing.T, r *Runner) {
	t.Helper()
	quietest := slices.SortedFunc(maps.Keys(m.reported), func(a, b int) int { return cmp.Or(cmp.Compare(m.last(b), m.last(a)), cmp.Compare(a, b)) })
	want := func(keep func(int) bool, line func(int) string) string {
		var out []string
		for _, n := range quietest {
			if keep(n) {
				out = append(out, line(n))
			}
		}
		return strings.Join(out, "\n")
	}
	row := func(n int) string { return fmt.Sprintf("PC-%d | %s | %s", n, m.at(60*day), m.at(m.last(n))) }
	expect(t, lines(m.all(r, "clients", nil), "netbios_name", "first_report_time", "last_report_time"), want(func(int) bool { return true }, row))
	expect(t, lines(m.all(r, "clients", map[string]string{"min_age_hours": "24", "max_age_hours": "168"}), "netbios_name", "first_report_time", "last_report_time"),
		want(func(n int) bool { return m.last(n) >= 24*hour && m.last(n) < 168*hour }, row))
	expect(t, lines(m.all(r, "clients", map[string]string{"name": "OLD"}), "netbios_name"), "")
	known := m.current()
	expect(t, lines(m.all(r, "unknown-clients", map[string]string{"topic_type": "300", "topic_id": "B"}), "netbios_name", "reason", "first_report", "last_report"),
		want(func(n int) bool { _, said := known[topicKey{n, 300, "B"}]; return !said }, func(n int) string {
			reason := map[bool]string{true: "silent: no report for a long time", false: "never reported on this topic"}[m.last(n) > 7*day]
			return fmt.Sprintf("PC-%d | %s | %s | %s", n, reason, m.at(60*day), m.at(m.last(n)))
		}))
}

// TestWhatLooksLikeAFailureCode has the edges of the numbers that do. Both reports have to agree.
func TestWhatLooksLikeAFailureCode(t *testing.T) {
	s := newSeed(t)
	cases := []struct{ given, code string }{
		{"4294967295", "0xFFFFFFFF"}, {"2147483648", "0x80000000"}, {"4294967296", ""}, {"2147483647", ""}, {"9999999999", ""},
		{"0x80000000", "0x80000000"}, {"0xffffffff", "0xFFFFFFFF"}, {"0x7FFFFFFF", ""}, {"0x8000000", ""}, {"0x800000000", ""},
		{"-2147483648", "0x80000000"}, {"-1000000", "0xFFF0BDC0"}, {"-999999", ""}, {"x0x80000000", ""}, {"", ""},
	}
	count := map[string]int{}
	for n, c := range cases {
		s.reports(report{client: n, name: fmt.Sprintf("PC%02d", n), received: hour, file: fmt.Sprint(n)})
		s.messages(message{client: n, serial: 1, ago: hour, topic: 402, id: "U", state: 11, params: []string{"5", c.given}})
		count[c.code]++
	}
	r := s.runner()
	got := map[string]int{}
	for _, row := range s.all(r, "failures", nil) {
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
		expect(t, lines(s.all(r, "failing-clients", map[string]string{"topic_type": "402", "state_id": "11", "code": code}), "netbios_name"), strings.Join(want, "\n"))
	}
}

// TestAHeaderOfAQueryIsNoFormula holds the names of columns against what holds for cells: whoever writes a query chooses them.
func TestAHeaderOfAQueryIsNoFormula(t *testing.T) {
	r := newSeed(t).runner()
	var out bytes.Buffer
	if err := r.WriteSQL(t.Context(), &out, CSV, "SELECT 1 AS `=1+1`, 2 AS `@SUM(A1)`, 3 AS plain, 4 AS `-2+3`, 5 AS `+4`"); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[0], []string{"'=1+1", "'@SUM(A1)", "plain", "'-2+3", "'+4"}) || !slices.Equal(rows[1], []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("%q, %v", rows, err)
	}
}

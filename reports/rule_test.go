package reports_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// ruleSite is a site that the examples of docs/compliance.md are played on.
type ruleSite struct {
	*reportstest.Seed
	runner   *reports.Runner
	serial   uint64
	asOf     string              // what is asked is of this moment
	machines []map[string]string // that the last question was about
}

func newRuleSite(t *testing.T) *ruleSite {
	s := reportstest.NewSeed(t)
	return &ruleSite{Seed: s, runner: s.Runner()}
}

const secondsForm = "2006-01-02 15:04:05.000000"

// report makes clients known, or heard of again.
func (s *ruleSite) report(from, to int, ago time.Duration) {
	s.Exec(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, source_file, netbios_name)
		SELECT toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(number), 12, '0'))),
			toDateTime64('%s', 6, 'UTC'), concat(toString(number), '.SMX'), concat('PC-', toString(number))
		FROM numbers(%d, %d)`, s.Now.Add(-ago).Format(secondsForm), from, to-from+1))
}

// tell loads one message of each of some clients. told is by their clocks.
func (s *ruleSite) tell(from, to int, topic uint32, id string, state uint32, told, received time.Duration) {
	s.serial++
	s.load(s.serial, from, to, topic, id, state, told, received)
}

func (s *ruleSite) load(serial uint64, from, to int, topic uint32, id string, state uint32, told, received time.Duration) {
	s.Exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id,
		state_id, payload_hash)
		SELECT toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(number), 12, '0'))), %d,
			toDateTime64('%s', 6, 'UTC'), %d, %d, '%s', %d, cityHash64(number, %d, %d)
		FROM numbers(%d, %d)`, serial, s.Now.Add(-received).Format(secondsForm), s.Now.Add(-told).UnixMicro(), topic, id,
		state, serial, state, from, to-from+1))
}

// missing opens or closes the range of one client.
func (s *ruleSite) missing(client int, open bool) {
	s.serial++
	s.Exec(fmt.Sprintf(`INSERT INTO missing_ranges (client_id, first_serial, last_serial, checked_time, closed)
		VALUES ('%s', 1, 2, '%s', %t)`, reportstest.ID(client),
		s.Now.Add(time.Duration(s.serial)*time.Second).Format(secondsForm), !open))
}

// collect makes a list of clients.
func (s *ruleSite) collect(name string, clients ...int) {
	s.Exec(fmt.Sprintf("INSERT INTO collections (name, revision, kind) VALUES ('%s', 1, 'list')", name))
	var rows []string
	for _, n := range clients {
		rows = append(rows, fmt.Sprintf("('%s', 1, '%s')", name, reportstest.ID(n)))
	}
	if len(rows) > 0 {
		s.Exec("INSERT INTO collection_clients (name, revision, client_id) VALUES " + strings.Join(rows, ", "))
	}
}

func (s *ruleSite) target(id, collection string) {
	s.serial++
	s.Exec(fmt.Sprintf("INSERT INTO topic_titles (topic_id, source, target, version) VALUES ('%s', 'file', '%s', %d)", id,
		collection, s.serial))
}

// stand is where the clients stand on a subject: the figures, then each class and cause that has machines. It holds the
// sum against the scope, and the rows behind each number against the number.
func (s *ruleSite) stand(subject, collection string) string {
	s.T.Helper()
	params := map[string]string{"subject": subject, "collection": collection, "as_of": s.asOf}
	rows := s.All(s.runner, "subject", params)
	if len(rows) == 0 {
		s.T.Fatalf("%s: no rows", subject)
	}
	sum, counts, behind := 0, map[string]int{}, map[string]int{}
	for _, row := range rows {
		machines := number(s.T, row["machines"])
		sum += machines
		counts[strings.TrimSuffix(row["class"]+" "+row["cause"], " ")] = machines
	}
	if scope := number(s.T, rows[0]["scope_clients"]); sum != scope {
		s.T.Errorf("%s in %q: the classes add up to %d of %d clients", subject, collection, sum, scope)
	}
	seen := map[string]bool{}
	s.machines = s.All(s.runner, "subject-machines", params)
	params["class"] = "outside" // whoever does not count is listed only when asked for
	s.machines = append(s.machines, s.All(s.runner, "subject-machines", params)...)
	for _, row := range s.machines {
		behind[strings.TrimSuffix(row["class"]+" "+row["cause"], " ")]++
		if seen[row["client_id"]] {
			s.T.Errorf("%s: %s is there twice", subject, row["client_id"])
		}
		seen[row["client_id"]] = true
	}
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n == 0 })
	if !maps.Equal(counts, behind) {
		s.T.Errorf("%s in %q: the counts are %v, the machines behind them %v", subject, collection, counts, behind)
	}
	first := rows[0]
	out := fmt.Sprintf("%s %s/%s, %s/%s/%s:", first["counted"], first["population"], first["scope_clients"], first["percent"],
		first["percent_low"], first["known_percent"])
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out += fmt.Sprintf(" %s %d", name, counts[name])
	}
	return out
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Errorf("%q is no number of machines", text)
	}
	return n
}

// is asks where the clients of the site, or of one collection, stand.
func (s *ruleSite) is(subject, collection, want string) {
	s.T.Helper()
	if got := s.stand(subject, collection); got != want {
		s.T.Errorf("%s in %q is\n%s\nwant\n%s", subject, collection, got, want)
	}
}

func TestExamplesOfTheRuleOnUpdates(t *testing.T) {
	const curl, hour = "curl=7.88.1-10+deb12u15", time.Hour
	s := newRuleSite(t)
	s.report(1, 302, hour)
	// 1. Site of 302. Two Debian machines report curl: one required, one installed. 290 others completed a scan after that
	// id was first seen, 10 have scanned but not since.
	s.tell(1, 1, 500, curl, 2, 5*hour, 5*hour)
	s.tell(2, 2, 500, curl, 3, 5*hour, 5*hour)
	s.tell(3, 292, 501, "apt", 3, 4*hour, 4*hour)
	s.tell(293, 302, 501, "apt", 3, 6*hour, 6*hour)
	s.is(curl, "", "scanned 302/302, 50/8.3/96.6: bad 1 compliant 1 not_applicable_implied 290 not_known not_scanned 10")
	// 4. The same in collection web: A and 4 scanned ones.
	s.collect("web", 1, 3, 4, 5, 6)
	s.is(curl, "web", "scanned 5/5, 0/0/100: bad 1 not_applicable_implied 4")
	// 9. A machine scanned ten days ago and answers a resync today: still not_scanned.
	s.tell(293, 293, 501, "apt", 3, 240*hour, hour/60)
	s.is(curl, "", "scanned 302/302, 50/8.3/96.6: bad 1 compliant 1 not_applicable_implied 290 not_known not_scanned 10")
	// A scan now running takes nothing away from the completed one before it.
	s.tell(3, 3, 501, "apt", 2, hour/2, hour/2)
	// 7. A client with a missing range scans: it is gap, not implied; the range closes: implied.
	s.missing(4, true)
	s.is(curl, "", "scanned 302/302, 50/7.6/96.3: bad 1 compliant 1 not_applicable_implied 289 not_known gap 1 "+
		"not_known not_scanned 10")
	s.missing(4, false)
	// 1. Two hours later the ten have scanned.
	s.tell(293, 302, 501, "apt", 3, 3*hour, 3*hour)
	const later = "scanned 302/302, 50/50/100: bad 1 compliant 1 not_applicable_implied 300"
	s.is(curl, "", later)
	// 8. Any file loaded again changes no figure.
	s.load(1, 1, 1, 500, curl, 2, 5*hour, hour/9)
	s.load(3, 3, 292, 501, "apt", 3, 4*hour, hour/9)
	s.is(curl, "", later)
	// A scan whose time is after its arrival doesn't count: the clock is wrong.
	s.report(303, 304, hour)
	s.tell(303, 303, 501, "apt", 3, -24*365*hour, hour)
	s.is(curl, "", "scanned 303/304, 50/33.3/99.6: bad 1 compliant 1 not_applicable_implied 300 not_known clock 1 outside 1")
	// 6. Nobody needs it.
	s.tell(2, 2, 500, "none", 1, 5*hour, 5*hour)
	s.is("none", "web", "scanned 4/5, //100: not_applicable_implied 4 outside 1")
}

func TestExamplesOfTheRuleOnDeployments(t *testing.T) {
	const day = 24 * time.Hour
	s := newRuleSite(t)
	s.report(1, 500, time.Hour)
	// 2. Deployment without target; 52 of 500 ever spoke of it: 43 successful, 3 installing, 6 failed.
	s.tell(1, 43, 300, "office", 1, day, day)
	s.tell(44, 52, 300, "office", 2, day, day)
	s.tell(44, 46, 301, "office", 1, day, day)
	s.tell(47, 52, 301, "office", 6, day, day)
	s.is("deployment/office", "", "reported 52/500, 82.6/82.6/100: compliant 43 failed 6 outside 448 pending 3")
	// 3. The same with target servers: 55 members; of the 3 that said nothing one has a gap, two are silent for 20 days.
	members := make([]int, 55)
	for i := range members {
		members[i] = i + 1
	}
	s.collect("servers", members...)
	s.target("office", "servers")
	s.missing(53, true)
	s.Exec("TRUNCATE TABLE clients_seen")
	s.report(1, 53, time.Hour)
	s.report(54, 55, 20*day)
	s.report(56, 500, time.Hour)
	s.is("office", "", "targeted 55/500, 82.6/78.1/94.5: compliant 43 failed 6 not_known gap 1 not_known silent 2 "+
		"outside 445 pending 3")
	// Whoever speaks and is no member is outside, whatever it said.
	s.tell(100, 101, 300, "office", 1, day, day)
	s.is("office", "", "targeted 55/500, 82.6/78.1/94.5: compliant 43 failed 6 not_known gap 1 not_known silent 2 "+
		"outside 445 pending 3")
	if row := s.All(s.runner, "subject", map[string]string{"subject": "office"})[0]; row["outside_spoke"] != "2" ||
		row["stale"] != "2" {
		t.Errorf("%s outside the target spoke, %s are stale; want 2 and 2", row["outside_spoke"], row["stale"])
	}
	expect(t, lines(s.All(s.runner, "not-known", map[string]string{"subject": "office"}), "cause", "machines"),
		"gap | 1\nsilent | 2")
	// 5. Update required and its enforcement waits for a restart on one machine: restart, counted not compliant.
	s.tell(1, 1, 500, "x", 2, day, day)
	s.tell(1, 1, 402, "x", 9, day, day)
	s.is("update/x", "", "scanned 1/500, 0/0/100: outside 499 restart 1")
	row := s.All(s.runner, "subject-machines", map[string]string{"subject": "x", "class": "not_compliant"})
	expect(t, lines(row, "computer", "class", "state_name", "since_known"), "PC-1 | restart | Pending system restart | exact")
	// A detail that is done says nothing against a leading type that is bad, and the latest that says more of it counts.
	s.tell(2, 2, 300, "y", 2, day, day)
	s.tell(2, 2, 301, "y", 6, day, day)
	s.tell(2, 2, 302, "y", 2, day, day)
	s.is("y", "", "reported 1/500, 0/0/100: failed 1 outside 499")
	// A state without a class: said_unknown where compliance is asked for, other elsewhere.
	s.tell(1, 1, 300, "z", 77, day, day)
	s.is("z", "", "reported 1/500, /0/0: outside 499 said_unknown 1")
	s.tell(1, 2, 9003, "w", 5, day, day)
	s.is("9003/w", "", "reported 2/500, //100: other 2 outside 498")
}

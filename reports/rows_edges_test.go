package reports_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/reports/reportstest"
)

// TestRangesOfAClientCountItOnceInEachAge has both sides of each age, and two ranges of one client in one of them.
func TestRangesOfAClientCountItOnceInEachAge(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 5, hour)
	for i, age := range []time.Duration{0, hour - time.Minute, hour + time.Minute, day - time.Minute, day + time.Minute,
		2*day + time.Minute, 7*day - time.Minute, 7*day + time.Minute, 30*day + time.Minute} {
		s.Missing(1, uint64(10*i+10), uint64(10*i+12), age)
	}
	s.Missing(2, 1, 1, hour+time.Minute)
	expect(t, lines(s.All(s.Runner(), "open-ranges", nil), "missing_for", "ranges", "messages", "clients"), `
under 1 hour | 2 | 6 | 1
1 to 24 hours | 3 | 7 | 2
1 to 2 days | 1 | 3 | 1
2 to 7 days | 2 | 6 | 1
7 to 30 days | 1 | 3 | 1
over 30 days | 1 | 3 | 1`)
}

// TestAMessageIsShownAsItFirstArrived has a copy that came later, from another file, and was stored before.
func TestAMessageIsShownAsItFirstArrived(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 5, hour)
	said := message{Client: 1, Serial: 4, Ago: 9 * hour, Topic: 500, ID: "a", State: 2}
	for _, arrival := range []struct {
		file string
		ago  time.Duration
	}{{"z-later.SMX", hour}, {"m-first.SMX", 5 * hour}, {"a-later.SMX", 2 * hour}} {
		said.File, said.Received = arrival.file, arrival.ago
		s.Messages(said)
	}
	expect(t, lines(s.All(s.Runner(), "messages", map[string]string{"client": "PC-0001"}), "serial", "received_time",
		"source_file", "copies"), "4 | "+s.At(5*hour)+" | m-first.SMX | 3")
}

// TestWhatBecameOfABadFile has what came before it was set aside, and after.
func TestWhatBecameOfABadFile(t *testing.T) {
	s := reportstest.NewSite(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.Exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES ('%s', "+
			"'x', 'y', 1, 2, 3, '%s')", name, s.Micros(5 * hour)[:23]))
	}
	for name, ago := range map[string]time.Duration{"b": 4 * hour, "c": 6 * hour} {
		s.Exec(fmt.Sprintf("INSERT INTO set_aside_ends (name, until, received_time, how, code, records, time) VALUES "+
			"('%s', '%s', '%[2]s', 'replayed', 'x', 1, '%s')", name, s.Micros(ago), s.Micros(ago)[:23]))
	}
	s.Reports(report{Client: 1, Name: "A", Received: 4 * hour, File: "d"},
		report{Client: 1, Name: "A", Received: 6 * hour, File: "e"})
	expect(t, lines(s.All(s.Runner(), "bad-files", nil), "name", "is"),
		strings.Join([]string{"a | set aside", "b | replayed", "c | set aside", "d | loaded since", "e | set aside"}, "\n"))
}

// TestAConflictHasTheTimeOfItsArrival has checks that found them in another order.
func TestAConflictHasTheTimeOfItsArrival(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	for serial, at := range map[int][2]time.Duration{3: {5 * hour, hour}, 4: {4 * hour, 3 * hour},
		5: {6 * hour, 2 * hour}} {
		s.Exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES "+
			"('%s', %d, 'reused', '%s', '%s')", id(1), serial, s.Micros(at[0]), s.Micros(at[1])))
	}
	expect(t, lines(s.All(s.Runner(), "conflicts", nil), "serial", "received_time", "detected_time"),
		"4 | "+s.At(4*hour)+" | "+s.At(3*hour)+"\n3 | "+s.At(5*hour)+" | "+s.At(hour)+"\n5 | "+s.At(6*hour)+" | "+
			s.At(2*hour))
}

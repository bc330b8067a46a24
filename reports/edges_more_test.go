package reports_test

import (
	"fmt"
	"testing"
	"time"

	"statewire/reports/reportstest"
)

// TestARunThatJumpedIsApart: of 1 to 10 and 5,000,000 only 9 is lost, one of eleven.
func TestARunThatJumpedIsApart(t *testing.T) {
	s := reportstest.Jumped(t)
	expect(t, lines(s.All(s.Runner(), "client-completeness", nil), "percent", "missing_messages", "expected_messages"),
		"90.9 | 1 | 11")
}

// TestADeploymentsTimesAreThoseOfItsMessages has clocks that differ from the arrivals.
func TestADeploymentsTimesAreThoseOfItsMessages(t *testing.T) {
	s := reportstest.NewSite(t)
	for n, ago := range []time.Duration{9 * hour, 4 * hour, 6 * hour} {
		s.Client(n, 1, hour)
		s.Messages(message{Client: n, Serial: 1, Ago: ago, Received: time.Duration(20+n) * time.Minute, Topic: 301, ID: "D",
			State: 4})
	}
	expect(t, lines(s.All(s.Runner(), "deployment-enforcement", map[string]string{"deployment": "D"})[:1], "clients",
		"oldest_message", "newest_message"), "3 | "+s.At(9*hour)+" | "+s.At(4*hour))
}

// TestWhatBecameOfABadRecord has what of its name came to an end before it was set aside, and after.
func TestWhatBecameOfABadRecord(t *testing.T) {
	s := reportstest.NewSite(t)
	for n, name := range []string{"a", "b", "c"} {
		s.Exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, kept_as, code,
			received_time, set_aside_time)
			VALUES ('%s', 'F.SMX', 0, %d, '%s', 'x', '%s', '%s')`, id(1), n, name, s.Micros(5*hour), s.Micros(5 * hour)[:23]))
	}
	for name, ago := range map[string]time.Duration{"b": 4 * hour, "c": 6 * hour} {
		s.Exec(fmt.Sprintf("INSERT INTO set_aside_ends (name, until, received_time, how, code, records, time) VALUES "+
			"('%s', '%s', '%[2]s', 'dropped', 'x', 1, '%s')", name, s.Micros(ago), s.Micros(ago)[:23]))
	}
	expect(t, lines(s.All(s.Runner(), "bad-records", nil), "record_index", "is"),
		"0 | set aside\n1 | dropped\n2 | set aside")
	for _, ago := range []time.Duration{8 * day, 10 * day} {
		s.Checked(ago)
	}
	expect(t, lines(s.All(s.Runner(), "gap-checks", map[string]string{"days": "9"}), "time"), s.At(8*day))
}

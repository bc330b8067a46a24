package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

func TestCompletenessIsKnownOverExpectedPerClientAndTheMeanOfTheFleet(t *testing.T) {
	s := reportstest.NewSite(t)
	r := s.Runner()
	expect(t, lines(s.All(r, "completeness", nil), "percent", "clients", "complete_percent", "oldest_missing",
		"last_check"), " | 0 |  |  | ")
	// 1: all of 1 to 10. 2: 8 of 1 to 10, its last two only claimed. 3: 5 to 10 count after a resync, 8 of them missing
	// none but 6. 4: a counter that jumped to 2^62, which nobody else's numbers show. 5: accepted as it was. 6: only
	// asked for its policy.
	s.Arrived(1, 1, 10)
	s.Arrived(2, 1, 8)
	s.Polled(2, 10, 8, 0, hour)
	s.Missing(2, 9, 10, 3*hour)
	s.Arrived(3, 1, 2, 5, 5, 7, 10)
	s.Messages(message{Client: 3, Serial: 10, Ago: 2 * hour, Topic: 700, ID: "x", State: 2, Params: []string{"5"}})
	s.Missing(3, 6, 6, 30*hour)
	s.Arrived(4, 1, 1, explain.MaxSerial, explain.MaxSerial)
	s.Missing(4, 2, explain.MaxSerial-1, 50*hour)
	s.Arrived(5, 91, 100)
	s.Exec(fmt.Sprintf("INSERT INTO baselines (client_id, serial, accepted_time) VALUES ('%s', 90, '%s')", id(5),
		s.Micros(hour)))
	s.Polled(6, 0, 0, 0, hour)
	s.Checked(20 * time.Minute)
	expect(t, lines(s.All(r, "client-completeness", map[string]string{"only": "all"}), "client_id", "percent",
		"missing_messages", "ranges", "expected_messages", "floor", "last_serial", "claimed"), `
00000000-0000-4000-8000-000000000002 | 80 | 2 | 1 | 10 | 1 | 8 | 10
00000000-0000-4000-8000-000000000003 | 83.33 | 1 | 1 | 6 | 5 | 10 | 0
00000000-0000-4000-8000-000000000001 | 100 | 0 | 0 | 10 | 1 | 10 | 0
00000000-0000-4000-8000-000000000004 | 100 | 0 | 0 | 2 | 1 | 4611686018427387904 | 0
00000000-0000-4000-8000-000000000005 | 100 | 0 | 0 | 10 | 91 | 100 | 0
00000000-0000-4000-8000-000000000006 |  | 0 | 0 | 0 | 1 | 0 | 0`)
	if n := len(s.All(r, "client-completeness", nil)); n != 2 {
		t.Errorf("%d clients are incomplete", n)
	}
	// (100 + 80 + 83.333 + 100 + 100 + 100) / 6
	expect(t, lines(s.All(r, "completeness", nil), "percent", "clients", "complete_clients", "complete_percent",
		"incomplete_clients", "ranges", "changed", "oldest_missing", "last_check"),
		"93.88 | 6 | 4 | 66.66 | 2 | 2 | 6 | "+s.At(30*hour)+" | "+s.At(20*time.Minute))
	expect(t, lines(s.All(r, "open-ranges", nil), "missing_for", "ranges", "messages", "clients"), `
under 1 hour | 0 | 0 | 0
1 to 24 hours | 1 | 2 | 1
1 to 2 days | 1 | 1 | 1
2 to 7 days | 0 | 0 | 0
7 to 30 days | 0 | 0 | 0
over 30 days | 0 | 0 | 0`)
	expect(t, lines(s.All(r, "missing-ranges", map[string]string{"min_age_hours": "24"}), "client_id", "first_serial",
		"last_serial"), `
00000000-0000-4000-8000-000000000003 | 6 | 6`)
	expect(t, lines(s.All(r, "missing-ranges", map[string]string{"jumps": "both"}), "client_id", "first_serial",
		"serial_jump"), `
00000000-0000-4000-8000-000000000004 | 2 | 1
00000000-0000-4000-8000-000000000003 | 6 | 0
00000000-0000-4000-8000-000000000002 | 9 | 0`)
}

// TestSerialsThatJumpedAreShown has a jump of messages, and claims that are kept aside, accepted, settled and caught
// up with.
func TestSerialsThatJumpedAreShown(t *testing.T) {
	s := reportstest.NewSite(t)
	r := s.Runner()
	for n := 1; n <= 7; n++ {
		s.Client(n, 10, hour)
	}
	s.Arrived(1, 1e15, 1e15)
	s.Missing(1, 11, 1e15-1, 5*hour)
	s.Exec(fmt.Sprintf(`INSERT INTO state_messages
		(client_id, serial, received_time, topic_type, topic_id, state_id, flags, payload_hash)
		VALUES ('%s', 1000000000000000, '%s', 500, 'x', 2, 128, 7)`, id(1), s.Micros(hour)))
	for n, claim := range map[int]uint64{2: explain.MaxSerial - 2, 3: 5_000_000, 4: 5_000_000, 5: 1_000_010, 6: 1_000_011,
		7: 5_000_000} {
		s.Exec(fmt.Sprintf("INSERT INTO claims_aside (client_id, last_serial, seen_serial, claimed_time) VALUES ('%s', "+
			"%d, 10, '%s')", id(n), claim, s.Micros(2*hour)))
	}
	s.Exec(fmt.Sprintf("INSERT INTO accepted_claims (client_id, last_serial, accepted_time, accepted_by) VALUES ('%s', "+
		"5000000, '%s', 'ann')", id(3), s.Micros(hour)))
	s.Exec(fmt.Sprintf("INSERT INTO baselines (client_id, serial, accepted_time) VALUES "+
		"('%s', 10, '%s'), ('%s', 10, '%s')", id(4), s.Micros(hour), id(7), s.Micros(3*hour)))
	s.Checked(time.Minute)
	expect(t, lines(s.All(r, "serial-jumps", nil), "client_id", "kind", "first_serial", "last_serial", "serials",
		"flagged"), `
00000000-0000-4000-8000-000000000002 | claim | 11 | 4611686018427387902 | 4611686018427387892 | 0
00000000-0000-4000-8000-000000000006 | claim | 11 | 1000011 | 1000001 | 0
00000000-0000-4000-8000-000000000007 | claim | 11 | 5000000 | 4999990 | 0
00000000-0000-4000-8000-000000000001 | messages | 11 | 999999999999999 | 999999999999989 | 1`)
	expect(t, lines(s.All(r, "serial-jumps", map[string]string{"kind": "messages"}), "client_id"),
		"00000000-0000-4000-8000-000000000001")
	expect(t, lines(s.All(r, "serial-jumps", map[string]string{"client": id(6).String()}), "kind"), "claim")
	expect(t, lines(s.All(r, "completeness", nil), "percent", "complete_clients", "missing", "ranges", "oldest_missing",
		"jumped_clients", "jumped_missing", "claims_aside"),
		"100 | 7 | 0 | 0 |  | 1 | 999999999999989 | 3")
	expect(t, lines(s.All(r, "clients", map[string]string{"name": id(1).String()}), "open_gaps"), "0")
	expect(t, lines(s.All(r, "unknown-clients", map[string]string{"topic_type": "9"})[:1], "missing_messages"), "0")
	for n, want := range map[int][2]string{
		1: {"serial_jump", "1,000,000,000,000,000 arrived, and none of the 999,999,999,999,989 from 11 on below it"},
		2: {"claim_aside", "serials up to 4,611,686,018,427,387,902, far above 10,"},
		3: {"claim_aside", ""}, 4: {"claim_aside", ""}, 5: {"claim_aside", ""},
	} {
		if text := s.Explained(n)[want[0]]; !strings.Contains(text, want[1]) || want[1] == "" && text != "" {
			t.Errorf("client %d: %s is %q", n, want[0], text)
		}
	}
	e, err := s.Explainer().Explain(t.Context(), id(1).String(), nil)
	if err != nil || !strings.HasSuffix(e.Summary, "its serials jumped.") || reportstest.Codes(e)["gap"] != "" ||
		reportstest.Codes(e)["complete"] != "" {
		t.Errorf("%q, %v", e.Summary, err)
	}
}

func TestCompletenessNeverRoundsUpToAllOfIt(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Arrived(1, 1, 4, 6, 1_000_000)
	s.Missing(1, 5, 5, hour)
	s.Checked(-time.Minute)
	r := s.Runner()
	expect(t, lines(s.All(r, "completeness", nil), "percent", "complete_percent", "changed"), "99.99 | 0 | 0")
	expect(t, lines(s.All(r, "client-completeness", nil), "percent"), "99.99")
}

// TestResyncsAreCountedByStep has one client in each step, one that was asked twice, and one that waits to be asked.
func TestResyncsAreCountedByStep(t *testing.T) {
	s := reportstest.NewSite(t)
	for n := 1; n <= 8; n++ {
		s.Reports(report{Client: n, Name: fmt.Sprintf("PC%03d", n), Received: hour, File: fmt.Sprint(n)})
	}
	s.Issued(7, 1, "missing", 11, 7*hour) // then a person accepted what the site holds
	s.Exec(fmt.Sprintf("INSERT INTO baselines (client_id, serial, accepted_time) VALUES ('%s', 10, '%s')", id(7),
		s.Micros(3*hour)))
	s.Issued(8, 1, "missing", 11, 4*hour) // its answer was received before it was issued, by a clock that was wrong
	s.PickedUp(8, 1, 4*hour)
	s.Messages(message{Client: 8, Serial: 15, Ago: 5 * hour, Topic: 700, ID: "x", State: 2})
	s.Issued(1, 1, "missing", 11, 5*hour)
	s.Issued(2, 1, "conflict", 11, 6*hour)
	s.PickedUp(2, 1, 5*hour)
	s.Issued(3, 1, "differs", 11, 8*hour)
	s.PickedUp(3, 1, 7*hour)
	s.Messages(message{Client: 3, Serial: 10, Ago: 6 * hour, Topic: 500, ID: "a", State: 2},
		message{Client: 3, Serial: 11, Ago: 3 * hour, Topic: 500, ID: "b", State: 2},
		message{Client: 3, Serial: 12, Ago: 6 * hour, Received: 4 * hour, Topic: 500, ID: "a", State: 2})
	s.Issued(4, 1, "missing", 11, 90*hour) // never answered, asked again, then answered
	s.Issued(4, 2, "requested", 11, 10*hour)
	s.PickedUp(4, 2, 9*hour)
	s.Messages(message{Client: 4, Serial: 12, Ago: 8 * hour, Topic: 700, ID: "x", State: 2})
	s.Issued(5, 1, "missing", 11, 9*hour) // it answered before it was asked, not since
	s.Messages(message{Client: 5, Serial: 5, Ago: 20 * hour, Topic: 700, ID: "x", State: 2})
	s.Exec(fmt.Sprintf("INSERT INTO resync_requests (client_id, requested_time, requested_by, after_number) VALUES "+
		"('%s', '%s', 'anna', 0), ('%s', '%s', 'anna', 1)",
		id(6), s.Micros(2*hour), id(4), s.Micros(11*hour)))
	// One of before a baseline.
	s.Exec(fmt.Sprintf("INSERT INTO resync_requests (client_id, requested_time, requested_by, after_number) VALUES "+
		"('%s', '%s', 'anna', 1)", id(7), s.Micros(4*hour)))
	for n, completed := range map[int]bool{9: false, 10: true} { // two that expired; the answer of one came late
		s.Issued(n, 1, "missing", 11, 80*hour)
		s.PickedUp(n, 1, 79*hour)
		s.Messages(message{Client: n, Serial: 11, Ago: 50 * hour, Topic: 500, ID: "a", State: 2})
		s.Exec(fmt.Sprintf("INSERT INTO resync_expiries (client_id, number, expired_time, interval_s) VALUES ('%s', 1, "+
			"'%s', 144000)", id(n), s.Micros(40*hour)))
		if completed {
			s.Messages(message{Client: n, Serial: 12, Ago: 30 * hour, Topic: 700, ID: "x", State: 2})
		}
	}
	r := s.Runner()
	expect(t, lines(s.All(r, "resync-steps", nil), "step", "clients", "oldest", "median_hours"), `
requested | 1 | `+s.At(2*hour)+` | 2
issued | 2 | `+s.At(9*hour)+` | 7
picked up | 1 | `+s.At(6*hour)+` | 6
answering | 1 | `+s.At(8*hour)+` | 8
completed | 2 | `+s.At(10*hour)+` | 1
unanswered | 1 | `+s.At(80*hour)+` | 40
late | 1 | `+s.At(80*hour)+` | 50`)
	expect(t, lines(s.All(r, "resyncs", map[string]string{"step": "unanswered"}), "expired", "completed", "waiting_hours"),
		s.At(40*hour)+" |  | 40")
	expect(t, lines(s.All(r, "resyncs", map[string]string{"step": "late"}), "expired", "completed", "waiting_hours"),
		s.At(40*hour)+" | "+s.At(30*hour)+" | 50")
	expect(t, lines(s.All(r, "resyncs", nil), "netbios_name", "number", "step", "reason", "picked_up", "answering",
		"waiting_hours"), `
PC005 | 1 | issued | missing |  |  | 9
PC003 | 1 | answering | differs | `+s.At(7*hour)+` | `+s.At(4*hour)+` | 8
PC002 | 1 | picked up | conflict | `+s.At(5*hour)+` |  | 6
PC001 | 1 | issued | missing |  |  | 5`)
	expect(t, lines(s.All(r, "resyncs", map[string]string{"step": "any", "client": "pc004"}), "number", "step",
		"issued_by", "completed", "waiting_hours"), `
1 | replaced |  |  | 80
2 | completed | anna | `+s.At(8*hour)+` | 2`)
	expect(t, lines(s.All(r, "outstanding-resyncs", nil), "question", "clients"), `
asked again since the last answer | 2
asked and never answered | 5`)
	expect(t, lines(s.All(r, "resyncs", map[string]string{"step": "accepted"}), "netbios_name", "picked_up"), "PC007 | ")
	rows, err := s.Runner().Ask(t.Context(), "client", clientSQL(t, "check"),
		map[string]string{"since": s.Micros(100 * hour)})
	if err != nil || rows[0].Count("outstanding") != 4 {
		t.Errorf("%v %v", rows, err)
	}
	for n, code := range map[int]string{7: "resync_accepted", 8: "resync_completed", 2: "resync_picked_up",
		9: "resync_expired", 10: "resync_late"} {
		e, err := s.Explainer().Explain(t.Context(), id(n).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(e.Facts, func(f explain.Fact) bool { return f.Code == code }) {
			t.Errorf("client %d: no %s in\n%s", n, code, e)
		}
	}
}

func TestConflictsDifferencesAndUnconfirmedStatesAreListed(t *testing.T) {
	s := reportstest.BrokenClients(t)
	r := s.Runner()
	expect(t, lines(s.All(r, "conflicts", nil), "netbios_name", "serial", "kind"),
		"PC-0008 | 3 | reused\nPC-0021 | 7 | reused")
	expect(t, lines(s.All(r, "conflicts", map[string]string{"kind": "below_completion"}), "serial"), "")
	expect(t, lines(s.All(r, "differing-clients", nil), "netbios_name", "client_states", "site_states", "client_digest"),
		"PC-0009 | 22 | 23 | 0000000000000001")
	expect(t, lines(s.All(r, "unconfirmed-states", nil), "netbios_name", "topic_id", "state_name", "serial",
		"unconfirmed_since"), "PC-0010 | gone | Update is required | 12 | "+s.At(80*time.Minute))
	expect(t, lines(s.All(r, "unconfirmed-states", map[string]string{"client": "PC-0011"}), "topic_id"), "")
	expect(t, lines(s.All(r, "gap-checks", nil), "kind", "clients"), "incremental | 12")
	expect(t, lines(s.All(r, "silent-clients", nil), "netbios_name", "verdict", "unsent"), `
 | never reported | 9
PC-0016 | silent | 
PC-0011 | connected but silent | 12
PC-0006 | silent |`)
	expect(t, lines(s.All(r, "silent-clients", map[string]string{"verdict": "connected but silent"}), "netbios_name"),
		"PC-0011")
}

// clientSQL is a query of the package that explains clients.
func clientSQL(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("explain", "sql", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// strangeClients are clients 18 to 25 of the broken ones: nothing of them was lost, and yet they mislead.
func (s *site) strangeClients() {
	for n := 18; n <= lastBroken; n++ {
		if n != 23 {
			s.client(n, 10, hour)
		}
	}
	stored := func(client int, serial uint64, ago time.Duration, named string, flags int, topic, hash string) {
		s.exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, message_us, received_time, loaded_time, topic_type, topic_id, state_id, flags, source_file, payload_hash)
			VALUES ('%s', %d, toUnixTimestamp64Micro(toDateTime64('%s', 6, 'UTC')), '%s', '%s', 500, '%s', 2, %d, 'latest.SMX', %s)`,
			id(client), serial, named, s.micros(ago), s.micros(ago)[:23], topic, flags, hash))
	}
	stored(18, 9, 2*hour, "2000-01-01 00:00:00", 1, "old", "1") // a clock that was wrong twice
	stored(18, 10, hour, s.micros(-400 * day)[:19], 1, "ahead", "2")

	s.arrived(19, 5_000_000, 5_000_000) // a counter that jumped
	stored(19, 5_000_000, hour, s.micros(hour)[:19], 128, "far", "3")
	s.missing(19, 11, 4_999_999, 5*hour)

	s.issued(20, 1, "requested", 11, 5*hour) // it has the resync and sends news, and nothing of what it holds
	s.pickedUp(20, 1, 4*hour)
	s.arrived(20, 11, 12)
	stored(20, 3, 9*day, s.micros(9 * day)[:19], 0, "held", "4")
	stored(20, 11, 3*hour, s.micros(3 * hour)[:19], 0, "news", "5")

	s.exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES ('%s', 7, 'reused', '%s', '%s')",
		id(21), s.micros(hour), s.micros(20*time.Minute))) // one serial for two topics
	stored(21, 7, 2*hour, s.micros(2 * hour)[:19], 0, "one", "6")
	stored(21, 7, hour, s.micros(hour)[:19], 0, "two", "7")

	s.exec(fmt.Sprintf("INSERT INTO claims_aside (client_id, last_serial, seen_serial, claimed_time) VALUES ('%s', 9000000, 10, '%s')", id(22), s.micros(2*hour)))

	s.held[id(23)] = Held{Stopped: true, Files: []HeldFile{{Box: "normal", Name: "unloaded.SMX", Since: s.now.Add(-2 * time.Minute), Names: true}}} // no loader runs

	s.issued(24, 1, "missing", 5, 90*hour) // two resyncs, and neither was answered in time
	s.issued(24, 2, "missing", 5, 80*hour)
	s.pickedUp(24, 2, 79*hour)
	for number, ago := range map[int]time.Duration{1: 85 * hour, 2: 2 * hour} {
		s.exec(fmt.Sprintf("INSERT INTO resync_expiries (client_id, number, expired_time, interval_s) VALUES ('%s', %d, '%s', 259200)", id(24), number, s.micros(ago)))
	}

	s.reports(report{client: 25, name: "PC-0025", received: 40 * time.Minute, lag: 35 * time.Minute, file: "copied.SMX"}) // loaded late
}

// sentencesRest names, for each of twenty-five broken clients, the fact that leads to its sentence: the row of the
// store, which has to be there, or the file that waits. Client 13 has nothing wrong with it; 1 has nothing stored at all.
func (s *site) sentencesRest(t *testing.T, explained map[int]*Explanation) {
	for n, want := range map[int]struct{ code, text, fact string }{
		1:  {"unknown_client", "has never heard of", "NOT EXISTS clients"},
		2:  {"never_reported", "has never reported", "client_claims WHERE last_serial = 9"},
		3:  {"not_loaded", "one waits in the inbox", "first.SMX"},
		4:  {"set_aside", "(bad_date)", "set_aside_records WHERE code = 'bad_date'"},
		5:  {"gap", "12 to 19 are missing", "missing_ranges WHERE first_serial = 12 AND last_serial = 19"},
		6:  {"silent", "Silent since", "clients WHERE last_report_time < now() - INTERVAL 3 DAY"},
		7:  {"waiting", "answer.SMX", "answer.SMX"},
		8:  {"conflict", "counter went back: serial 3", "serial_conflicts WHERE serial = 3"},
		9:  {"differs", "22", "differing_clients WHERE client_states = 22"},
		10: {"unconfirmed", "1 state", "current_states WHERE serial = 12"},
		11: {"unsent", "12 of its states wait", "client_caches WHERE unsent = 12"},
		12: {"gap_claimed", "41 to 42", "client_claims WHERE last_serial = 42"},
		13: {"complete", "every serial from 1 to 40", "serial_ranges WHERE last_serial = 40"},
		14: {"settled", "a person accepted", "baselines WHERE serial = 1430"},
		15: {"resync_requested", "anna", "resync_requests WHERE requested_by = 'anna'"},
		16: {"silent", "Silent since", "clients WHERE last_report_time < now() - INTERVAL 39 DAY"},
		17: {"topics_paused", "topic type 500", "collection_clients WHERE name = 'calm'"},
		18: {"clock_wrong", "2 messages name a time that can't be right", "state_messages WHERE bitTest(flags, 0) = 1"},
		19: {"serial_jump", "none of the 4,999,989", "state_messages WHERE bitTest(flags, 7) = 1"},
		20: {"resync_picked_up", "nothing of the answer has arrived", "resync_outcomes WHERE step = 'picked up'"},
		21: {"conflict", "serial 7 came twice", "serial_conflicts WHERE serial = 7"},
		22: {"claim_aside", "9,000,000", "claims_aside WHERE last_serial = 9000000"},
		23: {"loader_stopped", "No loader runs", "unloaded.SMX"},
		24: {"resync_unanswered", "2 resyncs in a row", "resync_outcomes WHERE step = 'unanswered'"},
		25: {"loaded_late", "35 min", "client_reports WHERE source_file = 'copied.SMX'"},
	} {
		e := explained[n]
		if text := codes(e)[want.code]; !strings.Contains(text, want.text) {
			t.Errorf("client %d: no fact %s with %q in\n%s", n, want.code, want.text, e)
		}
		if !s.rests(n, want.fact) {
			t.Errorf("client %d: %s is not there, and yet it says %s", n, want.fact, want.code)
		}
	}
}

// rests says that a fact of a client is there: the name of a file that waits, or a row of the store.
func (s *site) rests(client int, fact string) bool {
	if strings.HasSuffix(fact, ".SMX") {
		return slices.ContainsFunc(s.held[id(client)].Files, func(f HeldFile) bool { return f.Name == fact })
	}
	table, absent := strings.CutPrefix(fact, "NOT EXISTS ")
	joint := " WHERE "
	if strings.Contains(table, joint) {
		joint = " AND "
	}
	var rows uint64
	if err := s.store.Conn().QueryRow(s.t.Context(), fmt.Sprintf("SELECT count() FROM %s%sclient_id = '%s'", table, joint, id(client))).Scan(&rows); err != nil {
		s.t.Fatal(err)
	}
	return rows > 0 != absent
}

// One serial on two topics: each is current on its own, and neither is said not to count.
func TestOneSerialOnTwoTopicsIsCurrentOnBoth(t *testing.T) {
	s := brokenClients(t)
	trace, err := s.detective().Trace(t.Context(), id(21).String(), 7)
	if err != nil {
		t.Fatal(err)
	}
	current := 0
	for _, hop := range trace.Hops {
		if hop.Code == "not_counted" {
			t.Errorf("%s: %s", hop.Code, hop.Text)
		}
		if hop.Code == "current" {
			current++
		}
	}
	if current != 2 || !strings.Contains(trace.Summary, "on 2 topics; for each topic its own counts") {
		t.Errorf("%d are current: %s", current, trace.Summary)
	}
}

// A message whose time can't be right says so wherever its time is shown.
func TestAWrongClockIsTold(t *testing.T) {
	s := brokenClients(t)
	r := s.detective()
	for serial, want := range map[uint64]string{9: "before 2000, and 2000-01-01 is stored in its place", 10: "400 days after it came"} {
		trace, err := r.Trace(t.Context(), id(18).String(), serial)
		if err != nil {
			t.Fatal(err)
		}
		if text := trace.String(); !strings.Contains(strings.Join(strings.Fields(text), " "), want) || !strings.Contains(text, "by a clock that is wrong") {
			t.Errorf("%d: no %q in\n%s", serial, want, text)
		}
	}
	e, err := r.Explain(t.Context(), id(18).String(), &Topic{500, "old"})
	if err != nil || strings.Contains(codes(e)["topic_state"], "2000") || !strings.Contains(codes(e)["topic_clock"], "before 2000") {
		t.Errorf("%v, %v", codes(e), err)
	}
	expect(t, lines(s.all(r, "wrong-clocks", nil), "netbios_name", "messages", "last_received"), "PC-0018 | 2 | "+s.at(hour))
	expect(t, lines(s.all(r, "wrong-clocks", map[string]string{"hours": "1"}), "client_id"), "")
}

package explain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// sentencesRest names, for each of twenty-five broken clients, the fact that leads to its sentence: the row of the
// store, which has to be there, or the file that waits. Client 13 has nothing wrong with it; 1 has nothing stored at
// all.
func sentencesRest(s *reportstest.Site, t *testing.T, explained map[int]*explain.Explanation) {
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
		if text := reportstest.Codes(e)[want.code]; !strings.Contains(text, want.text) {
			t.Errorf("client %d: no fact %s with %q in\n%s", n, want.code, want.text, e)
		}
		if !rests(s, n, want.fact) {
			t.Errorf("client %d: %s is not there, and yet it says %s", n, want.fact, want.code)
		}
	}
}

// rests says that a fact of a client is there: the name of a file that waits, or a row of the store.
func rests(s *reportstest.Site, client int, fact string) bool {
	if strings.HasSuffix(fact, ".SMX") {
		return slices.ContainsFunc(s.Held[id(client)].Files, func(f explain.HeldFile) bool { return f.Name == fact })
	}
	table, absent := strings.CutPrefix(fact, "NOT EXISTS ")
	joint := " WHERE "
	if strings.Contains(table, joint) {
		joint = " AND "
	}
	var rows uint64
	if err := s.Store.Conn().QueryRow(s.T.Context(), fmt.Sprintf("SELECT count() FROM %s%sclient_id = '%s'", table, joint,
		id(client))).Scan(&rows); err != nil {
		s.T.Fatal(err)
	}
	return rows > 0 != absent
}

// One serial on two topics: each is current on its own, and neither is said not to count.
func TestOneSerialOnTwoTopicsIsCurrentOnBoth(t *testing.T) {
	s := reportstest.BrokenClients(t)
	trace, err := s.Explainer().Trace(t.Context(), id(21).String(), 7)
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
	s := reportstest.BrokenClients(t)
	r, x := s.Runner(), s.Explainer()
	for serial, want := range map[uint64]string{9: "before 2000, and 2000-01-01 is stored in its place",
		10: "400 days after it came"} {
		trace, err := x.Trace(t.Context(), id(18).String(), serial)
		if err != nil {
			t.Fatal(err)
		}
		if text := trace.String(); !strings.Contains(strings.Join(strings.Fields(text), " "), want) ||
			!strings.Contains(text, "by a clock that is wrong") {
			t.Errorf("%d: no %q in\n%s", serial, want, text)
		}
	}
	e, err := x.Explain(t.Context(), id(18).String(), &explain.Topic{Type: 500, ID: "old"})
	if err != nil || strings.Contains(reportstest.Codes(e)["topic_state"], "2000") ||
		!strings.Contains(reportstest.Codes(e)["topic_clock"], "before 2000") {
		t.Errorf("%v, %v", reportstest.Codes(e), err)
	}
	expect(t, lines(s.All(r, "wrong-clocks", nil), "netbios_name", "messages", "last_received"),
		"PC-0018 | 2 | "+s.At(hour))
	expect(t, lines(s.All(r, "wrong-clocks", map[string]string{"hours": "1"}), "client_id"), "")
}

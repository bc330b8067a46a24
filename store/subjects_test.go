package store_test

import (
	"fmt"
	"slices"
	"testing"

	"statewire/store/storetest"
)

// told is a state as the loader stores it.
func told(client, serial int, message, received string, topicType int, id string, idType, state int,
	params string) string {
	return fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id,
		topic_id_type, state_id, params, payload_hash)
		VALUES (toUUID('00000000-0000-4000-8000-%012d'), %d, '%s', toUnixTimestamp64Micro(toDateTime64('%s', 6, 'UTC')),
		%d, '%s', %d, %d, %s, %d)`, client, serial, received, message, topicType, id, idType, state, params,
		1000*client+serial)
}

// The kind of a subject is decided by all that was told of its id, and by whoever calls it a baseline.
func TestWhatIsAskedAboutFollowsFromTheTypesOfAnID(t *testing.T) {
	s := storetest.New(t)
	exec := func(statement string) {
		t.Helper()
		if err := s.Conn().Exec(s.InsertContext(t.Context()), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	const at = "2026-05-01 00:00:00"
	serial := 0
	for id, types := range map[string][]int{
		"u500": {500}, "u400": {400}, "both": {400, 500, 402}, "enforced": {402}, "checked": {401, 500},
		"d": {300, 301, 302}, "d301": {301}, "b": {401, 402}, "called": {500}, "apt": {501}, "x": {9003, 20002},
	} {
		for _, topicType := range types {
			serial++
			exec(told(1, serial, at, at, topicType, id, 0, 1, "[]"))
		}
	}
	serial++
	exec(told(1, serial, at, "2026-05-01 00:15:00", 500, "curl=7.88.1-10+deb12u15", 3, 2,
		"['curl', '7.88.1-10', '7.88.1-10+deb12u15', 'bookworm-security/main']"))
	exec(`INSERT INTO topic_titles (topic_id, topic_type, source, title, kind, grp, target, version) VALUES
		('called', 0, 'file', '', 'baseline', '', '', 1), ('u500', 0, 'pack', 'Of the pack', '', '', '', 1),
		('u500', 0, 'file', '', '', 'May', 'servers', 1), ('both', 0, 'file', 'For all', '', '', '', 1),
		('both', 402, 'file', 'For one', '', '', '', 1), ('planned', 0, 'file', 'Next month', 'deployment', '', 'web', 1),
		('wished', 0, 'file', 'Never told', 'update', '', '', 1), ('d', 301, 'file', 'Office', '', '', '', 1)`)
	for i, claim := range []string{"'2026-05-02', 'Second'", "'2026-05-01', 'First'", "'2026-05-03', 'First'"} {
		exec(fmt.Sprintf(`INSERT INTO title_claims (claimed_time, title, topic_id, topic_type, client_id, earliest)
			SELECT toDateTime64(when, 6, 'UTC'), title, id, 9003, toUUID('00000000-0000-4000-8000-00000000000%d'),
				bitNot(toUInt64(toUnixTimestamp64Micro(toDateTime64(when, 6, 'UTC'))))
			FROM VALUES('when String, title String, id String', (%s, 'x'))`, i, claim))
	}
	rows, err := s.Conn().Query(t.Context(), `SELECT concat(kind, ' ', toString(topic_type), ' ', topic_id, ': ', title, ' (',
		title_source, ') ', severity, grp, ' ', target, if(toYear(first_seen) = 1970, ' never', '')) FROM subjects ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	want := []string{
		"baseline 401 b: b (derived)  ", "baseline 401 called: called (derived)  ",
		"deployment 300 d301: d301 (derived)  ", "deployment 300 d: Office (file)  ",
		"deployment 300 planned: Next month (file)  web never",
		"other 20002 x: x (derived)  ", "other 9003 x: First (agent)  ", "scan 501 apt: apt (derived)  ",
		"update 400 u400: u400 (derived)  ", "update 500 both: For one (file)  ", "update 500 checked: checked (derived)  ",
		"update 500 curl=7.88.1-10+deb12u15: curl 7.88.1-10+deb12u15 (derived) security ",
		"update 500 enforced: enforced (derived)  ", "update 500 u500: Of the pack (pack) May servers",
	}
	if !slices.Equal(got, want) {
		t.Errorf("subjects are\n%q\nwant\n%q", got, want)
	}
}

// The time of a scan is the client's own, or that of its package lists where they are older; its arrival says nothing.
func TestACompletedScanCountsByItsOwnTime(t *testing.T) {
	s := storetest.New(t)
	for _, statement := range []string{
		told(1, 1, "2026-05-01 10:00:00", "2026-05-01 10:15:00", 501, "apt", 3, 3, "['4', '2026-05-01T08:00:00Z']"),
		told(1, 2, "2026-05-01 11:00:00", "2026-05-01 11:00:00", 501, "apt", 3, 2, "[]"),
		told(1, 3, "2026-04-01 10:00:00", "2026-05-09 10:00:00", 501, "apt", 3, 3, "[]"), // a resync
		told(2, 1, "2026-05-01 10:05:00", "2026-05-01 10:00:00", 501, "apt", 3, 3, "['4', 'lists of 2020']"),
		told(3, 1, "2026-05-01 10:05:01", "2026-05-01 10:00:00", 501, "apt", 3, 3, "[]"),
		told(4, 1, "2027-05-01 10:00:00", "2026-05-01 10:00:00", 501, "apt", 3, 3, "['0', '2026-05-01T12:00:00+02:00']"),
	} {
		if err := s.Conn().Exec(s.InsertContext(t.Context()), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	rows, err := s.Conn().Query(t.Context(), `SELECT concat(right(toString(client_id), 1), ' ', toString(max(last_scan)), ' ',
		toString(max(wrong_clock) > toDateTime64(0, 6, 'UTC'))) FROM client_scans GROUP BY client_id ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	want := []string{"1 2026-05-01 08:00:00.000 0", "2 2026-05-01 10:05:00.000 0", "3 1970-01-01 00:00:00.000 1",
		"4 2026-05-01 10:00:00.000 0"}
	if !slices.Equal(got, want) {
		t.Errorf("scans are\n%q\nwant\n%q", got, want)
	}
}

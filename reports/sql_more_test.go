package reports_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/configs"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

func TestClientsAndTheirAges(t *testing.T) {
	s := reportstest.NewSeed(t)
	s.Reports(
		report{Client: 1, Name: "ALPHA", Received: 100 * day},
		report{Client: 1, Name: "ALPHA-NEW", Received: 10 * time.Minute},
		report{Client: 2, Name: "BETA", Received: 3 * hour}, report{Client: 3, Name: "GAMMA", Received: 5 * hour},
		report{Client: 4, Name: "DELTA", Received: 3 * day}, report{Client: 5, Name: "BETA-2", Received: 40 * day},
	)
	s.Exec("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) " +
		"VALUES ('" + id(4).String() + "', 3, 9, now64(6), now64(6), 0)")
	r := s.Runner()
	expect(t, lines(s.All(r, "report-age", nil), "last_report", "from_hours", "clients", "percent"), `
under 1 hour | 0 | 1 | 20
1 to 4 hours | 1 | 1 | 20
4 to 24 hours | 4 | 1 | 20
1 to 7 days | 24 | 1 | 20
7 to 30 days | 168 | 0 | 0
over 30 days | 720 | 1 | 20`)
	expect(t, lines(s.All(r, "clients", nil), "netbios_name", "age_hours", "open_gaps"), `
BETA-2 | 960 | 0
DELTA | 72 | 1
GAMMA | 5 | 0
BETA | 3 | 0
ALPHA-NEW | 0.2 | 0`)
	for want, params := range map[string]map[string]string{
		"BETA-2\nBETA": {"name": "beta"}, "GAMMA": {"name": id(3).String()}, "DELTA": {"name": "GUID:" + id(4).String()},
		"DELTA\nGAMMA": {"min_age_hours": "4", "max_age_hours": "168"},
	} {
		expect(t, lines(s.All(r, "clients", params), "netbios_name"), want)
	}
}

func TestEnforcementOfADeploymentNamesItsErrorCodes(t *testing.T) {
	s := reportstest.NewSeed(t)
	for n := 1; n <= 6; n++ {
		s.Reports(report{Client: n, Name: fmt.Sprintf("PC%03d", n), Received: hour})
	}
	fail := func(n int, code string) message {
		return message{Client: n, Serial: 1, Ago: time.Duration(n) * hour, Topic: 301, ID: "D", State: 6,
			Params: []string{"17", code}}
	}
	s.Messages(fail(1, "0x80070643"), fail(2, "0x80240022"), fail(3, "0x80070643"),
		message{Client: 4, Serial: 1, Ago: hour, Topic: 301, ID: "D", State: 4, Params: []string{"0x0"}})
	expect(t, lines(s.All(s.Runner(), "deployment-enforcement", map[string]string{"deployment": "D"}), "state_name",
		"clients", "percent", "error_codes", "oldest_message"), `
Successfully installed update(s) | 1 | 25 | [] | `+s.At(hour)+`
Failed to install update(s) | 3 | 75 | ["0x80070643","0x80240022"] | `+s.At(3*hour))
	expect(t, lines(s.All(s.Runner(), "deployment-enforcement", map[string]string{"deployment": "E"}), "state_name",
		"clients"), ``)
}

func TestScanStatesPerSource(t *testing.T) {
	s := reportstest.Fleet(t)
	s.Messages(message{Client: 1, Serial: 9, Ago: 3 * hour, Topic: 501, ID: "WSUS", State: 5},
		message{Client: 1, Serial: 10, Ago: 2 * hour, Topic: 501, ID: "WU", State: 3})
	expect(t, lines(s.All(s.Runner(), "scan-states", nil), "source", "state_name", "clients", "newest_message"), `
WSUS | Scan completed | 1 | `+s.At(9*hour)+`
WSUS | Scan failed | 1 | `+s.At(3*hour)+`
WU | Scan completed | 1 | `+s.At(2*hour))
}

func TestFailuresAreCountedByCodeHoweverItIsWritten(t *testing.T) {
	s := reportstest.NewSeed(t)
	for n := 1; n <= 7; n++ {
		s.Reports(report{Client: n, Name: fmt.Sprintf("PC%03d", n), Received: hour})
	}
	say := func(n int, topic, state uint32, id string, params ...string) message {
		return message{Client: n, Serial: uint64(topic) + uint64(len(id)), Ago: time.Duration(n) * hour, Topic: topic, ID: id,
			State: state, Params: params}
	}
	s.Messages(
		say(1, 402, 11, "U1", "102", "0x80240022"), say(2, 402, 11, "U1", "102", "0X80240022"),
		// the same code as signed and unsigned decimal
		say(3, 402, 11, "U1", "102", "-2145124318"), say(4, 402, 11, "U1", "102", "2149842978"),
		say(1, 402, 11, "U2", "102", "0x80240022"), say(5, 402, 11, "U1", "103"), // no code
		say(6, 501, 5, "W", "0x8024402c"), say(7, 402, 10, "U1", "0x80240022"), // succeeded: a code there is no failure
		say(7, 402, 6, "U9", "2147483647", "5"), // numbers that are no failure codes
	)
	r := s.Runner()
	expect(t, lines(s.All(r, "failures", nil), "topic_type", "state_name", "error_code", "meaning", "clients", "topic_ids",
		"newest_message"), `
402 | Failed to install update | 0x80240022 | all updates failed | 4 | 2 | `+s.At(hour)+`
402 | General failure |  |  | 1 | 1 | `+s.At(7*hour)+`
402 | Failed to install update |  |  | 1 | 1 | `+s.At(5*hour)+`
501 | Scan failed | 0x8024402C | proxy or server name not resolved | 1 | 1 | `+s.At(6*hour))
	expect(t, lines(s.All(r, "failures", map[string]string{"code": "0x8024402c"}), "topic_type", "clients"), `501 | 1`)
	expect(t, lines(s.All(r, "failures", map[string]string{"parameter": "1", "topic_type": "402"}), "state_id",
		"error_code", "clients"), `
11 | 0x00000066 | 4
6 | 0x7FFFFFFF | 1
11 | 0x00000067 | 1`)
	expect(t, lines(s.All(r, "failing-clients", map[string]string{"topic_type": "402", "state_id": "11",
		"code": "0x80240022"}), "netbios_name", "topic_id"), `
PC001 | U1
PC001 | U2
PC002 | U1
PC003 | U1
PC004 | U1`)
	expect(t, lines(s.All(r, "failing-clients", map[string]string{"topic_type": "402", "state_id": "11", "code": ""}),
		"netbios_name"), `PC005`)
	expect(t, lines(s.All(r, "failing-clients", map[string]string{"topic_type": "402", "state_id": "11"}), "netbios_name",
		"topic_id", "error_code"), `
PC001 | U1 | 0x80240022
PC001 | U2 | 0x80240022
PC002 | U1 | 0x80240022
PC003 | U1 | 0x80240022
PC004 | U1 | 0x80240022
PC005 | U1 | `)
}

func TestThroughputFillsEveryMinuteAndCountsAReportOnce(t *testing.T) {
	s := reportstest.NewSeed(t)
	minute := s.Now.Truncate(time.Minute)
	at := func(m time.Time) time.Duration { return s.Now.Sub(m) }
	s.Reports(
		report{Client: 1, Name: "A", Received: at(minute.Add(-2 * time.Minute)), Lag: 3 * time.Second, File: "a",
			Messages: 10, SetAside: 1},
		report{Client: 2, Name: "B", Received: at(minute.Add(-2*time.Minute + time.Second)), Lag: 5 * time.Second, File: "b",
			Messages: 20},
		// waited long
		report{Client: 3, Name: "C", Received: at(minute.Add(-30 * time.Minute)), Lag: 29 * time.Minute, File: "c",
			Messages: 7},
	)
	// The file was loaded again after a crash, a minute later.
	s.Reports(report{Client: 1, Name: "A", Received: at(minute.Add(-2 * time.Minute)), Lag: 63 * time.Second, File: "a",
		Messages: 10, SetAside: 1})
	rows := s.All(s.Runner(), "throughput", map[string]string{"minutes": "6"})
	if len(rows) != 6 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		want := "0 0 0 0 0"
		switch row["minute"] {
		case tabular.TimeText(minute.Add(-2 * time.Minute)):
			want = "2 30 1 5 4"
		case tabular.TimeText(minute.Add(-time.Minute)):
			want = "1 7 0 1740 1740"
		}
		if got := fmt.Sprint(row["reports"], " ", row["messages"], " ", row["set_aside"], " ",
			row["slowest_seconds"], " ", row["lag_seconds"]); got != want {
			t.Errorf("%s: got %s, want %s", row["minute"], got, want)
		}
	}
}

func TestBadFilesAndRecords(t *testing.T) {
	s := reportstest.NewSeed(t)
	s.Reports(report{Client: 1, Name: "ALPHA", Received: hour})
	s.Exec(`INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES
		('A.SMX', 'bad_xml', 'first', 1, 2, 3, now64(3) - 7200), ('B.SMX', 'bad_xml', 'second', 4, 5, 6, now64(3) - 100),
		('C.SMX', 'empty', 'nothing', 0, 0, 0, now64(3) - 360000)`)
	s.Exec(`INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time)
		VALUES ('A.SMX', 'bad_xml', 'again', 1, 2, 3, now64(3) - 3600)`)
	for range 2 { // the same record again, as after a crash
		s.Exec(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason,
			line, column, received_time, set_aside_time)
			SELECT toUUID('` + id(1).String() + `'), 'X.SMX', 0, 4, NULL, 'bad_date', 'no date', 9, 8,
			now64(6) - 50, now64(3) - 50`)
	}
	r := s.Runner()
	expect(t, lines(s.All(r, "bad-files", nil), "name", "code", "reason", "line", "column", "bytes"), `
B.SMX | bad_xml | second | 4 | 5 | 6
A.SMX | bad_xml | again | 1 | 2 | 3
C.SMX | empty | nothing | 0 | 0 | 0`)
	expect(t, lines(s.All(r, "bad-files", map[string]string{"hours": "24", "code": "empty"}), "name"), ``)
	expect(t, lines(s.All(r, "bad-records", map[string]string{"client": "alpha"}), "netbios_name", "serial", "code",
		"reason", "line", "record_index", "client_id"),
		`ALPHA |  | bad_date | no date | 9 | 4 | `+id(1).String())
	expect(t, lines(s.All(r, "bad-records", map[string]string{"client": "GUID:" + id(2).String()}), "code"), ``)
	expect(t, lines(s.All(r, "set-aside", nil), "kind", "code", "count", "example"), `
file | bad_xml | 2 | second
record | bad_date | 1 | no date`)
}

func TestFreshnessKnowsWhenNothingHasHappened(t *testing.T) {
	s := reportstest.NewSeed(t)
	r := s.Runner()
	expect(t, lines(s.All(r, "freshness", nil), "what", "at", "age_seconds"), `
newest report received |  | 
last report stored |  | 
last summary of topics |  | 
last heartbeat |  | 
last bad file |  | `)
	if f := r.Freshness(t.Context()); f.Sentence() != "Nothing is stored yet." || f.Stale || f.Problem != "" {
		t.Errorf("%+v %s", f, f.Sentence())
	}
	s.Reports(report{Client: 1, Name: "A", Received: 10 * hour, Lag: 9 * hour},
		report{Client: 1, Name: "A", Received: 5 * hour, Lag: time.Second, File: "b"})
	f := r.Freshness(t.Context())
	if f.LastReceived == nil || !f.LastReceived.Equal(s.Now.Add(-5*hour)) || f.LastStored == nil ||
		!f.LastStored.Equal(s.Now.Add(-hour)) {
		t.Errorf("%+v", f)
	}
	for i, tt := range []struct {
		clients string
		until   time.Duration // ago
		behind  bool
		age     time.Duration
	}{
		{"[299999, 1]", 2 * hour, false, 2 * hour}, // so few are counted with every question
		{"[300000, 1]", 2 * hour, true, 2 * hour},
		{"[300000, 1]", hour, true, hour}, // stored in that very moment
		{"[300000, 1]", hour - time.Second, false, 0},
	} {
		s.Exec(fmt.Sprintf("INSERT INTO subject_now (topic_type, topic_id, states, clients, version) VALUES (500, 'A', "+
			"[1, 2], %s, %d)", tt.clients, i+1))
		s.Exec(fmt.Sprintf("INSERT INTO summary_progress (job, number, until) VALUES ('subjects', %d, "+
			"fromUnixTimestamp64Milli(%d))", i+1, s.Now.Add(-tt.until).UnixMilli()))
		f := r.Freshness(t.Context())
		if behind := f.LastSummary != nil; behind != tt.behind || behind && !f.LastSummary.Equal(s.Now.Add(-tt.until)) ||
			behind != strings.Contains(f.Sentence(), " Counts of whole topics may lack the last "+
				humanize.Span(f.AsOf.Sub(s.Now.Add(-tt.until)))+".") {
			t.Errorf("%+v: last summary %v: %s", tt, f.LastSummary, f.Sentence())
		}
		age, err := summary.Age(t.Context(), s.Store.ReadOnly())
		if err != nil || age < tt.age || age > tt.age+time.Since(s.Now)+time.Second && tt.age > 0 || tt.age == 0 && age != 0 {
			t.Errorf("%+v: the summary is %v old, %v", tt, age, err)
		}
	}
}

func TestUnknownClientsComeWithAReason(t *testing.T) {
	s := reportstest.Fleet(t)
	s.Reports(report{Client: 6, Name: "GAPPY", Received: 2 * hour}, report{Client: 7, Name: "BROKEN", Received: 3 * hour},
		report{Client: 8, Name: "SILENT", Received: 20 * day}, report{Client: 9, Name: "BOTH", Received: 4 * hour})
	for _, n := range []int{6, 9} {
		s.Exec("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) " +
			"VALUES ('" + id(n).String() + "', 3, 9, now64(6), now64(6), 0)")
	}
	for _, n := range []int{7, 9} {
		s.Exec(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason,
			line, column, received_time, set_aside_time)
			SELECT toUUID('` + id(n).String() + `'), 'X.SMX', 0, 4, NULL, 'bad_date', 'no date', 9, 8,
			now64(6) - 50, now64(3) - 50`)
	}
	expect(t, lines(s.All(s.Runner(), "unknown-clients", map[string]string{"topic_type": "300"}), "netbios_name", "reason",
		"missing_messages", "bad_records"), `
SILENT | silent: no report for a long time | 0 | 0
PC005 | never reported on this topic | 0 | 0
BOTH | messages missing: the state may be among them | 7 | 1
BROKEN | records set aside: the state may be among them | 0 | 1
GAPPY | messages missing: the state may be among them | 7 | 0`)
	// Of one deployment these are members of its target; nobody, where it has none.
	dep1 := map[string]string{"topic_type": "300", "topic_id": "DEP1"}
	expect(t, lines(s.All(s.Runner(), "unknown-clients", dep1), "netbios_name"), "")
	s.Exec("INSERT INTO collections (name, revision, kind) VALUES ('all', 1, 'list')")
	s.Exec(fmt.Sprintf("INSERT INTO collection_clients (name, revision, client_id) VALUES ('all', 1, '%s'), ('all', 1, '%s'), "+
		"('all', 1, '%s'), ('all', 1, '%s')", id(1), id(6), id(8), id(88)))
	s.Exec("INSERT INTO topic_titles (topic_id, source, target, version) VALUES ('DEP1', 'file', 'all', 1)")
	expect(t, lines(s.All(s.Runner(), "unknown-clients", dep1), "netbios_name", "cause"), "SILENT | silent\nGAPPY | gap")
	dep1["cause"] = "gap"
	expect(t, lines(s.All(s.Runner(), "unknown-clients", dep1), "netbios_name"), "GAPPY")
}

func TestMessagesOfOneClientEachOnce(t *testing.T) {
	s := reportstest.Fleet(t)
	s.Messages(message{Client: 1, Serial: 2, Ago: 40 * hour, Topic: 300, ID: "DEP1", State: 1, Received: hour,
		File: "copy.SMX"})
	s.Messages(message{Client: 1, Serial: 3, Ago: 30 * hour, Topic: 9999, ID: "own", State: 5, Params: []string{"a", "b"}})
	r := s.Runner()
	expect(t, lines(s.All(r, "messages", map[string]string{"client": "GUID:" + id(1).String()}), "serial", "topic_name",
		"topic_id", "state_name", "received_time", "params", "copies"), `
3 |  | own | State 5 | `+s.At(30*hour)+` | ["a","b"] | 1
2 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | DEP1 | Compliant | `+s.At(40*hour)+` | [] | 2
1 | STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE | DEP1 | Non-compliant | `+s.At(50*hour)+` | [] | 1`)
	expect(t, lines(s.All(r, "messages", map[string]string{"client": "pc001", "topic_type": "300", "state_id": "1"}),
		"serial"), `2`)
	expect(t, lines(s.All(r, "messages", map[string]string{"client": "pc001", "from_serial": "2", "to_serial": "2"}),
		"serial"), `2`)
	expect(t, lines(s.All(r, "messages", map[string]string{"client": "nobody"}), "serial"), ``)
}

func TestGapsAndResyncs(t *testing.T) {
	s := reportstest.Fleet(t)
	s.Exec("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) " +
		"VALUES ('" +
		id(2).String() + "', 1, 6, '2025-01-01 00:00:00', now64(6), 0), ('" + id(3).String() +
		"', 5, 5, '2024-01-01 00:00:00', now64(6), 0), ('" + id(1).String() + "', 5, 5, '2024-01-01 00:00:00', now64(6), 1)")
	s.Exec("INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial) SELECT toUUID('" +
		id(2).String() + "'), 1, now64(6) - 7200, 'missing', '', 8")
	s.Exec("INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial) SELECT toUUID('" +
		id(3).String() + "'), 1, now64(6) - 7200, 'missing', '', 8")
	s.Messages(message{Client: 3, Serial: 8, Ago: hour, Topic: 700, ID: "x", State: 2}) // has finished since
	r := s.Runner()
	expect(t, lines(s.All(r, "missing-ranges", nil), "netbios_name", "first_serial", "last_serial", "messages",
		"detected_time"), `
PC003 | 5 | 5 | 1 | 2024-01-01T00:00:00Z
PC002 | 1 | 6 | 6 | 2025-01-01T00:00:00Z`)
	expect(t, lines(s.All(r, "missing-ranges", map[string]string{"client": "PC003"}), "first_serial"), `5`)
	expect(t, lines(s.All(r, "resyncs", nil), "netbios_name", "waiting_hours", "last_serial", "last_completed"),
		`PC002 | 2 | 7 | `)
}

func TestStaleStatesAndVolume(t *testing.T) {
	s := reportstest.NewSeed(t)
	s.Reports(report{Client: 1, Name: "TALKS", Received: hour}, report{Client: 2, Name: "GONE", Received: 60 * day},
		report{Client: 3, Name: "FINE", Received: hour})
	s.Messages(
		message{Client: 1, Serial: 1, Ago: 30 * day, Topic: 501, ID: "W", State: 3},
		message{Client: 1, Serial: 2, Ago: hour, Topic: 300, ID: "D", State: 1},
		message{Client: 2, Serial: 1, Ago: 60 * day, Topic: 501, ID: "W", State: 3},
		message{Client: 3, Serial: 1, Ago: hour, Topic: 501, ID: "W", State: 3},
		message{Client: 3, Serial: 2, Ago: hour, Topic: 300, ID: "D", State: 1},
		message{Client: 3, Serial: 3, Ago: hour, Topic: 300, ID: "D", State: 2},
	)
	s.Messages(message{Client: 3, Serial: 3, Ago: hour, Topic: 300, ID: "D", State: 2, File: "again"})
	r := s.Runner()
	expect(t, lines(s.All(r, "stale-states", nil), "netbios_name", "state_name", "last_message_received"),
		`TALKS | Scan completed | `+s.At(30*day))
	expect(t, lines(s.All(r, "volume", nil), "topic_type", "messages", "clients", "per_client"), `
300 | 3 | 2 | 1.5
501 | 1 | 1 | 1`)
}

func TestStateNamesFindByNumberAndByName(t *testing.T) {
	r := reportstest.NewSeed(t).Runner()
	s := &reportstest.Seed{T: t}
	if got, want := s.All(r, "state-names", nil), bytes.Count(configs.StateCatalog, []byte("\n"))-1; len(got) != want {
		t.Errorf("%d rows, the catalog has %d", len(got), want)
	}
	expect(t, lines(s.All(r, "state-names", map[string]string{"search": "302"}), "topic_type", "state_id", "state_name"), `
302 | 0 | Evaluation state unknown
302 | 1 | Evaluation activated
302 | 2 | Evaluation succeeded
302 | 3 | Evaluation failed`)
	expect(t, lines(s.All(r, "state-names", map[string]string{"search": "dcm_scan"}), "topic_type", "state_id",
		"state_name"), `403 |  | `)
}

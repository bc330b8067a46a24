package reports

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// tracedSite is the broken clients, with messages to follow.
func tracedSite(t testing.TB) *site {
	s := brokenClients(t)
	s.messages(
		message{client: 13, serial: 32, ago: 2 * day, topic: 500, id: "here", state: 3, file: "older.SMX"},
		message{client: 5, serial: 11, ago: 31 * hour, topic: 500, id: "a", state: 2, file: "before.SMX"},
		message{client: 5, serial: 20, ago: 30 * hour, topic: 500, id: "b", state: 2, file: "after.SMX"},
		message{client: 8, serial: 3, ago: 20 * day, topic: 500, id: "a", state: 3, file: "old.SMX"},
		message{client: 8, serial: 3, ago: hour, topic: 500, id: "a", state: 2, file: "latest-8.SMX"},
	)
	// Message 31 of client 13 came with a receipt, was missing before, and its report came again.
	at, again := s.micros(3*hour), s.micros(2*hour)
	s.exec(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, loaded_time, source_file, report_index, receipt, netbios_name, client_version, client_type, report_time, messages, first_serial, last_serial)
		VALUES ('%[1]s', '%[2]s', '%[2]s', 'relay-31.SMX', 0, 'R-31', 'PC-0013', '', 1, '%[2]s', 2, 30, 31), ('%[1]s', '%[3]s', '%[3]s', 'again-31.SMX', 0, 'R-32', 'PC-0013', '', 1, '%[2]s', 2, 30, 31)`,
		id(13), at, again))
	s.exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, message_us, received_time, loaded_time, topic_type, topic_id, state_id, params, source_file, receipt, payload_hash)
		VALUES ('%s', 31, %d, '%s', '%s', 402, 'x', 10, [], 'relay-31.SMX', 'R-31', 5)`, id(13), s.now.Add(-4*hour).UnixMicro(), at, s.micros(3*hour-time.Second)))
	s.exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) VALUES ('%s', 30, 31, '%s', '%s', 1)", id(13), s.micros(5*hour), s.micros(2*hour)))
	// Message 39 of client 10 never came before its answer began.
	s.exec(fmt.Sprintf("ALTER TABLE serial_ranges DELETE WHERE client_id = '%s' SETTINGS mutations_sync = 2", id(10)))
	s.arrived(10, 1, 38, 40, 59)
	s.exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) VALUES ('%s', 39, 39, '%s', '%s', 1)", id(10), s.micros(20*day), s.micros(hour)))
	return s
}

func TestEachMessageIsTracedToWhereItIsOrWentMissing(t *testing.T) {
	s := tracedSite(t)
	r := s.detective(func(d *Deps) {
		d.AgentLog = func(_ context.Context, client uuid.UUID, serial uint64) ([]AgentEvent, error) {
			if client != id(13) || serial != 33 {
				return nil, errors.New("another client's")
			}
			return []AgentEvent{{s.now.Add(-31 * time.Minute), "raised", "Written down by the agent of this machine."}}, nil
		}
	})
	var all strings.Builder
	for _, c := range []struct {
		client  int
		serial  uint64
		verdict string
		hops    string // codes that have to be there
	}{
		{13, 33, "current", "raised loaded current"},
		{13, 32, "superseded", "superseded"},
		{13, 31, "current", "raised packed was_missing received file loaded repeat"},
		{8, 3, "conflict", "not_counted current"},
		{4, 11, "set_aside", "received set_aside"},
		{4, 12, "dropped", "dropped"},
		{5, 14, "missing", "assigned neighbour_before neighbour_after empty detected"},
		{7, 14, "missing", "waiting detected asked picked_up"},
		{12, 42, "missing", "claimed detected"},
		{10, 39, "closed", "detected asked picked_up completed closed"},
		{14, 12, "closed", "closed"},
		{13, 41, "not_assigned", "claimed"},
		{16, 41, "not_assigned", ""},
		{1, 5, "unknown_client", ""},
		{3, 5, "not_assigned", "waiting"},
	} {
		trace, err := r.Trace(t.Context(), id(c.client).String(), c.serial)
		if err != nil {
			t.Fatal(err)
		}
		text := s.relative(trace.String())
		if trace.Verdict != c.verdict {
			t.Errorf("client %d message %d: %s, want %s\n%s", c.client, c.serial, trace.Verdict, c.verdict, text)
		}
		codes := ""
		for _, h := range trace.Hops {
			codes += " " + h.Code
		}
		for want := range strings.FieldsSeq(c.hops) {
			if !strings.Contains(codes+" ", " "+want+" ") {
				t.Errorf("client %d message %d: no hop %s in%s", c.client, c.serial, want, codes)
			}
		}
		all.WriteString(text + "\n")
	}
	golden(t, "trace.golden", all.String())
	for _, bad := range []uint64{0, maxSerial + 1} {
		if _, err := r.Trace(t.Context(), "PC-0013", bad); !errors.Is(err, ErrSerial) {
			t.Errorf("%d: %v", bad, err)
		}
	}
}

func TestAClientIsFoundByIdOrNameAndNamesakesAreTold(t *testing.T) {
	s := brokenClients(t)
	s.reports(report{client: 40, name: "twin", received: hour, file: "a"}, report{client: 41, name: "TWIN", received: 2 * hour, file: "b"})
	r := s.detective()
	for _, text := range []string{"pc-0013", " PC-0013 ", id(13).String(), "GUID:" + strings.ToUpper(id(13).String()), "guid:" + id(13).String()} {
		if got, err := r.FindClient(t.Context(), text); err != nil || got != id(13) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	var several *AmbiguousError
	if _, err := r.Explain(t.Context(), "Twin", nil); !errors.As(err, &several) || len(several.Clients) != 2 || several.Clients[0].ID != id(40) {
		t.Errorf("%v", err)
	}
	e, err := r.Explain(t.Context(), "NOBODY", nil)
	if err != nil || e.Facts[0].Code != "unknown_name" {
		t.Errorf("%v %v", e, err)
	}
	if _, err := r.Trace(t.Context(), "NOBODY", 1); !errors.Is(err, ErrNoClient) {
		t.Error(err)
	}
}

func TestTheTieBetweenTwoMessagesOfOneSerialIsToldAsItIs(t *testing.T) {
	s := newSite(t)
	s.client(1, 5, hour)
	s.messages(message{client: 1, serial: 3, ago: 2 * hour, topic: 500, id: "a", state: 2, file: "one.SMX"}, message{client: 1, serial: 3, ago: 2 * hour, topic: 500, id: "a", state: 3, file: "two.SMX"})
	trace, err := s.detective().Trace(t.Context(), "PC-0001", 3)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(strings.Fields(trace.String()), " "); trace.Verdict != "conflict" || !strings.Contains(text, "message times are equal") || strings.Contains(text, "time is later") {
		t.Errorf("%s", text)
	}
}

// A gap check may be made for another time than now, and stamps that time.
func TestTimesAheadOfTheClockNeverMakeNegativeAges(t *testing.T) {
	s := newSite(t)
	s.client(1, 5, hour)
	s.arrived(1, 9, 12)
	s.missing(1, 6, 8, -11*day)
	s.issued(1, 1, "missing", 13, -10*day)
	s.checked(-11 * day)
	r := s.detective()
	e, err := r.Explain(t.Context(), "PC-0001", nil)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := r.Trace(t.Context(), "PC-0001", 7)
	if err != nil {
		t.Fatal(err)
	}
	if text := e.String() + trace.String(); strings.Contains(text, " -") || strings.Contains(text, "(in ") || !strings.Contains(text, clockAt(s.now.Add(11*day))) {
		t.Errorf("%s", text)
	}
	if rows := s.all(r, "missing-ranges", nil); len(rows) != 1 || rows[0]["missing_hours"] != "0" {
		t.Errorf("%v", rows)
	}
	if rows := s.all(r, "resyncs", nil); len(rows) != 1 || rows[0]["waiting_hours"] != "0" {
		t.Errorf("%v", rows)
	}
}

func TestANameNobodyHasGetsNoId(t *testing.T) {
	e, err := newSite(t).detective().Explain(t.Context(), "NOBODY", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := WriteExplanation(&out, JSON, e); err != nil {
		t.Fatal(err)
	}
	if text := e.String() + out.String(); strings.Contains(text, "0000-") || !strings.HasPrefix(text, "NOBODY\n") {
		t.Errorf("%s", text)
	}
}

func TestAMessageWhoseFileWaitsHasArrived(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	held := Held{Files: []HeldFile{{Box: "normal", Name: "late.SMX", Since: s.now.Add(-time.Minute), Names: true}}, Serials: []SerialRun{{12, 14}}, Read: true}
	s.arrived(1, 15, 20)
	for _, c := range []struct {
		name    string
		serial  uint64
		read    bool
		verdict string
		says    string
	}{
		{"in the file", 13, true, "waiting", "the message is in it."},
		{"not in the file", 11, true, "missing", "the message not among them."},
		{"the file was not read", 11, false, "missing", "the message may be in it."},
		{"beyond all that is known", 30, true, "not_assigned", "the message not among them."},
	} {
		held.Read = c.read
		s.held[id(1)] = held
		trace, err := s.detective().Trace(t.Context(), "PC-0001", c.serial)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(trace.String()), " "); trace.Verdict != c.verdict || !strings.Contains(text, c.says) || c.read == strings.Contains(trace.Summary, "may be in what waits") {
			t.Errorf("%s: %s %s", c.name, trace.Verdict, text)
		}
	}
}

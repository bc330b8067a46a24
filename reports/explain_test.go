package reports

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// codes are the facts' codes with their texts.
func codes(e *Explanation) map[string]string {
	out := map[string]string{}
	for _, f := range e.Facts {
		out[f.Code] = f.Text
	}
	return out
}

func (s *site) explained(client int) map[string]string {
	s.t.Helper()
	e, err := s.detective().Explain(s.t.Context(), id(client).String(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return codes(e)
}

func TestAPollThatDoesNotTellOfItsStatesSaysNothingOfThem(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, 3*day)
	s.polled(1, 9, 0, math.MaxUint32, hour)
	if facts := s.explained(1); facts["unsent"] != "" || facts["no_states"] != "" || facts["quiet"] != "" || facts["connected_silent"] == "" {
		t.Errorf("%v", facts)
	}
	rows := s.all(s.runner(), "silent-clients", nil)
	expect(t, lines(rows, "netbios_name", "verdict", "unsent"), "PC-0001 | connected but silent | ")
	rows = s.all(s.runner(), "unknown-clients", map[string]string{"topic_type": "500"})
	expect(t, lines(rows, "reason", "unsent"), "never reported on this topic | ")
}

func TestWhatAClientSaidOfItsStatesEndsWithItsNextReport(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour) // its states came after it said that they wait
	s.polled(1, 9, 9, 9, 2*hour)
	s.client(2, 9, 2*hour)
	s.polled(2, 9, 9, 9, hour)
	if facts := s.explained(1); facts["unsent"] != "" {
		t.Errorf("%v", facts)
	}
	if facts := s.explained(2); !strings.Contains(facts["unsent"], "9 of its states wait") {
		t.Errorf("%v", facts)
	}
}

func TestWhatBecameOfABadRecordIsSaid(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	aside := func(file, serial, keptAs string, ago time.Duration) {
		s.exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line,
			column, received_time, set_aside_time, kept_as) VALUES ('%s', '%s', 1, 3, %s, 'bad_date', 'no date', 3, 77, '%s', '%s', '%s')`,
			id(1), file, serial, s.micros(hour), s.micros(ago)[:23], keptAs))
	}
	end := func(name, how, as string, ago time.Duration) {
		s.exec(fmt.Sprintf(`INSERT INTO set_aside_ends (name, until, received_time, how, client_id, replayed_as, by, reason, time)
			VALUES ('%s', '%s', '%s', '%s', '%s', '%s', 'ann', 'a test', now64(3))`, name, s.micros(ago), s.micros(hour), how, id(1), as))
	}
	said := func(want string) {
		t.Helper()
		if text := s.explained(1)["set_aside"]; want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%q, want %q", text, want)
		}
	}
	aside("f.SMX", "4", "f.SMX.1.SMX", 30*time.Second)
	said("It lies in the inbox's corrupt folder")
	end("f.SMX.1.SMX", "replayed", "f.SMX.1.again-0123456789abcdef.SMX", 30*time.Second)
	said("A mended copy was loaded")
	aside("f.SMX.1.again-0123456789abcdef.SMX", "4", "f.SMX.1.SMX", 20*time.Second)
	said("One record was set aside as bad with serial 4")
	said("It lies in the inbox's corrupt folder")
	end("f.SMX.1.SMX", "dropped", "", 20*time.Second)
	said("ann dropped it at")
	said(": a test.")
	expect(t, lines(s.all(s.runner(), "bad-records", nil), "is"), "dropped\nreplayed")
	s.messages(message{client: 1, serial: 4, ago: hour, topic: 500, id: "a", state: 2})
	aside("g.SMX", "NULL", "g.SMX.1.SMX", 10*time.Second)
	said("One record was set aside as bad: no date")
	end("g.SMX.1.SMX", "replayed", "g.SMX.1.again-0123456789abcdef.SMX", 10*time.Second)
	said("")
}

func TestAMendedRecordIsNoLongerSetAside(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	for _, serial := range []string{"4", "5", "NULL"} {
		s.exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line, column, received_time, set_aside_time)
			VALUES ('%s', 'f%[2]s.SMX', 0, 3, %[2]s, 'bad_date', 'no date', 3, 77, '%[3]s', '%[4]s')`, id(1), serial, s.micros(hour), s.micros(hour)[:23]))
	}
	if text := s.explained(1)["set_aside"]; !strings.HasPrefix(text, "3 records") {
		t.Errorf("%q", text)
	}
	s.messages(message{client: 1, serial: 4, ago: hour, topic: 500, id: "a", state: 2})
	if text := s.explained(1)["set_aside"]; !strings.HasPrefix(text, "2 records") {
		t.Errorf("message 4 came, mended: %q", text)
	}
	s.messages(message{client: 1, serial: 5, ago: hour, topic: 500, id: "b", state: 2})
	if text := s.explained(1)["set_aside"]; !strings.HasPrefix(text, "One record") {
		t.Errorf("one without a readable serial stays: %q", text)
	}
}

func TestAnUnreadableFileMayHaveHeldWhatIsMissing(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	s.arrived(1, 12, 20)
	s.messages(message{client: 1, serial: 9, ago: 3 * hour, topic: 500, id: "a", state: 2}, message{client: 1, serial: 12, ago: hour, topic: 500, id: "b", state: 2})
	bad := func(name string, ago string) {
		s.exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES ('%s', 'xml_syntax', 'ends too early', 1, 2, 3, '%s')", name, ago[:23]))
	}
	bad("before.SMX", s.micros(4*hour))
	if text := s.explained(1)["bad_files"]; text != "" {
		t.Errorf("a file that was set aside before message 9 came: %q", text)
	}
	bad("between.SMX", s.micros(2*hour))
	if text := s.explained(1)["bad_files"]; !strings.HasPrefix(text, "One file that could not be read was set aside") || !strings.Contains(text, "between.SMX (ends too early)") {
		t.Errorf("%q", text)
	}
	s.missing(1, 10, 11, 90*time.Minute)
	bad("later.SMX", s.micros(hour))
	if text := s.explained(1)["bad_files"]; !strings.HasPrefix(text, "One file") {
		t.Errorf("one was set aside after the gap was seen: %q", text)
	}
	trace, err := s.detective().Trace(t.Context(), "PC-0001", 10)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(trace.String()), " "), "so the message may have been in it: `statewire report bad-files`") {
		t.Errorf("%s", trace)
	}
}

func TestAStateWhoseMessageIsNoLongerStoredHasItsName(t *testing.T) {
	s := newSite(t)
	s.client(1, 9, hour)
	s.messages(message{client: 1, serial: 4, ago: 2 * hour, topic: 500, id: "a", state: 2})
	s.exec(fmt.Sprintf("ALTER TABLE state_messages DELETE WHERE client_id = '%s' SETTINGS mutations_sync = 2", id(1)))
	trace, err := s.detective().Trace(t.Context(), "PC-0001", 4)
	if err != nil {
		t.Fatal(err)
	}
	if text := trace.Hops[0].Text; trace.Verdict != "dropped" || !strings.HasSuffix(text, "state 2 (Update is required) on update detection 500/a.") {
		t.Errorf("%s: %s", trace.Verdict, text)
	}
}

func TestWhenAResyncIsDueNamesWhatPutsItOff(t *testing.T) {
	s := newSite(t)
	s.checked(20 * time.Minute)
	for client, issued := range map[int]time.Duration{1: 0, 2: 10 * hour, 3: 71 * hour} {
		s.client(client, 9, hour)
		s.arrived(client, 12, 50)
		s.missing(client, 10, 11, 2*hour)
		if issued > 0 {
			s.issued(client, 1, "missing", 3, issued)
			s.messages(message{client: client, serial: 5, ago: issued - 30*time.Minute, topic: 700, id: "x", state: 2, params: []string{"3"}})
		}
	}
	for client, want := range map[int]string{1: "has to be missing for 48 h first", 2: "asked at most once in 72 h", 3: "has to be missing for 48 h first"} {
		e, err := s.detective().Explain(t.Context(), id(client).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.Next[0].Text, want) {
			t.Errorf("client %d: %s", client, e.Next[0].Text)
		}
	}
}

func TestFilesThatNobodyLoadsAreSaidToWaitForALoader(t *testing.T) {
	s := newSite(t)
	s.held[id(1)] = Held{Files: []HeldFile{{Box: "normal", Name: "a.SMX", Since: s.now.Add(-time.Minute), Names: true}}, Stopped: true}
	e, err := s.detective().Explain(t.Context(), id(1).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if codes(e)["loader_stopped"] == "" || !strings.Contains(e.Next[0].Text, "`statewire ingest --once`") || e.Next[0].At != nil {
		t.Errorf("%s", e)
	}
}

package explain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/reports/reportstest"
)

func TestWhatBecameOfABadRecordIsSaid(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	aside := func(file, serial, keptAs string, ago time.Duration) {
		s.Exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code,
			reason, line,
			column, received_time, set_aside_time, kept_as) VALUES ('%s', '%s', 1, 3, %s, 'bad_date', 'no date', 3, 77, '%s',
			'%s', '%s')`,
			id(1), file, serial, s.Micros(hour), s.Micros(ago)[:23], keptAs))
	}
	end := func(name, how, as string, ago time.Duration) {
		s.Exec(fmt.Sprintf(`INSERT INTO set_aside_ends (name, until, received_time, how, client_id, replayed_as, by, reason,
			time)
			VALUES ('%s', '%s', '%s', '%s', '%s', '%s', 'ann', 'a test', now64(3))`,
			name, s.Micros(ago), s.Micros(hour), how, id(1), as))
	}
	said := func(want string) {
		t.Helper()
		if text := s.Explained(1)["set_aside"]; want == "" && text != "" || !strings.Contains(text, want) {
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
	expect(t, lines(s.All(s.Runner(), "bad-records", nil), "is"), "dropped\nreplayed")
	s.Messages(message{Client: 1, Serial: 4, Ago: hour, Topic: 500, ID: "a", State: 2})
	aside("g.SMX", "NULL", "g.SMX.1.SMX", 10*time.Second)
	said("One record was set aside as bad: no date")
	end("g.SMX.1.SMX", "replayed", "g.SMX.1.again-0123456789abcdef.SMX", 10*time.Second)
	said("")
}

func TestAMendedRecordIsNoLongerSetAside(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	for _, serial := range []string{"4", "5", "NULL"} {
		s.Exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code,
			reason, line, column, received_time, set_aside_time)
			VALUES ('%s', 'f%[2]s.SMX', 0, 3, %[2]s, 'bad_date', 'no date', 3, 77, '%[3]s', '%[4]s')`,
			id(1), serial, s.Micros(hour), s.Micros(hour)[:23]))
	}
	if text := s.Explained(1)["set_aside"]; !strings.HasPrefix(text, "3 records") {
		t.Errorf("%q", text)
	}
	s.Messages(message{Client: 1, Serial: 4, Ago: hour, Topic: 500, ID: "a", State: 2})
	if text := s.Explained(1)["set_aside"]; !strings.HasPrefix(text, "2 records") {
		t.Errorf("message 4 came, mended: %q", text)
	}
	s.Messages(message{Client: 1, Serial: 5, Ago: hour, Topic: 500, ID: "b", State: 2})
	if text := s.Explained(1)["set_aside"]; !strings.HasPrefix(text, "One record") {
		t.Errorf("one without a readable serial stays: %q", text)
	}
}

func TestAnUnreadableFileMayHaveHeldWhatIsMissing(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	s.Arrived(1, 12, 20)
	s.Messages(message{Client: 1, Serial: 9, Ago: 3 * hour, Topic: 500, ID: "a", State: 2},
		message{Client: 1, Serial: 12, Ago: hour, Topic: 500, ID: "b", State: 2})
	bad := func(name string, ago string) {
		s.Exec(fmt.Sprintf("INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES ('%s', "+
			"'xml_syntax', 'ends too early', 1, 2, 3, '%s')", name, ago[:23]))
	}
	bad("before.SMX", s.Micros(4*hour))
	if text := s.Explained(1)["bad_files"]; text != "" {
		t.Errorf("a file that was set aside before message 9 came: %q", text)
	}
	bad("between.SMX", s.Micros(2*hour))
	if text := s.Explained(1)["bad_files"]; !strings.HasPrefix(text, "One file that could not be read was set aside") ||
		!strings.Contains(text, "between.SMX (ends too early)") {
		t.Errorf("%q", text)
	}
	s.Missing(1, 10, 11, 90*time.Minute)
	bad("later.SMX", s.Micros(hour))
	if text := s.Explained(1)["bad_files"]; !strings.HasPrefix(text, "One file") {
		t.Errorf("one was set aside after the gap was seen: %q", text)
	}
	trace, err := s.Explainer().Trace(t.Context(), "PC-0001", 10)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(trace.String()), " "),
		"so the message may have been in it: `statewire report bad-files`") {
		t.Errorf("%s", trace)
	}
}

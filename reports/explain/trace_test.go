package explain_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// TestTheNearestOneIsTheEndOfTheNextRun traces between runs of which no message is stored.
func TestTheNearestOneIsTheEndOfTheNextRun(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 5, hour)
	s.Arrived(1, 10, 12, 20, 22, 30, 30)
	for serial, want := range map[uint64][]string{
		7:  {"Serial 5 arrived, the nearest one before it", "Serial 10 arrived, the nearest one after it"},
		15: {"Serial 12 arrived, the nearest one before it", "Serial 20 arrived, the nearest one after it"},
		25: {"Serial 22 arrived, the nearest one before it", "Serial 30 arrived, the nearest one after it"},
	} {
		trace, err := s.Explainer().Trace(t.Context(), "PC-0001", serial)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(trace.String()), " ")
		for _, sentence := range want {
			if !strings.Contains(text, sentence) {
				t.Errorf("message %d: no %q in %s", serial, sentence, text)
			}
		}
	}
}

func TestEachMessageIsTracedToWhereItIsOrWentMissing(t *testing.T) {
	s := reportstest.TracedSite(t)
	r := s.Explainer(func(d *explain.Deps) {
		d.AgentLog = func(_ context.Context, client uuid.UUID, serial uint64) ([]explain.AgentEvent, error) {
			if client != id(13) || serial != 33 {
				return nil, errors.New("another client's")
			}
			return []explain.AgentEvent{{Time: s.Now.Add(-31 * time.Minute), Step: "raised",
				Text: "Written down by the agent of this machine."}}, nil
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
		text := relative(s, trace.String())
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
	for _, bad := range []uint64{0, explain.MaxSerial + 1} {
		if _, err := r.Trace(t.Context(), "PC-0013", bad); !errors.Is(err, explain.ErrSerial) {
			t.Errorf("%d: %v", bad, err)
		}
	}
}

func TestTheTieBetweenTwoMessagesOfOneSerialIsToldAsItIs(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 5, hour)
	s.Messages(message{Client: 1, Serial: 3, Ago: 2 * hour, Topic: 500, ID: "a", State: 2, File: "one.SMX"},
		message{Client: 1, Serial: 3, Ago: 2 * hour, Topic: 500, ID: "a", State: 3, File: "two.SMX"})
	trace, err := s.Explainer().Trace(t.Context(), "PC-0001", 3)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(strings.Fields(trace.String()), " "); trace.Verdict != "conflict" ||
		!strings.Contains(text, "message times are equal") || strings.Contains(text, "time is later") {
		t.Errorf("%s", text)
	}
}

// A gap check may be made for another time than now, and stamps that time.
func TestTimesAheadOfTheClockNeverMakeNegativeAges(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 5, hour)
	s.Arrived(1, 9, 12)
	s.Missing(1, 6, 8, -11*day)
	s.Issued(1, 1, "missing", 13, -10*day)
	s.Checked(-11 * day)
	r, x := s.Runner(), s.Explainer()
	e, err := x.Explain(t.Context(), "PC-0001", nil)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := x.Trace(t.Context(), "PC-0001", 7)
	if err != nil {
		t.Fatal(err)
	}
	if text := e.String() + trace.String(); strings.Contains(text, " -") || strings.Contains(text, "(in ") ||
		!strings.Contains(text, humanize.Clock(s.Now.Add(11*day))) {
		t.Errorf("%s", text)
	}
	if rows := s.All(r, "missing-ranges", nil); len(rows) != 1 || rows[0]["missing_hours"] != "0" {
		t.Errorf("%v", rows)
	}
	if rows := s.All(r, "resyncs", nil); len(rows) != 1 || rows[0]["waiting_hours"] != "0" {
		t.Errorf("%v", rows)
	}
}

func TestAMessageWhoseFileWaitsHasArrived(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	held := explain.Held{Files: []explain.HeldFile{{Box: "normal", Name: "late.SMX", Since: s.Now.Add(-time.Minute),
		Names: true}}, Serials: []serials.Run{{First: 12, Last: 14}}, Read: true}
	s.Arrived(1, 15, 20)
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
		s.Held[id(1)] = held
		trace, err := s.Explainer().Trace(t.Context(), "PC-0001", c.serial)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(trace.String()), " "); trace.Verdict != c.verdict ||
			!strings.Contains(text, c.says) || c.read == strings.Contains(trace.Summary, "may be in what waits") {
			t.Errorf("%s: %s %s", c.name, trace.Verdict, text)
		}
	}
}

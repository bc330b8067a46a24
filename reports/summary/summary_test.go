package summary

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/store/storetest"
)

// reportLoaded loads a report whose insert began some time ago.
func (s *site) reportLoaded(client int, ago time.Duration) {
	s.t.Helper()
	s.exec(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, netbios_name, loaded_time)
		VALUES (toUUID('00000000-0000-4000-8000-%012d'), '2026-05-01 00:00:00', 'PC-%d', now64(3, 'UTC') - INTERVAL %d
		SECOND)`,
		client, client, int(ago.Seconds())))
}

func (s *site) names() []string {
	s.t.Helper()
	return s.rows("SELECT netbios_name FROM clients ORDER BY netbios_name")
}

// An insert can be read when it has ended, with the time at which it began: it must not fall between two summaries.
func TestASummaryLooksBackAsFarAsInsertsTake(t *testing.T) {
	for _, tt := range []struct {
		name     string
		interval time.Duration
		deps     Deps
		late     time.Duration // how long the insert was on its way
	}{
		{"a minute in any case", 30 * time.Second, Deps{}, 55 * time.Second},
		{"two intervals", 10 * time.Minute, Deps{}, 19 * time.Minute},
		{"an insert that is still on its way", 30 * time.Second,
			Deps{InFlight: func() time.Duration { return 10 * time.Minute }}, 10*time.Minute + 50*time.Second},
		{"inserts that a process left behind", 30 * time.Second, Deps{Orphans: 15 * time.Minute},
			14*time.Minute + 50*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &site{t: t, store: storetest.New(t), dies: -1}
			tt.deps.Store = s
			s.s = New(tt.interval, tt.deps)
			s.reportLoaded(1, time.Hour)
			if err := s.s.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if fresh := s.rows("SELECT toString(client_id) FROM clients_changed"); len(fresh) > 0 {
				t.Errorf("%q are counted anew an hour after", fresh)
			}
			s.reportLoaded(2, tt.late)
			if got := s.names(); !slices.Equal(got, []string{"PC-1", "PC-2"}) {
				t.Errorf("clients are %q", got)
			}
		})
	}
}

// What is loaded under a clock that was set back looks older than the summary.
func TestAClockThatWasSetBackBeginsTheSummariesAnew(t *testing.T) {
	s := &site{t: t, store: storetest.New(t), dies: -1}
	s.s = New(30*time.Second, Deps{Store: s})
	s.reportLoaded(1, 0)
	s.exec("INSERT INTO summary_progress (job, number, until) VALUES ('clients', 7, now64(3, 'UTC') + INTERVAL 1 DAY)")
	if got := s.names(); len(got) > 0 {
		t.Fatalf("clients are %q although the summary claims to hold what it lacks: the test is none", got)
	}
	if err := s.s.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.names(); !slices.Equal(got, []string{"PC-1"}) {
		t.Errorf("clients are %q", got)
	}
	if until := s.rows("SELECT toString(argMax(until, number) < now64(3, 'UTC')) FROM summary_progress WHERE job = " +
		"'clients'"); until[0] != "1" {
		t.Error("the summary still claims to hold what is loaded tomorrow")
	}
}

func TestAStepBackOfTheClockWhileRunningIsSeen(t *testing.T) {
	s := New(30*time.Second, Deps{})
	now := time.Now()
	for _, tt := range []struct {
		name         string
		engine, real time.Duration
		back         bool
	}{
		{"first look", 0, 0, false},
		{"goes on", 30 * time.Second, 30 * time.Second, false},
		{"small correction", 10 * time.Second, 30 * time.Second, false},
		{"forward", time.Hour, 30 * time.Second, false},
		{"back by an hour, half a day after the summary", -time.Hour, 30 * time.Second, true},
	} {
		now = now.Add(tt.engine)
		s.now.last.steady = s.now.last.steady.Add(-tt.real)
		if tt.name == "first look" {
			s.now.last = clock{}
		}
		if got := s.now.setBack(now, now.Add(-12*time.Hour)); got != tt.back {
			t.Errorf("%s: set back is %v", tt.name, got)
		}
	}
}

// inboxOf tells who waits.
type inboxOf map[uuid.UUID]struct{}

func (i *inboxOf) Waiting(context.Context) (map[uuid.UUID]struct{}, error) { return *i, nil }

// Whose report lies in the inbox at two looks waits; whose is being loaded does not.
func TestWhoWaitsInTheInboxIsSeen(t *testing.T) {
	box := inboxOf{}
	s := &site{t: t, store: storetest.New(t), dies: -1}
	s.s = New(time.Second, Deps{Store: s, Waiting: &box})
	for _, look := range []struct {
		name    string
		clients []byte
		want    []string
		written string
	}{
		{"nobody", nil, nil, "0"},
		{"a file that has just come", []byte{1, 2}, nil, "0"},
		{"one of them is still there", []byte{1, 3}, []string{"1"}, "1"},
		{"and stays, with the other", []byte{1, 3}, []string{"1", "3"}, "2"},
		{"nothing changed", []byte{1, 3}, []string{"1", "3"}, "2"},
		{"loaded", []byte{3}, []string{"3"}, "3"},
		{"and back, for a moment", []byte{3, 1}, []string{"3"}, "3"},
		{"all loaded", nil, nil, "4"},
	} {
		box = inboxOf{}
		for _, n := range look.clients {
			box[uuid.UUID{15: n}] = struct{}{}
		}
		if err := s.s.lookIntoInbox(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := s.rows("SELECT right(toString(client_id), 1) FROM clients_waiting FINAL WHERE waiting = 1 ORDER BY 1")
		if written := s.rows("SELECT toString(count()) FROM clients_waiting"); !slices.Equal(got, look.want) ||
			written[0] != look.written {
			t.Errorf("%s: %v wait, want %v; %v rows written, want %s", look.name, got, look.want, written, look.written)
		}
	}
}

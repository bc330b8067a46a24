package gaps

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/store"
	"statewire/store/storetest"
)

// minutes after the tests' epoch.
func minute(n int) time.Time { return epoch.Add(time.Duration(n) * time.Minute) }

// conflicts are the open conflicts of a client, as "serial kind".
func (s *site) conflicts(client int) []string {
	s.t.Helper()
	got := s.rows("SELECT concat(toString(serial), ' ', kind) FROM open_conflicts WHERE client_id = '%s' ORDER BY "+
		"serial, kind", clientN(client))
	for i := range got {
		got[i] = strings.Trim(got[i], "()'")
	}
	return got
}

// event is a message, or a baseline when it has no hash.
type event struct {
	serial, hash uint64
	minute       int
	topic        int
	params       string
}

func TestConflicts(t *testing.T) {
	state := func(serial, hash uint64, at int) event { return event{serial, hash, at, 500, ""} }
	done := func(serial uint64, at int, params string) event { return event{serial, serial * 31, at, 700, params} }
	baseline := func(serial uint64, at int) event { return event{serial: serial, minute: at} }
	tests := []struct {
		name   string
		events []event
		want   []string
	}{
		{"different messages under one serial", []event{state(1, 10, 1), state(1, 11, 5)}, []string{"1 reused"}},
		{"whichever is loaded first", []event{state(1, 11, 5), state(1, 10, 1)}, []string{"1 reused"}},
		{"three of them are one conflict to see", []event{state(1, 10, 1), state(1, 11, 5), state(1, 12, 6)},
			[]string{"1 reused"}},
		{"copies are none", []event{state(1, 10, 1), state(1, 10, 5), state(1, 10, 9)}, nil},
		{"messages without a serial are none", []event{state(0, 10, 1), state(0, 11, 5)}, nil},
		{"settled by a completion after it", []event{state(1, 10, 1), state(1, 11, 5), done(9, 6, "'9'")}, nil},
		{"not by one before the later message", []event{state(1, 10, 1), done(1, 3, ""), state(1, 11, 5)},
			[]string{"1 reused"}},
		{"settled by a baseline after it", []event{state(1, 10, 1), state(1, 11, 5), baseline(9, 6)}, nil},
		{"not by one before it", []event{state(1, 10, 1), baseline(9, 4), state(1, 11, 5)}, []string{"1 reused"}},
		{"a new message below a completion", []event{done(9, 3, ""), state(4, 40, 5)}, []string{"4 below_completion"}},
		{"one that came before the completion did not go back", []event{state(4, 40, 2), done(9, 3, "")}, nil},
		{"nor one in the same report", []event{state(4, 40, 3), done(9, 3, "")}, nil},
		{"nor a copy of an older one", []event{state(4, 40, 2), done(9, 3, ""), state(4, 40, 8)}, nil},
		{"lost parts of the answer may come late", []event{done(9, 3, "'5'"), state(6, 60, 5)}, nil},
		{"its first one, too", []event{done(9, 3, "'5'"), state(5, 50, 5)}, nil},
		{"below the first serial of the answer nothing may", []event{done(9, 3, "'5'"), state(4, 40, 5)},
			[]string{"4 below_completion"}},
		{"below a baseline a late arrival is welcome", []event{baseline(9, 3), state(4, 40, 5)}, nil},
	}
	s := newSite(t)
	s.finder.margin = 0
	var since time.Time
	// All of it before one check, and step by step with a check after each: the answers are the same.
	for round, stepwise := range []bool{false, true} {
		steps := 1
		if stepwise {
			steps = 3
		}
		for step := range steps {
			for n, tt := range tests {
				for i, e := range tt.events {
					if stepwise && i != step {
						continue
					}
					s.event(100*round+n, e)
				}
			}
			since = s.check(Options{At: minute(60 + step), Since: since, Full: step == 1}).Watermark
		}
		for n, tt := range tests {
			t.Run(fmt.Sprintf("%s, step by step %v", tt.name, stepwise), func(t *testing.T) {
				if got := s.conflicts(100*round + n); !slices.Equal(got, tt.want) {
					t.Errorf("open conflicts %q, want %q", got, tt.want)
				}
			})
		}
	}
	if out := s.check(Options{At: minute(90)}); out.NewConflicts != 0 {
		t.Errorf("another check finds %d conflicts again", out.NewConflicts)
	}
}

func (s *site) event(client int, e event) {
	s.t.Helper()
	if e.hash == 0 {
		s.exec("INSERT INTO baselines (client_id, serial, accepted_time) VALUES ('%s', %d, '%s')", clientN(client),
			e.serial, minute(e.minute).Format("2006-01-02 15:04:05"))
		return
	}
	s.message(client, e.serial, e.topic, e.hash, minute(e.minute), e.params)
	if e.serial > 0 {
		s.arrived(client, run(e.serial, e.serial))
	}
}

func TestAConflictThatWasSettledOpensAgainWithALaterMessage(t *testing.T) {
	s := newSite(t)
	for i, e := range []event{{1, 10, 1, 500, ""}, {1, 11, 2, 500, ""}, {5, 50, 3, 700, "'5'"}, {1, 12, 4, 500, ""}} {
		s.event(1, e)
		s.check(Options{At: minute(10 + i)})
		want := [][]string{nil, {"1 reused"}, nil, {"1 below_completion", "1 reused"}}[i]
		if got := s.conflicts(1); !slices.Equal(got, want) {
			t.Errorf("after event %d: open %q, want %q", i, got, want)
		}
	}
}

func TestAMendedRecordBelowACompletionIsNoConflict(t *testing.T) {
	s := newSite(t)
	for client := range 2 {
		s.event(client, event{1, 10, 1, 500, ""})
		s.event(client, event{5, 50, 3, 700, "'5'"})
	}
	s.exec("INSERT INTO set_aside_records (client_id, source_file, serial, received_time) VALUES ('%s', 'bad.SMX', "+
		"2, '%s')", clientN(1),
		minute(1).Format("2006-01-02 15:04:05"))
	s.arrived(1, run(2, 2))
	s.check(Options{At: minute(10)})
	for client := range 2 {
		s.event(client, event{2, 20, 6, 500, ""}) // with client 1 the mended record, with client 0 news
	}
	s.check(Options{At: minute(11)})
	for client, want := range [][]string{{"2 below_completion"}, nil} {
		if got := s.conflicts(client); !slices.Equal(got, want) {
			t.Errorf("client %d: open conflicts %q, want %q", client, got, want)
		}
	}
}

func TestAMessageBelowWhatRetentionDropped(t *testing.T) {
	cfg := store.DefaultConfig()
	cfg.Retention = 48 * time.Hour
	st := storetest.NewWith(t, cfg, store.Options{})
	s := &site{t, st, New(st, slog.New(slog.DiscardHandler))}
	s.finder.margin = 0
	now := time.Now().UTC().Truncate(time.Second)
	young := now.Add(-time.Hour)
	for client := range 5 {
		s.exec("INSERT INTO client_reports (client_id, received_time, source_file) VALUES ('%s', '%s', 'first.SMX')",
			clientN(client), now.Add(-100*time.Hour).Format("2006-01-02 15:04:05"))
		s.arrived(client, run(1, 4), run(6, 7), run(8, 9)) // of which 1 to 4 and 7 were dropped
		s.exec("INSERT INTO set_aside_records (client_id, source_file, serial, received_time) VALUES ('%s', "+
			"'bad.SMX', 6, '%s')", clientN(client), young.Format("2006-01-02 15:04:05"))
		for _, serial := range []uint64{8, 9} {
			s.message(client, serial, 500, serial, young, "")
		}
	}
	since := s.check(Options{At: now}).Watermark
	s.message(1, 5, 500, 5, young, "")
	s.arrived(1, run(5, 5))
	s.message(2, 10, 500, 10, young, "")
	s.arrived(2, run(10, 10))
	s.message(3, 8, 500, 8, young, "") // a copy
	s.message(4, 6, 500, 6, young, "") // the record that was set aside, mended
	out := s.check(Options{At: now, Since: since})
	for client, want := range [][]string{nil, {"5 below_retention"}, nil, nil, nil} {
		if got := s.conflicts(client); !slices.Equal(got, want) {
			t.Errorf("client %d: open conflicts %q, want %q", client, got, want)
		}
	}
	if out.NewConflicts != 1 || out.Conflicts != 1 {
		t.Errorf("the check says %+v", out)
	}
}

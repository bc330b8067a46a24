package gaps

import (
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/smx"
)

// polled notes what a client says that it holds.
func (s *site) polled(client int, lastSerial uint64, unsent int, at time.Time, hashes ...uint64) {
	s.t.Helper()
	digest := uint64(0)
	for _, h := range hashes {
		digest = smx.StateDigest(digest, h)
	}
	s.exec("INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time) VALUES ('%s', "+
		"%d, %d, %d, %d, '%s')",
		clientN(client), lastSerial, len(hashes), digest, unsent, at.Format("2006-01-02 15:04:05"))
}

// reported notes when the client's last report came.
func (s *site) reported(client int, at time.Time) {
	s.t.Helper()
	s.exec("INSERT INTO client_stats_data (client_id, last_report_time) VALUES ('%s', '%s')", clientN(client),
		at.Format("2006-01-02 15:04:05"))
}

// marked are the clients that differ.
func (s *site) marked() []string {
	s.t.Helper()
	got := s.rows("SELECT client_id FROM differing_clients FINAL WHERE differs = 1")
	for i := range got {
		got[i] = strings.Trim(got[i], "()'")
	}
	return got
}

func TestClientsWhoseStatesDiffer(t *testing.T) {
	const huge = 1<<63 + 12346 // a hash that no signed number holds
	tests := []struct {
		name    string
		prepare func(s *site, n int)
		want    bool
	}{
		{"equal states", func(s *site, n int) { s.polled(n, 3, 0, minute(1), 101, huge, 103) }, false},
		{"another state under the same serials", func(s *site, n int) { s.polled(n, 3, 0, minute(1), 101, huge, 104) },
			true},
		{"one state less", func(s *site, n int) { s.polled(n, 3, 0, minute(1), 101, huge) }, true},
		{"one state more", func(s *site, n int) { s.polled(n, 3, 0, minute(1), 101, huge, 103, 0) }, true},
		{"unsent states are waited for", func(s *site, n int) { s.polled(n, 3, 1, minute(1), 101) }, false},
		{"a claim behind what was seen is old", func(s *site, n int) { s.polled(n, 2, 0, minute(1), 101) }, false},
		{"or its report was on the way",
			func(s *site, n int) { s.reported(n, minute(0)); s.polled(n, 2, 0, minute(2), 101) }, false},
		{"well after the last report it says that the counter went back",
			func(s *site, n int) { s.reported(n, minute(0)); s.polled(n, 2, 0, minute(3), 101) }, true},
		{"which matters only when the states differ",
			func(s *site, n int) { s.reported(n, minute(0)); s.polled(n, 2, 0, minute(3), 101, huge, 103) }, false},
		{"a claim ahead of it is not compared", func(s *site, n int) { s.polled(n, 4, 0, minute(1), 101) }, false},
		{"an open range explains it", func(s *site, n int) {
			s.arrived(n, run(6, 6))
			s.polled(n, 6, 0, minute(1), 101)
		}, false},
		{"only the last claim counts", func(s *site, n int) {
			s.polled(n, 3, 0, minute(2), 101, huge, 103)
			s.polled(n, 3, 0, minute(1), 9)
		}, false},
		{"what the client did not send again does not count", func(s *site, n int) {
			s.message(n, 4, 500, 108, minute(3), "") // 108 % 7 = 101 % 7: the same topic
			s.event(n, event{5, 1, 3, 700, "'4'"})
			s.arrived(n, run(4, 4))
			s.polled(n, 5, 0, minute(4), 108)
		}, false},
		{"and the answer itself does", func(s *site, n int) {
			s.message(n, 4, 500, 108, minute(3), "")
			s.event(n, event{5, 1, 3, 700, "'4'"})
			s.arrived(n, run(4, 4))
			s.polled(n, 5, 0, minute(4), 108, 9)
		}, true},
		{"what a person accepted need not be equal", func(s *site, n int) {
			s.event(n, event{serial: 3, minute: 5})
			s.polled(n, 3, 0, minute(6), 9)
		}, false},
		{"a client that never said what it holds", func(*site, int) {}, false},
	}
	s := newSite(t)
	for n, tt := range tests {
		for serial, hash := range []uint64{0, 101, huge, 103} {
			if serial > 0 {
				s.message(n, uint64(serial), 500, hash, minute(0), "")
			}
		}
		s.message(n, 0, 9003, 77, minute(0), "") // without a serial: no part of a cache
		s.arrived(n, run(1, 3))
		tt.prepare(s, n)
	}
	out := s.check(Options{At: minute(10)})
	marked := s.marked()
	for n, tt := range tests {
		if got := slices.Contains(marked, clientN(n).String()); got != tt.want {
			t.Errorf("%s: differs %v, want %v", tt.name, got, tt.want)
		}
	}
	if want := uint64(len(marked)); out.Differs != want {
		t.Errorf("the check counts %d, marked are %d", out.Differs, want)
	}
}

func TestAMarkStaysUntilTheStatesAreEqual(t *testing.T) {
	s := newSite(t)
	s.finder.margin = 0
	var since time.Time
	step := func(at int, want int, what string) {
		t.Helper()
		dry := s.check(Options{At: minute(at), Since: since, DryRun: true})
		out := s.check(Options{At: minute(at), Since: since})
		since = out.Watermark
		if len(s.marked()) != want || out.Differs != uint64(want) || dry.Differs != uint64(want) {
			t.Errorf("%s: %d clients are marked, the check says %d and the dry run %d, want %d", what, len(s.marked()),
				out.Differs, dry.Differs, want)
		}
	}
	s.message(1, 1, 500, 101, minute(0), "")
	s.arrived(1, run(1, 1))
	step(1, 0, "no claim")
	s.polled(1, 1, 0, minute(2), 102)
	step(3, 1, "another state")
	step(4, 1, "nothing new")
	s.polled(1, 1, 3, minute(5), 102)
	step(6, 1, "not comparable")
	s.message(1, 2, 500, 108, minute(7), "")
	s.event(1, event{3, 1, 7, 700, "'2'"})
	s.arrived(1, run(2, 2))
	s.polled(1, 3, 0, minute(8), 108)
	step(9, 0, "equal after a resync")
	if got := s.rows("SELECT countIf(detected_time = '2026-03-01 08:03:00') FROM differing_clients"); got[0] != "(2)" {
		t.Errorf("%s marks carry the first detection", got)
	}
}

func TestWhoAnsweredIsNotAskedAgainForWhatDifferedBefore(t *testing.T) {
	s := newSite(t)
	s.message(1, 1, 500, 101, minute(0), "")
	s.arrived(1, run(1, 1))
	s.polled(1, 1, 0, minute(2), 102)
	s.check(Options{At: minute(3)})
	if got := s.candidates(CandidateOptions{At: minute(60)}, 0); len(got) != 1 {
		t.Fatalf("%v are to be asked, want the one that differs", got)
	}
	s.message(1, 2, 500, 108, minute(7), "")
	s.event(1, event{3, 1, 7, 700, "'2'"})
	s.arrived(1, run(2, 2))
	s.check(Options{At: minute(8)}) // its next poll is to come
	if got := s.candidates(CandidateOptions{At: minute(60)}, 0); len(got) != 0 {
		t.Errorf("%v are to be asked, want nobody until the next poll", got)
	}
	s.polled(1, 3, 0, minute(9), 999)
	s.exec("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time) VALUES ('%s', 0, "+
		"'2026-03-01 08:03:00', '2026-03-01 08:09:00')", clientN(1))
	s.check(Options{At: minute(10)})
	if got := s.candidates(CandidateOptions{At: minute(60)}, 0); len(got) != 1 {
		t.Errorf("%v are to be asked, want the one that still differs", got)
	}
}

func TestUnconfirmedStates(t *testing.T) {
	s := newSite(t)
	tests := []struct {
		name   string
		events []event
		want   []string // serials
	}{
		{"none without a completion", []event{{1, 1, 1, 500, ""}}, nil},
		{"what a whole cache did not hold",
			[]event{{1, 1, 1, 500, ""}, {2, 2, 1, 500, ""}, {3, 9, 2, 500, ""}, {4, 4, 2, 700, "'3'"}},
			[]string{"(1)"}},
		{"completions are no states", []event{{1, 31, 1, 700, ""}, {4, 4, 2, 700, "'3'"}}, nil},
		{"what a person accepted since is as it is",
			[]event{{1, 1, 1, 500, ""}, {4, 4, 2, 700, "'3'"}, {serial: 4, minute: 3}}, nil},
		{"until the next whole cache", []event{{1, 1, 1, 500, ""}, {serial: 4, minute: 3}, {6, 6, 4, 700, "'6'"}},
			[]string{"(1)"}},
	}
	for n, tt := range tests {
		for _, e := range tt.events {
			s.event(n, e)
		}
	}
	for n, tt := range tests {
		if got := s.rows("SELECT serial FROM unconfirmed_states WHERE client_id = '%s' ORDER BY serial",
			clientN(n)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: unconfirmed %v, want %v", tt.name, got, tt.want)
		}
	}
}

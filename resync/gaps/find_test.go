package gaps

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/internal/serials"
	"statewire/store"
	"statewire/store/storetest"
)

// epoch is when the tests' checks begin: the stored times are those of the tests, not of the machine.
var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func clientN(n int) uuid.UUID {
	return uuid.UUID{0: 0xF1, 7: byte(n >> 8), 8: byte(n * 37), 15: byte(n)}
}

func run(first, last uint64) serials.Run { return serials.Run{First: first, Last: last} }

// site is a store with the finder under test.
type site struct {
	t      testing.TB
	store  *store.Store
	finder *Finder
}

func newSite(t testing.TB) *site {
	s := storetest.New(t)
	return &site{t, s, New(s, slog.New(slog.DiscardHandler))}
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if err := s.store.Conn().Exec(s.store.InsertContext(s.t.Context()), fmt.Sprintf(sql, args...)); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func (s *site) arrived(client int, runs ...serials.Run) {
	s.t.Helper()
	for _, r := range runs {
		for _, table := range []string{"serial_ranges", "arrivals"} {
			s.exec("INSERT INTO %s (client_id, first_serial, last_serial) VALUES ('%s', %d, %d)", table,
				clientN(client), r.First, r.Last)
		}
	}
}

func (s *site) claim(client int, serial uint64) {
	s.t.Helper()
	s.exec("INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('%s', %d, now64(6))",
		clientN(client), serial)
}

func (s *site) check(opt Options) Outcome {
	s.t.Helper()
	out, err := s.finder.Find(s.t.Context(), opt)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// aCheck is a time at which there was one: those after it go by what changed.
var aCheck = time.Unix(1, 0)

const openRanges = "SELECT ClientID, FirstSerial, LastSerial, dateDiff('second', toDateTime64('2026-03-01 08:00:00', " +
	"6, 'UTC'), DetectedTime) FROM SR_MissingMessageRanges"

// open are the open ranges of all clients, as the view shows them.
func (s *site) open() []string {
	s.t.Helper()
	return s.rows(openRanges + " ORDER BY ClientID, FirstSerial, LastSerial")
}

// empty removes all rows.
func (s *site) empty() {
	s.t.Helper()
	for _, table := range []string{"serial_ranges", "arrivals", "gap_looks", "state_messages", "completions_data",
		"client_stats_data", "set_aside_records",
		"client_claims", "client_caches", "baselines", "missing_ranges", "serial_conflicts", "current_states_data",
		"differing_clients", "resyncs"} {
		s.exec("TRUNCATE TABLE %s", table)
	}
}

func (s *site) openOf(client int) []string {
	s.t.Helper()
	return s.rows(openRanges+" WHERE ClientID = '%s' ORDER BY FirstSerial, LastSerial", clientN(client))
}

// message stores a message without noting its serial in serial_ranges.
func (s *site) message(client int, serial uint64, topic int, hash uint64, received time.Time, params string) {
	s.t.Helper()
	s.exec("INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, state_id, params, "+
		"payload_hash, message_us) VALUES ('%s', %d, '%s', %d, 't%d', 2, [%s], %d, %d)",
		clientN(client), serial, received.UTC().Format("2006-01-02 15:04:05.000000"), topic, hash%7, params, hash,
		hash%1_000_000)
}

// rows are the rows of a query as text.
func (s *site) rows(sql string, args ...any) (out []string) {
	s.t.Helper()
	sql = fmt.Sprintf(sql, args...)
	rows, err := s.store.Conn().Query(s.t.Context(), "SELECT toString(tuple(*)) FROM ("+sql+")")
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

func TestGapsAtTheBoundaries(t *testing.T) {
	const top = 1 << 62
	tests := []struct {
		name    string
		arrived []serials.Run
		claimed uint64
		want    []serials.Run
	}{
		{"a client first seen late lacks what came before", []serials.Run{run(1431, 1431)}, 0,
			[]serials.Run{run(1, 1430)}},
		{"nothing is missing of an unbroken run", []serials.Run{run(1, 5), run(6, 6), run(7, 9)}, 9, nil},
		{"runs overlap, repeat and nest",
			[]serials.Run{run(1, 5), run(3, 9), run(4, 4), run(12, 12), run(1, 5), run(12, 12)}, 0,
			[]serials.Run{run(10, 11)}},
		{"a duplicate does not stand in for a lost message", []serials.Run{run(1, 1), run(1, 1), run(3, 3)}, 0,
			[]serials.Run{run(2, 2)}},
		{"nor does an overlap as long as the gap", []serials.Run{run(1, 2), run(2, 3), run(5, 5)}, 0,
			[]serials.Run{run(4, 4)}},
		{"nor a run that repeats all but one serial of another", []serials.Run{run(1, 10), run(2, 10), run(20, 20)}, 0,
			[]serials.Run{run(11, 19)}},
		{"a run inside another hides nothing behind it", []serials.Run{run(1, 10), run(2, 3), run(20, 20)}, 0,
			[]serials.Run{run(11, 19)}},
		{"a lost last message is seen by the claim", []serials.Run{run(1, 5)}, 7, []serials.Run{run(6, 7)}},
		{"a claim below what was seen says nothing", []serials.Run{run(1, 5)}, 4, nil},
		{"a client that only claims", nil, 3, []serials.Run{run(1, 3)}},
		{"a client that claims nothing", nil, 0, nil},
		{"a jump by 10^15 is one range", []serials.Run{run(1, 2), run(1e15, 1e15)}, 0, []serials.Run{run(3, 1e15-1)}},
		{"the greatest serial there is", []serials.Run{run(1, 1), run(top, top)}, 0, []serials.Run{run(2, top-1)}},
		{"the greatest claim there is", []serials.Run{run(2, 2)}, top, []serials.Run{run(1, 1), run(3, top)}},
		{"a run up to the greatest serial", []serials.Run{run(1, top)}, top, nil},
	}
	s := newSite(t)
	for n, tt := range tests {
		s.arrived(n, tt.arrived...)
		if tt.claimed > 0 {
			s.claim(n, tt.claimed)
		}
	}
	s.check(Options{At: epoch, Since: aCheck, DryRun: true})
	out := s.check(Options{At: epoch, Since: aCheck, Rows: -1})
	if anew := s.check(Options{At: epoch.Add(time.Hour)}); anew.Opened+anew.Closed != 0 ||
		anew.Looked != anew.Compared {
		t.Errorf("reading everything anew changes %+v", anew)
	}
	listed := map[string]int{}
	for _, g := range out.Rows {
		listed[fmt.Sprint(uuid.UUID(g.Client), g.First, g.Last, g.Detected.Equal(epoch))]++
	}
	for n, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			for _, m := range tt.want {
				want = append(want, fmt.Sprintf("('%s',%d,%d,0)", clientN(n), m.First, m.Last))
				if key := fmt.Sprint(clientN(n), m.First, m.Last, true); listed[key] != 1 {
					t.Errorf("the check lists %s %d times", key, listed[key])
				}
			}
			if got := s.openOf(n); !slices.Equal(got, want) {
				t.Errorf("open %v, want %v", got, want)
			}
		})
	}
}

func TestARangeKeepsItsDetectionTime(t *testing.T) {
	at := func(hours int) time.Time { return epoch.Add(time.Duration(hours) * time.Hour) }
	tests := []struct {
		name    string
		first   []serials.Run // arrived before the check of hour 0
		claimed uint64
		second  []serials.Run // before that of hour 1
		third   []serials.Run // before that of hour 2
		want    []string
	}{
		{"what a late arrival leaves", []serials.Run{run(1, 1), run(10, 10)}, 0, []serials.Run{run(2, 3)}, nil,
			[]string{"4-9@0"}},
		{"both parts of a split range", []serials.Run{run(1, 1), run(10, 10)}, 0, []serials.Run{run(5, 5)}, nil,
			[]string{"2-4@0", "6-9@0"}},
		{"a range that closes is gone", []serials.Run{run(1, 1), run(10, 10)}, 0, []serials.Run{run(2, 9)}, nil, nil},
		{"a new range has its own", []serials.Run{run(1, 1), run(3, 3)}, 0, []serials.Run{run(5, 5)}, nil,
			[]string{"2-2@0", "4-4@1"}},
		{"a range that grows keeps the earliest", []serials.Run{run(1, 1)}, 3, []serials.Run{run(9, 9)}, nil,
			[]string{"2-8@0"}},
		{"a range that comes back within a longer one", []serials.Run{run(1, 1)}, 3, []serials.Run{run(9, 9)},
			[]serials.Run{run(4, 8)}, []string{"2-3@0"}},
	}
	s := newSite(t)
	for hour := range 3 {
		for n, tt := range tests {
			s.arrived(n, [][]serials.Run{tt.first, tt.second, tt.third}[hour]...)
			if tt.claimed > 0 && hour == 0 {
				s.claim(n, tt.claimed)
			}
		}
		s.check(Options{At: at(hour)})
	}
	for n, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.rows(fmt.Sprintf("SELECT concat(toString(FirstSerial), '-', toString(LastSerial), '@', "+
				"toString(dateDiff('hour', toDateTime64('2026-03-01 08:00:00', 6, 'UTC'), DetectedTime))) FROM "+
				"SR_MissingMessageRanges WHERE ClientID = '%s' ORDER BY FirstSerial", clientN(n)))
			for i := range got {
				got[i] = strings.Trim(got[i], "()'")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("open %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheTimeOfACheckOnlyStamps(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(5, 5))
	s.check(Options{At: epoch.AddDate(10, 0, 0)}) // a clock that is far ahead
	s.arrived(1, run(2, 2))
	s.check(Options{At: epoch}) // and set right
	s.arrived(2, run(3, 3))
	s.check(Options{At: epoch.AddDate(-10, 0, 0)}) // or back
	future, past := int(epoch.AddDate(10, 0, 0).Sub(epoch).Seconds()),
		int(epoch.AddDate(-10, 0, 0).Sub(epoch).Seconds())
	want := []string{fmt.Sprintf("('%s',1,1,%d)", clientN(1), future), fmt.Sprintf("('%s',3,4,%d)", clientN(1), future),
		fmt.Sprintf("('%s',1,2,%d)", clientN(2), past)}
	if got := s.open(); !slices.Equal(got, want) {
		t.Errorf("open %v, want %v", got, want)
	}
}

func TestACheckThatFindsNothingNewWritesNothing(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(5, 5))
	s.check(Options{At: epoch})
	before := s.rows("SELECT count() FROM missing_ranges")
	for range 3 {
		if out := s.check(Options{At: epoch.Add(time.Hour)}); out.Opened+out.Closed != 0 {
			t.Errorf("a check that had nothing new opened %d and closed %d", out.Opened, out.Closed)
		}
	}
	if after := s.rows("SELECT count() FROM missing_ranges"); !slices.Equal(before, after) {
		t.Errorf("%v rows, were %v", after, before)
	}
}

func TestACheckThatWasCutShortIsCompletedByTheNext(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(1, 1), run(20, 20))
	s.check(Options{At: epoch})
	s.arrived(1, run(10, 10))
	// The next check opened one of the parts; then the process died.
	s.exec("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) "+
		"VALUES ('%s', 11, 19, '2026-03-01 08:00:00', '2026-03-01 09:00:00', 0)", clientN(1))
	out := s.check(Options{At: epoch.Add(2 * time.Hour)})
	want := []string{fmt.Sprintf("('%s',2,9,0)", clientN(1)), fmt.Sprintf("('%s',11,19,0)", clientN(1))}
	if got := s.open(); !slices.Equal(got, want) || out.Ranges != 2 || out.Messages != 17 {
		t.Errorf("open %v (%d with %v messages), want %v", got, out.Ranges, out.Messages, want)
	}
}

func TestRetentionOpensAndClosesNothing(t *testing.T) {
	s := newSite(t)
	for serial := range uint64(9) {
		s.message(1, serial+1, 500, serial, epoch, "")
	}
	s.arrived(1, run(1, 3), run(5, 9))
	s.check(Options{At: epoch})
	before := s.open()
	s.exec("ALTER TABLE state_messages DELETE WHERE serial < 7 SETTINGS mutations_sync = 2")
	s.exec("TRUNCATE TABLE client_reports")
	out := s.check(Options{At: epoch.Add(time.Hour)})
	if got := s.open(); !slices.Equal(got, before) || len(got) != 1 || out.Opened+out.Closed+out.NewConflicts != 0 {
		t.Errorf("open %v (%+v), was %v", got, out, before)
	}
}

func TestOnlyClientsOfWhomSomethingElseThanTheNextSerialsCameAreLookedAt(t *testing.T) {
	tests := []struct {
		name    string
		arrived []serials.Run
		then    func(s *site, client int)
		looked  bool
	}{
		{"nothing came", []serials.Run{run(1, 5)}, func(*site, int) {}, false},
		{"nor of a client with a gap", []serials.Run{run(1, 5), run(7, 9)}, func(*site, int) {}, false},
		{"the next serials came", []serials.Run{run(1, 5)}, func(s *site, n int) { s.arrived(n, run(6, 6), run(7, 9)) },
			false},
		{"out of order", []serials.Run{run(1, 5)}, func(s *site, n int) { s.arrived(n, run(8, 9), run(6, 7)) }, false},
		{"to a client with a gap", []serials.Run{run(1, 5), run(7, 9)},
			func(s *site, n int) { s.arrived(n, run(10, 12)) }, false},
		{"a first report", nil, func(s *site, n int) { s.arrived(n, run(1, 3)) }, false},
		{"a first report that comes late", nil, func(s *site, n int) { s.arrived(n, run(2, 3)) }, true},
		{"one was lost", []serials.Run{run(1, 5)}, func(s *site, n int) { s.arrived(n, run(7, 9)) }, true},
		{"one came twice", []serials.Run{run(1, 5)}, func(s *site, n int) { s.arrived(n, run(5, 5)) }, true},
		{"one was lost and another came twice", []serials.Run{run(1, 5)},
			func(s *site, n int) { s.arrived(n, run(6, 6), run(6, 6), run(8, 8)) }, true},
		{"a late one came", []serials.Run{run(1, 5), run(7, 9)}, func(s *site, n int) { s.arrived(n, run(6, 6)) },
			true},
		{"a claim of what arrived", []serials.Run{run(1, 5)}, func(s *site, n int) { s.claim(n, 5) }, false},
		{"a claim of more", []serials.Run{run(1, 5)}, func(s *site, n int) { s.claim(n, 6) }, true},
		{"a baseline", []serials.Run{run(3, 5)}, func(s *site, n int) {
			s.exec("INSERT INTO baselines (client_id, serial, accepted_time) VALUES ('%s', 2, now64(6))", clientN(n))
		}, true},
		{"ranges that another check wrote", []serials.Run{run(3, 5)}, func(s *site, n int) {
			s.exec("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, "+
				"closed) VALUES ('%s', 1, 2, '2026-03-01 08:00:00', '2026-03-01 09:00:00', 1)", clientN(n))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.arrived(1, tt.arrived...)
			s.check(Options{At: epoch})
			tt.then(s, 1)
			out := s.check(Options{At: epoch, Since: aCheck})
			if (out.Looked == 1) != tt.looked {
				t.Errorf("looked at %d of %d clients, want %v", out.Looked, out.Compared, tt.looked)
			}
			if again := s.check(Options{At: epoch, Since: aCheck}); again.Looked != 0 {
				t.Errorf("the check after that looks at it again")
			}
			if anew := s.check(Options{At: epoch}); anew.Opened+anew.Closed != 0 {
				t.Errorf("reading everything anew changes %+v", anew)
			}
		})
	}
}

// A run that is not added up yet is of a file that the loader will store again: the look at it is not one to continue
// from.
func TestALookAtRunsThatAreNotAddedUpYetIsRepeated(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(1, 5))
	s.check(Options{At: epoch})
	s.claim(1, 7)
	s.exec("INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES ('%s', 7, 7)", clientN(1))
	s.check(Options{At: epoch, Since: aCheck})
	if got, want := s.openOf(1), []string{fmt.Sprintf("('%s',6,6,0)", clientN(1))}; !slices.Equal(got, want) {
		t.Fatalf("open %v, want %v", got, want)
	}
	s.arrived(1, run(6, 7))
	s.check(Options{At: epoch, Since: aCheck})
	if got := s.openOf(1); len(got) > 0 {
		t.Errorf("open %v although all arrived", got)
	}
}

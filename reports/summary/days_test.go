package summary

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"statewire/reports/reportstest"
	"statewire/store/storetest"
)

// Whoever spoke after all is taken off the causes of the day in their order, and then off those who had looked.
func TestADayMadeAgainKeepsItsCauses(t *testing.T) {
	before := countsRow{spoke: spoke{good: 2, bad: 1}, naImplied: 4, scope: 20,
		notKnown: map[string]uint64{"gap": 1, "waiting": 2, "never_told": 3}}
	for _, tt := range []struct {
		good    uint64 // now
		causes  map[string]uint64
		implied uint64
	}{
		{2, map[string]uint64{"gap": 1, "waiting": 2, "never_told": 3}, 4},
		{1, map[string]uint64{"gap": 1, "waiting": 2, "never_told": 3}, 4}, // one was erased
		{3, map[string]uint64{"gap": 1, "waiting": 1, "never_told": 3}, 4},
		{5, map[string]uint64{"never_told": 3}, 4},
		{9, map[string]uint64{}, 3},
		{30, map[string]uint64{}, 0},
	} {
		made := countsRow{spoke: spoke{good: tt.good, bad: 1}, scope: 20, naImplied: 9, notKnown: map[string]uint64{"silent": 7}}
		got := made.keeping(before)
		if !maps.Equal(got.notKnown, tt.causes) || got.naImplied != tt.implied ||
			got.beyond != 20-min(20, got.population()) {
			t.Errorf("%d good: %v, %d implied, %d beyond; want %v, %d", tt.good, got.notKnown, got.naImplied, got.beyond, tt.causes,
				tt.implied)
		}
	}
}

// Of a day that is made again those subjects that the site knew of by its end keep what is stored of them; others have no row.
func TestADayHasWhatTheSiteKnewOf(t *testing.T) {
	known := countsRow{kind: "update", id: "known", notKnown: map[string]uint64{"silent": 7}, seen: 100}
	later := countsRow{kind: "update", id: "later", seen: 101}
	fresh := countsRow{kind: "update", id: "fresh", notKnown: map[string]uint64{"silent": 3}, seen: 0}
	stored := countsRow{kind: "update", id: "known", notKnown: map[string]uint64{"gap": 5}}
	w := &countsWriter{stored: map[subjectKey]countsRow{stored.key(): stored}}
	were := w.thatWere([]countsRow{known, later, fresh}, 100)
	if len(were) != 2 || were[0].id != "known" || were[0].notKnown["gap"] != 5 || were[1].id != "fresh" ||
		were[1].notKnown["silent"] != 3 {
		t.Errorf("the day has %+v", were)
	}
}

// tellOf loads a message of one of a few clients on an update or a deployment, that arrived so long ago.
func (s *site) tellOf(now time.Time, ago time.Duration) {
	topic, id, state := []int{500, 402, 300, 301, 501}[s.rand.IntN(5)], s.rand.IntN(3), s.rand.IntN(12)
	if topic == 500 || topic == 300 {
		state = 1 + s.rand.IntN(3)
	}
	at := now.Add(-ago).UnixMicro()
	s.load(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id,
		state_id, payload_hash)
		VALUES (toUUID('00000000-0000-4000-8000-%012d'), %d, fromUnixTimestamp64Micro(%d), %d, %d, '%d', %d, %d)`,
		s.rand.IntN(6), 1+s.rand.IntN(40), at, at, topic, id, state, s.rand.Uint64()))
	s.load(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, source_file)
		SELECT toUUID('00000000-0000-4000-8000-%012d'), fromUnixTimestamp64Micro(%d), '%d.SMX'`, s.rand.IntN(6), at, len(s.loaded)))
}

// stepOverTime makes what is kept of days and spells, or dies while it does.
func (s *site) stepOverTime(dies int) {
	s.t.Helper()
	s.dies, s.before = dies, s.rand.IntN(2) == 0
	s.s.days.job.rests, s.s.spells.job.rests = time.Time{}, time.Time{}
	if err := s.s.stepPast(s.t.Context()); errors.Is(err, errDied) {
		s.start()
	} else if err != nil {
		s.t.Fatal(err)
	}
	s.dies = -1
}

// What is kept of days and spells is what is made of it from nothing, wherever a process died, and a step without a change
// writes nothing.
func TestDaysAndSpellsSurviveDeaths(t *testing.T) {
	s := &site{t: t, store: reportstest.NewSeed(t).Store, rand: rand.New(rand.NewPCG(storetest.Seed(t), 4)), dies: -1}
	s.start()
	now := time.Now()
	rounds, back := 3, 60*time.Hour
	for range rounds {
		for range 12 {
			s.tellOf(now, time.Duration(s.rand.Int64N(int64(back)))+time.Hour) // some come late
		}
		s.exec(s.loaded[s.rand.IntN(len(s.loaded))]) // and some again
		s.stepOverTime(s.rand.IntN(8))
	}
	s.stepOverTime(-1)
	const days = `SELECT toString(tuple(kind, day, topic_id, topic_type, good, bad, pending, restart, failed, na_said,
		said_unknown, other, outside_spoke)) FROM subject_days FINAL WHERE deleted = 0 ORDER BY 1`
	const classes = "SELECT toString(tuple(kind, day, class, machines)) FROM class_days FINAL WHERE class != 'not_known' AND " +
		"class != 'not_applicable' AND machines > 0 ORDER BY 1"
	const cells = "SELECT toString(tuple(kind, topic_id, required_day, days_to_fix, fixed, clock_day, machines)) " +
		"FROM subject_ttr FINAL WHERE machines > 0 ORDER BY 1"
	const written = "SELECT toString(tuple((SELECT count() FROM subject_days), (SELECT count() FROM class_days), " +
		"(SELECT count() FROM subject_ttr)))"
	before := s.rows(written)
	s.stepOverTime(-1)
	if after := s.rows(written); !slices.Equal(before, after) {
		t.Errorf("a step without a change wrote: rows %v, then %v", before, after)
	}
	kept := map[string][]string{}
	for _, query := range []string{days, classes, cells} {
		if kept[query] = s.rows(query); len(kept[query]) == 0 {
			t.Errorf("nothing is kept: %s", query)
		}
	}
	for _, table := range []string{"subject_days", "class_days", "subject_ttr"} {
		s.exec("TRUNCATE TABLE " + table)
	}
	s.start()
	if err := s.s.restart(t.Context(), &s.s.past); err != nil {
		t.Fatal(err)
	}
	s.stepOverTime(-1)
	for query, want := range kept {
		if got := s.rows(query); !slices.Equal(got, want) {
			t.Errorf("%s\nkept\n%q\nmade from nothing\n%q", query, want, got)
		}
	}
}

// A day that is counted while a report waits becomes final once none does.
func TestADayIsFinalOnceNothingWaits(t *testing.T) {
	s := &site{t: t, store: reportstest.NewSeed(t).Store, rand: rand.New(rand.NewPCG(1, 1)), dies: -1}
	s.start()
	const waits = "INSERT INTO clients_waiting (client_id, waiting, version) VALUES " +
		"(toUUID('00000000-0000-4000-8000-000000000001'), %d, %d)"
	finals := func() string {
		return fmt.Sprint(s.rows("SELECT DISTINCT toString(final) FROM class_days FINAL"))
	}
	s.tellOf(time.Now(), 30*time.Hour)
	s.exec(fmt.Sprintf(waits, 1, 1))
	s.stepOverTime(-1)
	s.stepOverTime(-1)
	if got := finals(); got != "[0]" {
		t.Errorf("while a report waits final is %s", got)
	}
	s.exec(fmt.Sprintf(waits, 0, 2))
	s.stepOverTime(-1)
	if got := finals(); got != "[1]" {
		t.Errorf("when none waits final is %s", got)
	}
}

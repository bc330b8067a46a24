package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/reports/web"
)

// TestARunThatJumpedIsApart has both sides of the edge, below a serial that arrived and below one that was only claimed.
func TestARunThatJumpedIsApart(t *testing.T) {
	for _, c := range []struct {
		missing run
		seen    uint64
		jumps   int
	}{{run{11, 1_000_009}, 1_000_010, 0}, {run{11, 1_000_010}, 1_000_011, 1}, {run{11, 1_000_010}, 10, 0}, {run{11, 1_000_011}, 10, 1}} {
		if lost, jumps := parted([]run{c.missing}, c.seen); len(jumps) != c.jumps || len(lost) != 1-c.jumps {
			t.Errorf("%v below %d: lost %v, jumped %v", c.missing, c.seen, lost, jumps)
		}
	}
	s := newSite(t)
	s.client(1, 8, hour)
	s.arrived(1, 10, 10, 5_000_000, 5_000_000) // of 1 to 10 and 5,000,000 only 9 is lost: one of eleven
	s.missing(1, 9, 9, hour)
	s.missing(1, 11, 4_999_999, hour)
	expect(t, lines(s.all(s.runner(), "client-completeness", nil), "percent", "missing_messages", "expected_messages"), "90.9 | 1 | 11")
	if body := get(t, handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) }), "/clients/PC-0001").Body.String(); !strings.Contains(body, "90.9 %") {
		t.Errorf("%s", body)
	}
}

// TestFiguresLagWhenFilesWaitLongerThanALook counts no file that nobody will load.
func TestFiguresLagWhenFilesWaitLongerThanALook(t *testing.T) {
	for _, c := range []struct {
		boxes []Box
		files int
		stale bool
	}{
		{[]Box{{Name: "normal", Files: 1, Oldest: staleAfter}}, 1, false}, {[]Box{{Name: "normal", Files: 1, Oldest: staleAfter + 1}}, 1, true},
		{[]Box{{Name: "low", Files: 2, Oldest: hour}, {Name: "process", Files: 1}}, 3, true}, {[]Box{{Name: "corrupt", Files: 9, Oldest: hour}, {Name: "high", Files: 1}}, 1, false},
	} {
		var f Freshness
		if f.addBacklog(c.boxes); *f.WaitingFiles != c.files || f.Stale != c.stale {
			t.Errorf("%v: %d files wait, stale %v; want %d, %v", c.boxes, *f.WaitingFiles, f.Stale, c.files, c.stale)
		}
	}
}

// TestADeploymentsTimesAreThoseOfItsMessages has clocks that differ from the arrivals.
func TestADeploymentsTimesAreThoseOfItsMessages(t *testing.T) {
	s := newSite(t)
	for n, ago := range []time.Duration{9 * hour, 4 * hour, 6 * hour} {
		s.client(n, 1, hour)
		s.messages(message{client: n, serial: 1, ago: ago, received: time.Duration(20+n) * time.Minute, topic: 301, id: "D", state: 4})
	}
	expect(t, lines(s.all(s.runner(), "deployment-enforcement", map[string]string{"deployment": "D"})[:1], "clients", "oldest_message", "newest_message"), "3 | "+s.at(9*hour)+" | "+s.at(4*hour))
}

// TestWhatBecameOfABadRecord has what of its name came to an end before it was set aside, and after.
func TestWhatBecameOfABadRecord(t *testing.T) {
	s := newSite(t)
	for n, name := range []string{"a", "b", "c"} {
		s.exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, kept_as, code, received_time, set_aside_time)
			VALUES ('%s', 'F.SMX', 0, %d, '%s', 'x', '%s', '%s')`, id(1), n, name, s.micros(5*hour), s.micros(5 * hour)[:23]))
	}
	for name, ago := range map[string]time.Duration{"b": 4 * hour, "c": 6 * hour} {
		s.exec(fmt.Sprintf("INSERT INTO set_aside_ends (name, until, received_time, how, code, records, time) VALUES ('%s', '%s', '%[2]s', 'dropped', 'x', 1, '%s')", name, s.micros(ago), s.micros(ago)[:23]))
	}
	expect(t, lines(s.all(s.runner(), "bad-records", nil), "record_index", "is"), "0 | set aside\n1 | dropped\n2 | set aside")
	for _, ago := range []time.Duration{8 * day, 10 * day} {
		s.checked(ago)
	}
	expect(t, lines(s.all(s.runner(), "gap-checks", map[string]string{"days": "9"}), "time"), s.at(8*day))
}

// TestASlowQuestionIsAskedLessOften has a question that takes a second by a clock that goes on with every look at it.
func TestASlowQuestionIsAskedLessOften(t *testing.T) {
	s, now := newSite(t), time.Now()
	s.checked(hour)
	r := s.runner(func(_ *Config, d *Deps) {
		d.Now = func() time.Time { now = now.Add(time.Second); return now }
	})
	kept := newSnapshots(r, time.Second)
	asked := func() int {
		rows, err := kept.get(t.Context(), "gap-checks", nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	first := asked()
	began := now
	s.checked(2 * hour)
	for now.Sub(began) < (slowness-1)*time.Second {
		if n := asked(); n != first {
			t.Fatalf("asked again after %v", now.Sub(began))
		}
	}
	now = now.Add(slowness * time.Hour)
	if n := asked(); n != first+1 {
		t.Errorf("%d rows long after, want %d", n, first+1)
	}
}

// TestColoursOfABacklog has both sides of each threshold.
func TestColoursOfABacklog(t *testing.T) {
	for _, c := range []struct {
		box  Box
		want web.Tone
	}{
		{Box{Oldest: hour}, web.ToneGood}, {Box{Files: 1, Name: "corrupt"}, web.ToneBad}, {Box{Files: manyFiles - 1, Oldest: time.Minute}, web.ToneGood},
		{Box{Files: manyFiles}, web.ToneBusy}, {Box{Files: 1, Oldest: time.Minute + 1}, web.ToneBusy}, {Box{Files: tooManyFiles - 1, Oldest: staleAfter}, web.ToneBusy},
		{Box{Files: tooManyFiles}, web.ToneBad}, {Box{Files: 1, Oldest: staleAfter + 1}, web.ToneBad},
	} {
		if got := boxTone(c.box); got != c.want {
			t.Errorf("%+v is %s, want %s", c.box, got, c.want)
		}
	}
}

// TestAGapCheckIsForetoldAtOrAfterAMoment has checks every hour, the last one half an hour ago.
func TestAGapCheckIsForetoldAtOrAfterAMoment(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	e := evidence{now: now, lastCheck: now.Add(-hour / 2), schedule: Schedule{CheckInterval: hour}}
	for after, want := range map[time.Duration]time.Duration{-hour: hour / 2, 0: hour / 2, hour / 2: hour / 2, hour/2 + 1: 3 * hour / 2, 3 * hour / 2: 3 * hour / 2, 2 * hour: 5 * hour / 2} {
		if got := e.checkAfter(now.Add(after)); !got.Equal(now.Add(want)) {
			t.Errorf("%v from now: the check is %v from now, want %v", after, got.Sub(now), want)
		}
	}
}

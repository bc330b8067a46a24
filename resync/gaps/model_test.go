package gaps

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"statewire/store"
	"statewire/store/storetest"
)

// fleetModel drives a site and the model with the same events.
type fleetModel struct {
	*site
	rt      *rapid.T
	clients map[int]*modelClient
	now     int       // seconds of the test; receiving goes by it
	at      time.Time // of the next check
	late    uint64    // messages that a check in between found to have arrived late
	since   time.Time

	ranges, messages, bad, claims, baselines []string // rows to insert
}

// message notes a row of state_messages.
func (f *fleetModel) message(n int, serial, hash uint64, topic int, params string) {
	f.messages = append(f.messages, fmt.Sprintf("('%s', %d, %s, %d, 'x', 2, [%s], %d, %d)", clientN(n), serial,
		f.time(f.now), topic, params, hash, hash))
	c := f.clients[n]
	c.arrived[serial] = true
	if at, ok := c.messages[modelMessage{serial, hash}]; !ok || f.now < at {
		c.messages[modelMessage{serial, hash}] = f.now
	}
}

func (f *fleetModel) time(second int) string {
	return "'" + epoch.Add(time.Duration(second)*time.Second).Format("2006-01-02 15:04:05.000000") + "'"
}

// report brings serials in any order, some of them for the second time, some of records that were set aside.
func (f *fleetModel) report(n int) {
	serials := f.clients[n].next(rapid.IntRange(0, 2).Draw(f.rt, "in order"))
	if len(serials) == 0 {
		serials = rapid.SliceOfN(rapid.Uint64Range(1, topSerial), 1, 6).Draw(f.rt, "serials")
		if from := rapid.Uint64Range(0, topSerial-5).Draw(f.rt, "run"); from > 0 {
			serials = append(serials, from, from+1, from+2, from+3)
		}
	}
	setAside := rapid.IntRange(0, 5).Draw(f.rt, "set_aside") == 0
	reinstalled := rapid.IntRange(0, 9).Draw(f.rt, "reinstalled") == 0
	for _, s := range serials {
		if setAside {
			// a record for each serial
			f.bad = append(f.bad, fmt.Sprintf("('%s', '%d.SMX', %d, %d, %s)", clientN(n), f.now, s, s, f.time(f.now)))
			f.clients[n].arrived[s], f.clients[n].setAside[s] = true, true
			continue
		}
		hash := s * 1000
		if reinstalled {
			hash += uint64(f.now)
		}
		f.message(n, s, hash, 500, "")
	}
	f.arrivedRuns(n, serials)
}

// next are the serials after the greatest one that arrived, as long as there are any.
func (c *modelClient) next(count int) (serials []uint64) {
	top := uint64(0)
	for s := range c.arrived {
		top = max(top, s)
	}
	for s := top + 1; s <= topSerial && s <= top+uint64(count); s++ {
		serials = append(serials, s)
	}
	return serials
}

// arrivedRuns writes serials as the loader does: the runs of one report, a serial that repeats as a run of its own.
func (f *fleetModel) arrivedRuns(n int, serials []uint64) {
	sorted := slices.Sorted(slices.Values(serials))
	for len(sorted) > 0 {
		end := 1
		for end < len(sorted) && sorted[end] == sorted[end-1]+1 {
			end++
		}
		f.ranges = append(f.ranges, fmt.Sprintf("('%s', %d, %d)", clientN(n), sorted[0], sorted[end-1]))
		sorted = sorted[end:]
	}
}

// complete is message (700, 2), by our agent and by others.
func (f *fleetModel) complete(n int) {
	serial := rapid.Uint64Range(1, topSerial).Draw(f.rt, "completion")
	first := rapid.Uint64Range(1, topSerial).Draw(f.rt, "first")
	param, floor := "", serial
	switch rapid.IntRange(0, 3).Draw(f.rt, "kind of completion") {
	case 0:
		param = rapid.SampledFrom([]string{"'0'", "''", "'abc'", "' 3'", "'-1'", "'+2'", "'18446744073709551617'",
			"'99999999999999999999'", "'4611686018427387904'"}).Draw(f.rt, "param")
	case 1, 2:
		param = fmt.Sprintf("'%d', 'more'", first)
		if first <= serial {
			floor = first
		}
	}
	f.message(n, serial, serial*7777+first, 700, param)
	f.arrivedRuns(n, []uint64{serial})
	f.clients[n].completions = append(f.clients[n].completions, modelCompletion{floor, f.now})
}

func (f *fleetModel) claim(n int) {
	serial := rapid.Uint64Range(0, topSerial+5).Draw(f.rt, "claim")
	f.clients[n].claimed = max(f.clients[n].claimed, serial)
	f.claims = append(f.claims, fmt.Sprintf("('%s', %d, %s)", clientN(n), serial, f.time(f.now)))
}

func (f *fleetModel) accept(n int) {
	serial := rapid.Uint64Range(0, topSerial).Draw(f.rt, "baseline")
	c := f.clients[n]
	c.baseline, c.accepted = max(c.baseline, serial+1), f.now
	f.baselines = append(f.baselines, fmt.Sprintf("('%s', %d, %s)", clientN(n), serial, f.time(f.now)))
}

// step lets something happen to a client.
func (f *fleetModel) step(n int) {
	f.now++
	switch kind := rapid.IntRange(0, 11).Draw(f.rt, "event"); {
	case kind == 0:
		f.complete(n)
	case kind == 1:
		f.accept(n)
	case kind <= 3:
		f.claim(n)
	default:
		f.report(n)
	}
}

// flush inserts what happened, in a second attempt when the first is cut short before runs are added up, and a check
// comes between.
func (f *fleetModel) flush(cutShort bool) {
	tables := []struct {
		table string
		rows  *[]string
	}{
		{"state_messages (client_id, serial, received_time, topic_type, topic_id, state_id, params, payload_hash, " +
			"message_us)", &f.messages},
		{"set_aside_records (client_id, source_file, record_index, serial, received_time)", &f.bad},
		{"client_claims (client_id, last_serial, claimed_time)", &f.claims},
		{"baselines (client_id, serial, accepted_time)", &f.baselines},
		{"serial_ranges (client_id, first_serial, last_serial)", &f.ranges},
		{"arrivals (client_id, first_serial, last_serial)", &f.ranges},
	}
	insert := func(count int) {
		for _, into := range tables[:count] {
			if len(*into.rows) > 0 {
				f.exec("INSERT INTO %s VALUES %s", into.table, strings.Join(*into.rows, ", "))
			}
		}
	}
	if cutShort {
		insert(len(tables) - 1)
		out := f.check(Options{At: f.at, Since: f.since})
		f.since, f.late = out.Watermark, out.Late
	}
	insert(len(tables))
	for _, into := range tables {
		*into.rows = nil
	}
}

// checkAndCompare makes a gap check and compares everything that it keeps.
func (f *fleetModel) checkAndCompare() {
	at := f.at
	full := rapid.Bool().Draw(f.rt, "full")
	dry := f.dryRun(Options{At: at, Full: full, Since: f.since, DryRun: true, Rows: -1})
	out := f.check(Options{At: at, Full: full, Since: f.since, Rows: rapid.IntRange(-1, 3).Draw(f.rt, "rows")})
	f.since = out.Watermark
	var want []string
	var ranges, messages, late, jumps, apart uint64
	conflicts := 0
	for _, n := range slices.SortedFunc(maps.Keys(f.clients), storeOrder) {
		c := f.clients[n]
		late += c.late()
		c.check(at.UnixMicro())
		for _, o := range c.open {
			want = append(want, fmt.Sprintf("('%s',%d,%d,%d,%d)", clientN(n), o.First, o.Last,
				(o.detected-epoch.UnixMicro())/1e6, store.Flag(o.jump)))
			if o.jump {
				jumps, apart = jumps+1, apart+o.Last-o.First+1
				continue
			}
			ranges, messages = ranges+1, messages+o.Last-o.First+1
		}
		conflicts += len(c.openConflicts())
		f.compareConflicts(n, c)
	}
	if got := f.openJumps(); !slices.Equal(got, want) {
		f.rt.Fatalf("open ranges (full %v)\n%v, want\n%v", full, got, want)
	}
	if out.Jumps != jumps || out.JumpMessages != float64(apart) {
		f.rt.Fatalf("the check counts %d ranges and %v messages apart, want %d and %d", out.Jumps, out.JumpMessages,
			jumps, apart)
	}
	if out.Ranges != ranges || out.Messages != float64(messages) {
		f.rt.Fatalf("the check counts %d ranges and %v messages, want %d and %d", out.Ranges, out.Messages, ranges,
			messages)
	}
	if dry != nil && (dry.Ranges != ranges || dry.Jumps != jumps || dry.JumpMessages != out.JumpMessages ||
		dry.Messages != out.Messages || dry.Opened != out.Opened || dry.Closed != out.Closed ||
		len(dry.Rows) > len(want)) {
		f.rt.Fatalf("the dry run said %+v, the check %+v", *dry, out)
	}
	if out.Late+f.late != late {
		f.rt.Fatalf("%d messages arrived late, want %d", out.Late+f.late, late)
	}
	f.late = 0
	if out.Conflicts != uint64(conflicts) {
		f.rt.Fatalf("%d open conflicts, want %d", out.Conflicts, conflicts)
	}
	if !rapid.Bool().Draw(f.rt, "again") {
		return
	}
	if again := f.check(Options{At: at.Add(time.Hour), Full: true,
		Rows: 2}); again.Opened+again.Closed+again.NewConflicts != 0 {
		f.rt.Fatalf("a full check after that changes %+v", again)
	}
}

// openJumps are the open ranges, with whether they are below a serial that jumped.
func (f *fleetModel) openJumps() []string {
	f.t.Helper()
	return f.rows("SELECT ClientID, FirstSerial, LastSerial, dateDiff('second', toDateTime64('2026-03-01 08:00:00', " +
		"6, 'UTC'), DetectedTime), SerialJump = 1 FROM SR_MissingMessageRanges ORDER BY ClientID, FirstSerial, " +
		"LastSerial")
}

// dryRun makes one now and then, and compares what is stored before and after it.
func (f *fleetModel) dryRun(opt Options) *Outcome {
	if rapid.IntRange(0, 2).Draw(f.rt, "dry run") > 0 {
		return nil
	}
	before := f.open()
	out := f.check(opt)
	if after := f.open(); !slices.Equal(before, after) {
		f.rt.Fatalf("a dry run changed\n%v\ninto\n%v", before, after)
	}
	return &out
}

func (f *fleetModel) compareConflicts(n int, c *modelClient) {
	var want []string
	for k := range c.openConflicts() {
		want = append(want, k)
	}
	got := f.rows(fmt.Sprintf("SELECT concat(toString(serial), ' ', kind) FROM open_conflicts WHERE client_id = '%s'",
		clientN(n)))
	for i := range got {
		got[i] = strings.Trim(got[i], "()'")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.rt.Fatalf("open conflicts of client %d: %v, want %v", n, got, want)
	}
}

// storeOrder sorts clients as the store sorts their ids.
func storeOrder(a, b int) int {
	x, y := clientN(a), clientN(b)
	return cmp.Or(slices.Compare(x[8:], y[8:]), slices.Compare(x[:8], y[:8]))
}

func TestGapsAreThoseOfASetModel(t *testing.T) {
	storetest.Checks(t, 10)
	s := newSite(t)
	s.finder.margin, s.finder.jump = 0, modelJump
	rapid.Check(t, func(rt *rapid.T) {
		s.empty()
		f := &fleetModel{site: s, rt: rt, clients: map[int]*modelClient{}}
		for range rapid.IntRange(1, 5).Draw(rt, "checks") {
			f.at = epoch.Add(time.Duration(f.now+rapid.IntRange(-50, 50).Draw(rt, "clock")) * time.Second)
			for range rapid.IntRange(1, 12).Draw(rt, "events") {
				n := rapid.IntRange(1, 5).Draw(rt, "client")
				if f.clients[n] == nil {
					f.clients[n] = &modelClient{arrived: map[uint64]bool{}, setAside: map[uint64]bool{},
						messages: map[modelMessage]int{}, conflicts: map[modelConflict]bool{}}
				}
				f.step(n)
				if rapid.Bool().Draw(rt, "separate block") {
					f.flush(false)
				}
			}
			f.flush(rapid.IntRange(0, 2).Draw(rt, "cut short") == 0)
			f.checkAndCompare()
		}
	})
}

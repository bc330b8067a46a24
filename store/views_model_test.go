package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// life is all that the store was ever told of one client. Times are microseconds after the epoch of the test.
type life struct {
	client    byte
	reports   []reportRow
	messages  []message
	runs      [][2]uint64 // of serials that arrived
	resyncs   []resyncRow
	baselines []baselineRow
	missing   []missingRow
	conflicts []conflictRow
	presence  []presenceRow
}

type reportRow struct {
	at            int64
	file          string
	index         uint32
	name, version string
	kind          uint8
}

type resyncRow struct {
	number uint32
	issued int64
}

type baselineRow struct {
	serial   uint64
	accepted int64
}

type missingRow struct {
	first, last       uint64
	detected, checked int64
	closed, jump      uint8
}

type conflictRow struct {
	serial             uint64
	kind               string
	received, detected int64
}

type presenceRow struct {
	status, channel uint8
	at              int64
	version         uint64
}

// firstParams are what a resync complete message may say of the first serial of its answer.
var firstParams = [][]string{nil, {"0"}, {"2"}, {"4", "1"}, {"x"}, {"99"}, {" 2"}, {"9999999999999999999"}}

// drawLife draws from so few values that repeats, ties and neighbours are the rule.
func drawLife(r *rand.Rand, client byte) life {
	l := life{client: client}
	at := func() int64 { return r.Int64N(6) }
	serial := func() uint64 { return r.Uint64N(7) }
	for i := range r.IntN(4) {
		l.reports = append(l.reports, reportRow{at(), fmt.Sprintf("%d.SMX", client), uint32(i),
			[]string{"", "PC-1", "PC-2"}[r.IntN(3)], []string{"", "5.0", "5.1"}[r.IntN(3)], uint8(r.IntN(3))})
	}
	for range r.IntN(8) {
		l.messages = append(l.messages, drawAny(r, client, serial(), at()))
	}
	for range r.IntN(2) {
		first := 1 + serial()
		l.runs = append(l.runs, [2]uint64{first, first + serial()})
	}
	for range r.IntN(4) {
		l.resyncs = append(l.resyncs, resyncRow{uint32(1 + r.IntN(2)), at()})
	}
	for range max(0, r.IntN(4)-1) {
		l.baselines = append(l.baselines, baselineRow{serial(), at()})
	}
	for i := range r.IntN(5) {
		first := 1 + serial()/3
		l.missing = append(l.missing, missingRow{first, first + serial()/3, at(), int64(i), uint8(r.IntN(2)),
			uint8(r.IntN(2))})
	}
	for range r.IntN(5) {
		l.conflicts = append(l.conflicts, conflictRow{1 + serial()/3, []string{"reused", "below_completion"}[r.IntN(2)], at(),
			at()})
	}
	for i := range r.IntN(3) {
		l.presence = append(l.presence, presenceRow{uint8(r.IntN(2)), uint8(r.IntN(3)), at(),
			uint64(1 + (i*5+int(client))%7)})
	}
	return l
}

// drawAny draws a message whose hash decides its content, as in life: half are of topic type 700, half say state 2.
func drawAny(r *rand.Rand, client byte, serial uint64, received int64) message {
	payload := r.Uint64N(32)
	return message{Client: client, Serial: serial, Received: received, Hash: (payload + 1) * 0x9E3779B97F4A7C15,
		Topic: []uint32{500, 700}[payload%2], TopicID: []string{"", "a", "b"}[payload%3], State: uint32(1 +
			payload/2%2), Params: firstParams[payload/4],
		TimeUS: int64(payload*payload%7) * 500}
}

// arrived are the messages, each once, as it came first.
func (l life) arrived() []message {
	first := map[string]message{}
	for _, m := range l.messages {
		key := fmt.Sprint(m.Serial, " ", m.Hash)
		if seen, ok := first[key]; !ok || m.Received < seen.Received {
			first[key] = m
		}
	}
	var out []message
	for _, m := range first {
		out = append(out, m)
	}
	return out
}

// completions are those messages that say that a resync is complete: (700, 2) alone.
func (l life) completions() []message {
	return slices.DeleteFunc(l.arrived(), func(m message) bool { return m.Topic != 700 || m.State != 2 })
}

// clientRow is the client's row of clients: a report without a name or version leaves those that came before.
func (l life) clientRow() []string {
	if len(l.reports) == 0 {
		return nil
	}
	sorted := slices.SortedFunc(slices.Values(l.reports), func(a, b reportRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.file, b.file), cmp.Compare(a.index, b.index))
	})
	name, version := "", ""
	for _, r := range sorted {
		name, version = cmp.Or(r.name, name), cmp.Or(r.version, version)
	}
	last := sorted[len(sorted)-1]
	return []string{fmt.Sprintf("('%s','%s','%s',%d,%d,%d)", clientID(l.client), name, version, last.kind, sorted[0].at,
		last.at)}
}

// statsRow is the client's row of SR_ClientMessageStats.
func (l life) statsRow() []string {
	if len(l.reports)+len(l.messages)+len(l.runs) == 0 {
		return nil
	}
	var serial uint64
	when := epoch.UnixMilli()
	for _, r := range l.reports {
		when = max(when, epoch.Add(time.Duration(r.at)*time.Microsecond).UnixMilli())
	}
	if len(l.reports) == 0 {
		when = 0
	}
	if len(l.messages) > 0 {
		last := slices.MaxFunc(l.messages, func(a, b message) int {
			return cmp.Or(cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.TimeUS, b.TimeUS))
		})
		serial, when = last.Serial, epoch.UnixMilli()+last.TimeUS/1000
	}
	for _, run := range l.runs {
		serial = max(serial, run[1])
	}
	issued, completed := "NULL", "NULL"
	if all := l.issued(); len(all) > 0 {
		issued = strconv.FormatInt(slices.Max(all), 10)
	}
	if all := l.completions(); len(all) > 0 {
		completed = strconv.FormatInt(
			slices.MaxFunc(all, func(a, b message) int { return cmp.Compare(a.Received, b.Received) }).Received, 10)
	}
	return []string{fmt.Sprintf("('%s',%d,%d,%s,%s)", clientID(l.client), serial, when, issued, completed)}
}

// issued are the times of the client's resyncs: one that was issued twice counts from the first.
func (l life) issued() (all []int64) {
	first := map[uint32]int64{}
	for _, r := range l.resyncs {
		if at, ok := first[r.number]; !ok || r.issued < at {
			first[r.number] = r.issued
		}
	}
	for _, at := range first {
		all = append(all, at)
	}
	return all
}

// floors are below which nothing counts as missing, and since when.
type floors struct {
	completion, baseline uint64
	completed, settled   int64
	known                bool
}

var digits = regexp.MustCompile(`^[0-9]{1,19}$`)

// closes is the serial below which a completion closes what is missing: the first of its answer, or its own.
func closes(m message) uint64 {
	if len(m.Params) > 0 && digits.MatchString(m.Params[0]) {
		if first, err := strconv.ParseUint(m.Params[0], 10, 64); err == nil && first >= 1 && first <= m.Serial {
			return first
		}
	}
	return m.Serial
}

func (l life) floors() (f floors) {
	var completed bool
	for _, m := range l.completions() {
		at := closes(m)
		if !completed || at > f.completion || at == f.completion && m.Received < f.completed {
			f.completion, f.completed, completed = at, m.Received, true
		}
		f.settled, f.known = max(f.settled, m.Received), true
	}
	var accepted int64
	for _, b := range l.baselines {
		f.baseline, accepted, f.known = max(f.baseline, b.serial+1), max(accepted, b.accepted), true
	}
	if f.settled = max(f.settled, accepted); !completed {
		f.completed = accepted
	}
	return f
}

func (l life) floorRow() []string {
	f := l.floors()
	if !f.known {
		return nil
	}
	return []string{fmt.Sprintf("('%s',%d,%d,%d,%d,%d)", clientID(l.client), max(f.completion, f.baseline), f.completion,
		f.baseline, f.completed, f.settled)}
}

// unconfirmedRows are the states of before the client's last whole cache, which did not come again with it.
func (l life) unconfirmedRows() (rows []string) {
	f := l.floors()
	if f.completion <= f.baseline {
		return nil
	}
	for _, s := range model(l.messages) {
		if s.Serial > 0 && s.Serial < f.completion && s.Topic != 700 {
			rows = append(rows, fmt.Sprintf("('%s',%d,'%s',%d,%d,%d,%d)", clientID(l.client), s.Topic, s.TopicID, s.State,
				s.Serial, f.completion, f.completed))
		}
	}
	return rows
}

// conflictRows are the conflicts that nothing has settled since, by the latest message and the first detection.
func (l life) conflictRows() (rows []string) {
	type key struct {
		serial uint64
		kind   string
	}
	open := map[key]conflictRow{}
	f := l.floors()
	for _, c := range l.conflicts {
		if f.known && c.received <= f.settled {
			continue
		}
		k := key{c.serial, c.kind}
		if have, ok := open[k]; ok {
			c.received, c.detected = max(c.received, have.received), min(c.detected, have.detected)
		}
		open[k] = c
	}
	for _, c := range open {
		rows = append(rows, fmt.Sprintf("('%s',%d,'%s',%d,%d)", clientID(l.client), c.serial, c.kind, c.received, c.detected))
	}
	return rows
}

// missingRows are the ranges that the last check left open.
func (l life) missingRows() (rows []string) {
	last := map[[2]uint64]missingRow{}
	for _, m := range l.missing {
		last[[2]uint64{m.first, m.last}] = m // drawn in the order of the checks
	}
	for _, m := range last {
		if m.closed == 0 {
			rows = append(rows, fmt.Sprintf("('%s',%d,%d,%d,%d)", clientID(l.client), m.first, m.last, m.detected, m.jump))
		}
	}
	return rows
}

func (l life) presenceRows() []string {
	if len(l.presence) == 0 {
		return nil
	}
	p := slices.MaxFunc(l.presence, func(a, b presenceRow) int { return cmp.Compare(a.version, b.version) })
	return []string{fmt.Sprintf("('%s',%d,%d,%d,1)", clientID(l.client), p.status, p.channel, p.at)}
}

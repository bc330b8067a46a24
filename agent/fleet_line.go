package agent

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strconv"

	"statewire/smx"
)

// line is the way from a simulated client to the relay, with the faults it has on purpose, and the record of what got through.
// What happens to a report depends on the seed, the client and the report's place in the client's sequence alone: a repeat of a
// report meets the same fate.
type line struct {
	client   *simulated
	first    uint64 // the client's first serial of this run
	sent     uint64 // reports that ended
	heldBack *late
	arrived  ledger
}

// late is a report kept back until its successor arrived.
type late struct {
	report *Report
	body   []byte
	tried  bool
}

// fate is what happens to one report.
type fate uint8

const (
	arrives fate = iota
	vanishes
	arrivesTwice
	arrivesLate
	arrivesDamaged
)

// Post implements courier.
func (l *line) Post(ctx context.Context, body []byte) Answer {
	report, _ := l.client.memory.Pending() // the one that Send is sending
	happens, r := l.fate(report)
	damage := intact
	switch happens {
	case vanishes:
		l.sent++
		l.count().lost.Add(1)
		l.arrived.lose(report)
		return Answer{Outcome: Accepted}
	case arrivesLate:
		l.sent++
		l.count().reordered.Add(1)
		l.heldBack = &late{report: report, body: body}
		return Answer{Outcome: Accepted}
	case arrivesDamaged:
		body, damage = damageRecord(r, body, report)
	}
	answer := l.deliver(ctx, body, report, damage)
	if answer.Outcome == Again {
		return answer
	}
	l.sent++
	if happens == arrivesTwice && l.client.fleet.relay.Post(ctx, body).Outcome == Accepted {
		l.count().duplicated.Add(1)
	}
	if l.heldBack != nil {
		l.deliverHeldBack(ctx)
	}
	return answer
}

// Policy implements courier.
func (l *line) Policy(ctx context.Context, poll smx.Poll, etag string) PolicyAnswer {
	return l.client.fleet.relay.Policy(ctx, poll, etag)
}

// deliver posts a report and records what the relay then has.
func (l *line) deliver(ctx context.Context, body []byte, report *Report, damage damage) Answer {
	answer := l.client.fleet.relay.Post(ctx, body)
	switch answer.Outcome {
	case Accepted:
		l.count().reports.Add(1)
		l.count().messages.Add(int64(len(report.States)))
		if damage.kind != none {
			l.count().damaged.Add(1)
		}
		l.arrived.arrive(report, damage)
	case Refused:
		l.count().refused.Add(1)
		l.arrived.lose(report)
	}
	return answer
}

func (l *line) deliverHeldBack(ctx context.Context) {
	l.heldBack.tried = true
	if l.deliver(ctx, l.heldBack.body, l.heldBack.report, intact).Outcome != Again {
		l.heldBack = nil
	}
}

func (l *line) count() *counts { return &l.client.fleet.counts }

// fate decides what happens to the report, and returns the source of chance for the details.
func (l *line) fate(report *Report) (fate, *rand.Rand) {
	cfg := &l.client.fleet.cfg
	r := rand.New(rand.NewPCG(cfg.Seed^uint64(l.client.index)<<32, l.sent))
	numbered := !slices.ContainsFunc(report.States, func(s State) bool { return s.Instant })
	p := r.Float64()
	for _, f := range []struct {
		fate  fate
		share float64
		may   bool
	}{
		{vanishes, cfg.Loss, numbered},
		{arrivesTwice, cfg.Duplicate, true},
		{arrivesLate, cfg.Reorder, numbered && l.heldBack == nil},
		{arrivesDamaged, cfg.Damage, numbered && len(report.States) > 1},
	} {
		if p -= f.share; p < 0 {
			if f.may {
				return f.fate, r
			}
			return arrives, r
		}
	}
	return arrives, r
}

// damageKind is what is wrong with a record.
type damageKind uint8

const (
	none        damageKind = iota
	badTime                // the month is 13
	badState               // the state id is larger than 32 bits
	badTopic               // the topic type is no number
	wrongSerial            // the serial can't be read: it counts as never arrived
	damageKinds
)

// damage is one faulty record of a report.
type damage struct {
	kind  damageKind
	index int
}

var intact = damage{}

// damageRecord returns the report with one record that no site can load, in an otherwise sound document.
func damageRecord(r *rand.Rand, body []byte, report *Report) ([]byte, damage) {
	d := damage{kind: 1 + damageKind(r.IntN(int(damageKinds)-1)), index: r.IntN(len(report.States))}
	from, to := recordAt(body, d.index)
	if to < 0 {
		return body, intact
	}
	s := &report.States[d.index]
	var was, now []byte
	switch d.kind {
	case badTime:
		was = smx.AppendTime(nil, s.Time)
		now = slices.Clone(was)
		copy(now[4:], "13")
	case badState:
		was, now = []byte(`<State ID="`), []byte(`<State ID="99999999999`)
	case badTopic:
		was = strconv.AppendUint([]byte(`Type="`), uint64(s.TopicType), 10)
		now = []byte(`Type="none`)
	case wrongSerial:
		was = strconv.AppendUint([]byte(`SerialNumber="`), s.Serial, 10)
		now = append([]byte(`SerialNumber="+`), was[len(`SerialNumber="`):]...)
	}
	at := bytes.Index(body[from:to], was)
	if at < 0 {
		return body, intact
	}
	return slices.Concat(body[:from+at], now, body[from+at+len(was):]), d
}

// recordAt is where the report's StateMessage at an index stands; to is -1 if it has none.
func recordAt(body []byte, index int) (from, to int) {
	const opens, closes = "<StateMessage ", "</StateMessage>"
	for i := 0; ; i++ {
		at := bytes.Index(body[from:], []byte(opens))
		end := bytes.Index(body[from:], []byte(closes))
		if at < 0 || end < at {
			return 0, -1
		}
		if i == index {
			return from + at, from + end
		}
		from += end + len(closes)
	}
}

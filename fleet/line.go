package fleet

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
)

// mostLate bounds what is on its way of one client.
const mostLate = 4

// line is the way from a simulated client to the relay, with the faults it has on purpose. What happens to a report
// depends on the seed, the client and the report's place in the client's sequence alone: a repeat of a report meets the
// same fate.
type line struct {
	client *simulated
	sent   uint64 // reports that ended
	polled uint64 // policy polls
	late   []*late
}

// late is a report that the client believes sent.
type late struct {
	report *cache.Report
	body   []byte
	due    time.Duration // real time since Run began; never = after its successor
	tried  bool
}

// fate is what happens to one report.
type fate uint8

const (
	arrives fate = iota
	vanishes
	arrivesTwice
	arrivesLater // than its successor
	arrivesDelayed
	arrivesDamaged
)

// Post implements agent.Relay.
func (l *line) Post(ctx context.Context, body []byte) transport.Answer {
	report := l.client.store.report
	happens, r := l.fate(report)
	damage := intact
	switch happens {
	case vanishes:
		l.sent++
		l.count().lost.Add(1)
		l.lose(report)
		return transport.Answer{Outcome: transport.Accepted}
	case arrivesLater, arrivesDelayed:
		l.sent++
		l.putOff(happens, r, &late{report: report, body: body})
		return transport.Answer{Outcome: transport.Accepted}
	case arrivesDamaged:
		body, damage = damageRecord(r, body, report)
	}
	answer := l.deliver(ctx, body, report, damage)
	if answer.Outcome == transport.Again {
		return answer
	}
	l.sent++
	if happens == arrivesTwice && l.client.relay.Post(ctx, body).Outcome == transport.Accepted {
		l.count().duplicated.Add(1)
	}
	if i := slices.IndexFunc(l.late, func(p *late) bool { return p.due == never }); i >= 0 {
		l.deliverOne(ctx, i)
	}
	return answer
}

// Policy implements agent.Relay.
func (l *line) Policy(ctx context.Context, poll smx.Poll, etag string) transport.PolicyAnswer {
	l.polled++
	if !l.client.fleet.settling && l.chance(2, l.polled).Float64() < l.client.fleet.cfg.Loss {
		return transport.PolicyAnswer{Outcome: transport.Again}
	}
	return l.client.relay.Policy(ctx, poll, etag)
}

// putOff keeps a report for later.
func (l *line) putOff(happens fate, r *rand.Rand, p *late) {
	p.due = never
	if happens == arrivesLater {
		l.count().reordered.Add(1)
	} else {
		l.count().delayed.Add(1)
		p.due = l.client.fleet.elapsed() + time.Duration(r.Int64N(int64(l.client.fleet.cfg.DelayBy)+1))
	}
	l.late = append(l.late, p)
}

// lateDue is when the first delayed report is due.
func (l *line) lateDue() time.Duration {
	first := never
	for _, p := range l.late {
		first = min(first, p.due)
	}
	return first
}

// deliverLate delivers what was due by a real time since Run began. What the relay does not take now is due again a
// little later.
func (l *line) deliverLate(ctx context.Context, by time.Duration) {
	for i := 0; i < len(l.late); {
		if l.late[i].due > by || !l.deliverOne(ctx, i) {
			i++
		}
	}
}

// deliverOne tries to deliver the late report at an index; true when it is no longer late.
func (l *line) deliverOne(ctx context.Context, i int) bool {
	p := l.late[i]
	p.tried = true
	if answer := l.deliver(ctx, p.body, p.report, intact); answer.Outcome == transport.Again {
		p.due = l.client.fleet.elapsed() + agent.Pause(2, answer.After)
		return false
	}
	l.late = slices.Delete(l.late, i, i+1)
	return true
}

// deliver posts a report.
func (l *line) deliver(ctx context.Context, body []byte, report *cache.Report, damage damage) transport.Answer {
	answer := l.client.relay.Post(ctx, body)
	switch answer.Outcome {
	case transport.Accepted:
		l.count().reports.Add(1)
		l.count().messages.Add(int64(len(report.States)))
		if damage.kind != none {
			l.count().damaged.Add(1)
		}
		l.arrive(report, damage)
	case transport.Refused:
		l.count().refused.Add(1)
		l.lose(report)
	}
	return answer
}

func (l *line) count() *counts { return &l.client.fleet.counts }

func (l *line) arrive(report *cache.Report, damage damage) {
	if w := l.client.fleet.witness; w != nil {
		w.arrive(l.client.machine.id.Client, report, damage)
	}
}

func (l *line) lose(report *cache.Report) {
	if w := l.client.fleet.witness; w != nil {
		w.lose(l.client.machine.id.Client, report)
	}
}

// chance is the source for what happens to the nth report or poll.
func (l *line) chance(of, n uint64) *rand.Rand {
	f := l.client.fleet
	return rand.New(rand.NewPCG(f.cfg.Seed^uint64(l.client.index)<<32^uint64(f.clock.from), of<<56|n))
}

// fate decides what happens to the report, and returns the source of chance for the details.
func (l *line) fate(report *cache.Report) (fate, *rand.Rand) {
	cfg := &l.client.fleet.cfg
	r := l.chance(0, l.sent)
	if l.client.fleet.settling {
		return arrives, r
	}
	numbered := !slices.ContainsFunc(report.States, func(s cache.State) bool { return s.Instant })
	reordering := slices.ContainsFunc(l.late, func(p *late) bool { return p.due == never })
	p := r.Float64()
	for _, f := range []struct {
		fate  fate
		share float64
		may   bool
	}{
		{vanishes, cfg.Loss, numbered},
		{arrivesTwice, cfg.Duplicate, true},
		{arrivesLater, cfg.Reorder, numbered && !reordering && len(l.late) < mostLate},
		{arrivesDelayed, cfg.Delay, numbered && len(l.late) < mostLate},
		{arrivesDamaged, cfg.Damage, numbered && len(report.States) > 1},
	} {
		p -= f.share
		if p < 0 {
			if f.may {
				return f.fate, r
			}
			return arrives, r
		}
	}
	return arrives, r
}

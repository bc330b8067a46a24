package fleet

import (
	"strconv"
	"time"
)

// everyday plans one stretch of the life after the patch day. It never comes to rest: clients check in, scan, get new
// definitions, drift from their baselines and catch up with what they left undone.
func (p *planner) everyday(from time.Duration) {
	to := from + trickleStretch
	if p.machine.kind == laptop && p.chance(12) {
		return // closed
	}
	for at := from + p.between(0, time.Hour); at < to; at += p.between(50*minute, 70*minute) {
		p.emit(at, p.catalog.contact, 1)
	}
	if scanned, ok := p.scan(p.between(from, to)); ok && !p.rolledOut {
		p.rollOut(scanned)
	}
	p.definitionUpdate(p.between(from, to), int(from/trickleStretch))
	p.protection(p.between(from, to))
	for i := range p.catalog.baselines {
		if p.chance(5) {
			p.baseline(p.between(from, to), i, 60)
		}
	}
	if p.chance(1) {
		p.emit(p.between(from, to), p.catalog.script, 1, newGUID(p.rand), "0")
	}
	p.catchUp(from, to)
}

// definitionUpdate installs the next revision of the malware definitions.
func (p *planner) definitionUpdate(at time.Duration, revision int) {
	u := &p.catalog.definitions
	text := strconv.Itoa(revision + 1)
	p.emit(at, u.detection, 2, text)
	done := at + p.taking(10*minute, time.Hour)
	p.emit(done, u.enforcement, 10)
	p.emit(done+minute, u.detection, 3, text)
}

// catchUp brings some of the open updates to an end: a quarter per stretch, the rest tries again or stays as it is.
func (p *planner) catchUp(from, to time.Duration) {
	still := p.open[:0]
	for _, l := range p.open {
		at := p.between(from, to)
		switch {
		case !p.chance(40):
			still = append(still, l)
		case l.restart:
			p.restarted(at, []*update{l.update})
		case p.chance(60):
			p.emit(at, l.update.enforcement, 8)
			p.restarted(at+20*minute, []*update{l.update})
		default:
			p.emit(at, l.update.enforcement, 8)
			p.emit(at+15*minute, l.update.enforcement, 11, pickFailure(p.rand, installFailures)...)
			still = append(still, l)
		}
	}
	settled := p.rolledOut && len(p.open) > 0 && len(still) == 0
	p.open = still
	if !settled {
		return
	}
	for ago := range 1 + monthsBefore {
		d := p.deployment(ago)
		p.emit(to, d.enforcement, 4)
		p.emit(to, d.compliance, 1)
	}
}

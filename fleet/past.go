package fleet

import "time"

// past is what the client said before the patch day, in the reports it said it in: after its installation, after last
// month's updates, and lately. A silent client's last word lies weeks back, and it never finished last month's updates.
func (p *planner) past(silent time.Duration) [][]event {
	lately := -p.between(2*time.Hour, 60*time.Hour)
	updated := -p.between(18*simulatedDay, 26*simulatedDay)
	if silent > 0 {
		lately = -silent
		updated = lately - p.between(simulatedDay, 6*simulatedDay)
	}
	installed := updated - p.between(20*simulatedDay, 200*simulatedDay)
	groups := make([][]event, 0, 3)
	for _, say := range []func(){
		func() { p.firstWords(installed) },
		func() { p.lastMonth(updated, silent > 0) },
		func() { p.lately(lately) },
	} {
		say()
		groups = append(groups, p.events)
		p.events = nil
	}
	return groups
}

func (p *planner) firstWords(at time.Duration) {
	p.emit(at, p.catalog.install, 400)
	p.emit(at+2*minute, p.catalog.install, 700)
	p.emit(at+3*minute, p.catalog.certificate, 1)
	p.emit(at+4*minute, p.catalog.contact, 1)
	if p.machine.kind == server {
		return
	}
	if p.chance(70) {
		p.emit(at+time.Hour, p.catalog.manage, 107)
	} else if p.chance(20) {
		p.emit(at+time.Hour, p.catalog.manage, 110, "0x80180026")
	}
}

func (p *planner) lastMonth(at time.Duration, unfinished bool) {
	d, left := p.deployment(true), unfinished
	for i := range p.catalog.updates {
		u := &p.catalog.updates[i]
		switch {
		case !u.old:
		case u.on&p.machine.on == 0:
			p.emit(at, u.detection, 1, u.revision...)
		case unfinished || p.chance(3):
			left = true
			p.emit(at, u.detection, 2, u.revision...)
			p.emit(at+minute, u.enforcement, 11, pickFailure(p.rand, installFailures)...)
			p.open = append(p.open, leftover{update: u})
		default:
			p.emit(at, u.detection, 3, u.revision...)
			p.emit(at+minute, u.enforcement, 10)
		}
	}
	p.emit(at, d.evaluation, 2)
	if left {
		p.emit(at+2*minute, d.enforcement, 6, pickFailure(p.rand, installFailures)...)
		p.emit(at+2*minute, d.compliance, 2)
		return
	}
	p.emit(at+2*minute, d.enforcement, 4)
	p.emit(at+2*minute, d.compliance, 1)
}

func (p *planner) lately(at time.Duration) {
	p.emit(at, p.catalog.contact, 1)
	p.emit(at, p.catalog.scan, 3)
	p.protection(at)
	for i := range p.catalog.baselines {
		p.emit(at+minute, p.catalog.rules[i], 3)
		state := uint32(1)
		if p.chance(18) {
			state = 2
		}
		p.emit(at+minute, p.catalog.baselines[i], state)
	}
}

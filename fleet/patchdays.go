package fleet

import (
	"math/rand/v2"
	"time"
)

const (
	// monthsBefore is how many patch days a past of 90 days has.
	monthsBefore = 3
	// patchMonth is the time from one patch day to the next.
	patchMonth = 28 * simulatedDay
)

// patchDaysBefore plans what the client said of the patch days before its last word: what it needs, within a day, and
// days later what it installed. Whoever was installed after a patch day begins then. When that was, and how the older
// months ended, comes from a source apart: with other dates a seed gives the same fleet.
func (p *planner) patchDaysBefore(apart *rand.Rand, installed, last time.Duration, silent bool) {
	older := planner{catalog: p.catalog, machine: p.machine, rand: apart}
	scans := older.scansBefore(installed, last)
	for i, scanned := range scans {
		ago := monthsBefore - i
		p.required(ago, scanned)
		switch {
		case silent && i == len(scans)-1:
			p.finished(ago, older.between(scanned+2*pause, last-2*pause), true)
		case ago == 1:
			p.finished(ago, older.finishing(ago, scanned, last-2*pause), false)
		default:
			older.finished(ago, older.finishing(ago, scanned, last-2*pause), false)
		}
	}
	p.events = append(p.events, older.events...)
	p.open = append(p.open, older.open...)
}

// scansBefore are the times at which the client first looked for each month's updates, the oldest month first. A silent
// client never did for the months at the end.
func (p *planner) scansBefore(installed, last time.Duration) (scans []time.Duration) {
	first := installed + p.between(2*pause, simulatedDay)
	for ago := monthsBefore; ago > 0; ago-- {
		patchDay := -time.Duration(ago) * patchMonth
		at := max(first, p.between(patchDay, patchDay+simulatedDay))
		if at >= last-5*pause {
			break
		}
		scans = append(scans, at)
	}
	return scans
}

// required is the first scan after a patch day: what the client needs, and that its deployment goes on.
func (p *planner) required(ago int, at time.Duration) {
	p.emit(at, p.catalog.scan, 3)
	for i := range p.catalog.updates {
		u := &p.catalog.updates[i]
		switch {
		case u.ago != ago:
		case u.on&p.machine.on == 0:
			p.emit(at, u.detection, 1, u.revision...)
		default:
			p.emit(at, u.detection, 2, u.revision...)
		}
	}
	d := p.deployment(ago)
	p.emit(at+minute, d.evaluation, 2)
	p.emit(at+minute, d.enforcement, 8)
	p.emit(at+minute, d.compliance, 2)
}

// finishing is when a month's updates are through: for most within 3 to 12 days of the scan, for the others within 30.
// A few clients wait for a restart before that.
func (p *planner) finishing(ago int, scanned, until time.Duration) time.Duration {
	from, to := scanned+3*simulatedDay, scanned+12*simulatedDay
	if p.chance(18) {
		from, to = to, min(scanned+30*simulatedDay, until)
	}
	at := p.between(from, to)
	if p.chance(15) {
		p.waitsForRestart(ago, at-p.between(2*pause, 2*simulatedDay))
	}
	return at
}

func (p *planner) waitsForRestart(ago int, at time.Duration) {
	for i := range p.catalog.updates {
		if u := &p.catalog.updates[i]; u.ago == ago && u.restarts && u.on&p.machine.on != 0 {
			p.emit(at, u.enforcement, 9)
		}
	}
	p.emit(at+minute, p.deployment(ago).enforcement, 5)
}

// finished is the end of a month: the client's updates are installed, but for those that failed: few, and fewer the
// longer ago the month is; all of an unfinished one.
func (p *planner) finished(ago int, at time.Duration, unfinished bool) {
	d, left := p.deployment(ago), unfinished
	p.emit(at, p.catalog.scan, 3)
	for i := range p.catalog.updates {
		u := &p.catalog.updates[i]
		switch {
		case u.ago != ago || u.on&p.machine.on == 0:
		case unfinished || p.chance(3/float64(ago)):
			left = true
			p.emit(at, u.detection, 2, u.revision...)
			p.emit(at+minute, u.enforcement, 11, pickFailure(p.rand, installFailures)...)
			p.open = append(p.open, leftover{update: u})
		default:
			p.emit(at, u.detection, 3, u.revision...)
			p.emit(at+minute, u.enforcement, 10)
		}
	}
	if left {
		p.emit(at+2*minute, d.enforcement, 6, pickFailure(p.rand, installFailures)...)
		p.emit(at+2*minute, d.compliance, 2)
		return
	}
	p.emit(at+2*minute, d.enforcement, 4)
	p.emit(at+2*minute, d.compliance, 1)
}

package fleet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// pause is how long a client says nothing, at least, between two reports of the past.
const pause = 2 * time.Hour

// past is what the client said before the patch day, by the reports it said it in: after its installation, on the patch
// days of 90 days, and lately. A silent client's last word lies weeks back, and it never finished the updates of the
// last patch day it heard of.
func (p *planner) past(silent time.Duration, apart *rand.Rand) [][]event {
	lately := -p.between(2*time.Hour, 60*time.Hour)
	installed := -p.between(18*simulatedDay, 26*simulatedDay)
	if silent > 0 {
		lately = -silent
		installed = lately - p.between(simulatedDay, 6*simulatedDay)
	}
	installed -= p.between(20*simulatedDay, 200*simulatedDay)
	p.firstWords(installed)
	p.patchDaysBefore(apart, installed, lately, silent > 0)
	p.lately(lately)
	reports := inReports(p.events)
	p.events = nil
	return reports
}

// inReports sorts events and parts them where the client paused.
func inReports(events []event) (reports [][]event) {
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	from := 0
	for i := 1; i <= len(events); i++ {
		if i == len(events) || events[i].at-events[i-1].at >= pause {
			reports = append(reports, events[from:i:i])
			from = i
		}
	}
	return reports
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

package fleet

import "time"

const minute = time.Minute

// patchDay plans the day on which this month's updates arrive: check-in, scan, detection, download, installation,
// restart.
func (p *planner) patchDay() {
	on := p.powerOn()
	p.checkIn(on)
	p.baselinesOfTheDay(on)
	p.extras(on)
	scanned, ok := p.scan(on + p.taking(1*minute, 15*minute))
	if !ok {
		p.emit(scanned+minute, p.deployment(0).compliance, 0)
		return
	}
	p.rollOut(scanned)
}

// rollOut is what a successful scan sets off: the month's updates are detected, and the deployment is evaluated and
// enforced.
func (p *planner) rollOut(scanned time.Duration) {
	p.rolledOut = true
	d := p.deployment(0)
	detected, required := p.detect(scanned)
	p.emit(detected, d.evaluation, 1)
	if p.chance(2) {
		p.emit(detected+4*minute, d.evaluation, 3, "0x87D00314")
		p.emit(detected+5*minute, d.compliance, 0)
		return
	}
	p.emit(detected+4*minute, d.evaluation, 2)
	if len(required) == 0 {
		p.emit(detected+5*minute, d.compliance, 1)
		return
	}
	p.emit(detected+5*minute, d.compliance, 2)
	p.enforce(d, required, p.enforcementStart(detected))
}

// powerOn is when the client first shows up on the day.
func (p *planner) powerOn() time.Duration {
	switch {
	case p.machine.kind == server:
		return p.between(0, 20*minute)
	case p.pilot:
		return p.between(0, 40*minute)
	case p.chance(80):
		return p.between(5*minute, 2*time.Hour)
	case p.chance(60):
		return p.between(2*time.Hour, 7*time.Hour)
	default:
		return p.between(10*time.Hour, 19*time.Hour)
	}
}

func (p *planner) enforcementStart(detected time.Duration) time.Duration {
	from, to := 4*time.Hour, 8*time.Hour
	if p.pilot {
		from, to = 90*minute, 3*time.Hour
	}
	return max(p.between(from, to), detected+p.between(10*minute, 40*minute))
}

// checkIn is what a client says in the morning and every hour or two.
func (p *planner) checkIn(on time.Duration) {
	p.emit(on, p.catalog.contact, 1)
	p.emit(on+minute, p.catalog.certificate, 1)
	for at := on + p.between(45*minute, 90*minute); at < simulatedDay; at += p.between(80*minute, 160*minute) {
		p.emit(at, p.catalog.contact, 1)
	}
	p.protection(on + p.between(2*minute, 30*minute))
	p.definitionUpdate(on+p.between(10*minute, 3*time.Hour), 0)
}

// scan returns when the scan ended and whether it brought a result.
func (p *planner) scan(at time.Duration) (time.Duration, bool) {
	p.emit(at, p.catalog.scan, 2)
	done := at + p.taking(minute, 8*minute)
	switch {
	case p.chance(92):
		p.emit(done, p.catalog.scan, 3)
	case p.chance(25):
		p.emit(done, p.catalog.scan, 6, pickFailure(p.rand, scanFailures)...)
	case p.chance(35):
		p.emit(done, p.catalog.scan, 4, pickFailure(p.rand, scanFailures)...)
		done += p.between(time.Hour, 3*time.Hour)
		p.emit(done, p.catalog.scan, 3)
	default:
		p.emit(done, p.catalog.scan, 5, pickFailure(p.rand, scanFailures)...)
		if p.chance(40) {
			return done, false
		}
		again := done + p.between(2*time.Hour, 6*time.Hour)
		p.emit(again, p.catalog.scan, 2)
		done = again + p.taking(minute, 8*minute)
		p.emit(done, p.catalog.scan, 3)
	}
	return done, true
}

// detect says of every update of the month what the scan found, and returns the required ones.
func (p *planner) detect(at time.Duration) (time.Duration, []*update) {
	var required []*update
	for i := range p.catalog.updates {
		u := &p.catalog.updates[i]
		if u.ago > 0 {
			continue
		}
		at += p.between(time.Second, 20*time.Second)
		switch {
		case u.on&p.machine.on == 0 || p.chance(3):
			p.emit(at, u.detection, 1, u.revision...)
		case !p.pilot && p.chance(2): // somebody was faster
			p.emit(at, u.detection, 3, u.revision...)
		default:
			p.emit(at, u.detection, 2, u.revision...)
			required = append(required, u)
		}
	}
	return at, required
}

// protection is the state of malware protection and of its policy.
func (p *planner) protection(at time.Duration) {
	switch {
	case p.chance(96):
		p.emit(at, p.catalog.protect, 3)
	case p.chance(50):
		p.emit(at, p.catalog.protect, 5)
	default:
		p.emit(at, p.catalog.protect, 4, "0x80070643")
	}
	if p.chance(97) {
		p.emit(at+minute, p.catalog.policy, 1)
	} else {
		p.emit(at+minute, p.catalog.policy, 2, "0x80070005")
	}
}

// extras are topics few clients report: script results without a serial, and one that no catalogue knows.
func (p *planner) extras(on time.Duration) {
	if p.chance(6) {
		p.emit(max(on, p.between(6*time.Hour, 11*time.Hour)), p.catalog.script, 1, newGUID(p.rand), "0")
	}
	if p.chance(2) {
		p.emit(on+p.between(time.Hour, 4*time.Hour), p.catalog.unknown, 1+p.rand.Uint32N(3))
	}
}

// baselinesOfTheDay evaluates compliance settings; half of what is wrong is put right within hours.
func (p *planner) baselinesOfTheDay(on time.Duration) {
	for i := range p.catalog.baselines {
		at := max(on+5*minute, p.between(3*time.Hour, 14*time.Hour))
		p.emit(at, p.catalog.rules[i], 3)
		p.baseline(at+minute, i, 12)
	}
}

// baseline evaluates one baseline, which is non-compliant in some percent of the cases.
func (p *planner) baseline(at time.Duration, i int, wrong float64) {
	topic := p.catalog.baselines[i]
	switch {
	case p.chance(wrong):
		p.emit(at, topic, 2)
		if p.chance(50) {
			fixed := at + p.between(20*minute, 3*time.Hour)
			p.emit(fixed, topic, 7)
			p.emit(fixed+p.between(20*minute, time.Hour), topic, 1)
		}
	case p.chance(2):
		p.emit(at, topic, 4, "0x87D00329")
	default:
		p.emit(at, topic, 1)
	}
}

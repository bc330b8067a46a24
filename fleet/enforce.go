package fleet

import "time"

// enforce plans how the required updates of a deployment are downloaded and installed from a time on.
func (p *planner) enforce(d *deployment, required []*update, start time.Duration) {
	p.emit(start, d.enforcement, 7)
	ready, missing := p.download(required, start)
	if len(ready) == 0 {
		p.emit(start+time.Hour, d.enforcement, 9, missing...)
		return
	}
	at := p.lastOf(ready)
	p.emit(at, d.enforcement, 8)
	at = p.waitForTurn(d, ready, at)
	p.emit(at, d.enforcement, 1)
	done, failed, restart := p.install(ready, at)
	p.conclude(d, done, failed, restart, missing)
}

// downloaded is an update on the client's disk.
type downloaded struct {
	update *update
	at     time.Duration
}

// download returns the updates that arrived, and the code of one that did not.
func (p *planner) download(required []*update, at time.Duration) (ready []downloaded, missing []string) {
	for _, u := range required {
		if p.chance(8) {
			p.emit(at, u.enforcement, 2)
			at += p.taking(20*minute, 90*minute)
		}
		p.emit(at, u.enforcement, 12)
		at += p.taking(3*minute, 25*minute)
		if p.chance(2.5) {
			code := pickFailure(p.rand, downloadFailures)
			p.emit(at, u.enforcement, 14, code...)
			if p.chance(30) {
				missing = code
				p.open = append(p.open, leftover{update: u})
				continue
			}
			at += p.between(30*minute, 2*time.Hour)
			p.emit(at, u.enforcement, 12)
			at += p.taking(5*minute, 30*minute)
		}
		p.emit(at, u.enforcement, 13)
		ready = append(ready, downloaded{u, at})
	}
	return ready, missing
}

func (p *planner) lastOf(ready []downloaded) time.Duration { return ready[len(ready)-1].at + minute }

// waitForTurn is the wait for the maintenance window of servers, or for another installation; it returns its end.
func (p *planner) waitForTurn(d *deployment, ready []downloaded, at time.Duration) time.Duration {
	state, until := uint32(0), at+p.between(2*minute, 20*minute)
	enforcement := uint32(0)
	switch {
	case p.machine.kind == server && !p.pilot:
		enforcement, state, until = 10, 4, max(until, p.between(16*time.Hour, 19*time.Hour))
	case p.chance(5):
		enforcement, state, until = 3, 3, at+p.between(20*minute, 90*minute)
	default:
		return until
	}
	p.emit(at, d.enforcement, enforcement)
	for _, u := range ready {
		p.emit(at, u.update.enforcement, state)
	}
	return until
}

// install returns when the last update was through, the code of one that failed for good, and those that wait for a
// restart.
func (p *planner) install(ready []downloaded, at time.Duration) (done time.Duration, failed []string,
	restart []*update) {
	unlucky := p.chance(6) // a client with something wrong fails most of its updates
	done = at
	for _, d := range ready {
		u := d.update
		p.emit(at, u.enforcement, 8)
		at += p.between(3*minute, 25*minute)
		if p.chance(1.5) || unlucky && p.chance(70) {
			code := pickFailure(p.rand, installFailures)
			p.emit(at, u.enforcement, 11, code...)
			if p.chance(45) {
				failed = code
				p.open = append(p.open, leftover{update: u})
				done = max(done, at)
				continue
			}
			again := at + p.between(2*time.Hour, 5*time.Hour)
			p.emit(again, u.enforcement, 8)
			done = max(done, p.installed(u, again+p.between(5*minute, 20*minute), &restart))
			continue
		}
		done = max(done, p.installed(u, at, &restart))
	}
	return done, failed, restart
}

// installed ends an installation that went well.
func (p *planner) installed(u *update, at time.Duration, restart *[]*update) time.Duration {
	if u.restarts {
		p.emit(at, u.enforcement, 9)
		*restart = append(*restart, u)
		return at
	}
	p.emit(at, u.enforcement, 10)
	p.emit(at+p.between(minute, 10*minute), u.detection, 3, u.revision...)
	return at
}

// conclude says how the deployment ended, after the restart where one is needed.
func (p *planner) conclude(d *deployment, at time.Duration, failed []string, restart []*update, missing []string) {
	if failed == nil {
		failed = missing
	}
	if len(restart) > 0 {
		p.emit(at+minute, d.enforcement, 5)
		up, ok := p.restart(at)
		if !ok {
			for _, u := range restart {
				p.open = append(p.open, leftover{update: u, restart: true})
			}
			return
		}
		at = p.restarted(up, restart)
	}
	if failed != nil {
		p.emit(at+2*minute, d.enforcement, 6, failed...)
		return
	}
	p.emit(at+2*minute, d.enforcement, 4)
	p.emit(at+3*minute, d.compliance, 1)
}

// restart is when the machine is up again, false when nobody restarts it on this day.
func (p *planner) restart(at time.Duration) (time.Duration, bool) {
	switch {
	case p.machine.kind == server:
		return at + p.between(5*minute, 25*minute), true
	case p.chance(12):
		return 0, false
	case p.chance(50):
		return at + p.between(10*minute, 90*minute), true
	default:
		return at + p.between(time.Hour, 8*time.Hour), true
	}
}

// restarted is what a client says after the restart that its updates waited for; it returns when it said so.
func (p *planner) restarted(up time.Duration, waited []*update) time.Duration {
	p.emit(up, p.catalog.contact, 1)
	p.emit(up+2*minute, p.catalog.scan, 2)
	at := up + p.taking(4*minute, 12*minute)
	p.emit(at, p.catalog.scan, 3)
	for _, u := range waited {
		p.emit(at, u.enforcement, 10)
		p.emit(at+time.Second, u.detection, 3, u.revision...)
	}
	return at
}

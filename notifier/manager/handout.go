package manager

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/identity"
	"statewire/notifier/wire"
)

// line is the clients of one task that wait at a server, in the order of the task.
type line struct {
	of    *live
	steps []*open
}

// offerAll offers a task to its clients. m.mu is held.
func (m *Manager) offerAll(l *live) {
	for i := range l.steps {
		m.offer(&l.steps[i])
	}
}

// offerClient offers a client what it has not come to an end of: it may have come, gone, or come again. m.mu is held.
func (m *Manager) offerClient(id uuid.UUID) {
	for o := m.open[id]; o != nil; o = o.next {
		m.offer(o)
	}
}

// offer puts a step into the line of the server that holds its client, unless it was handed out for this very
// connection. A client that several machines are gets nothing. m.mu is held.
func (m *Manager) offer(o *open) {
	c := m.clients[o.client]
	if c == nil || !c.online() || c.several() || o.rank == 0 {
		m.release(o)
		if o.line = 0; c != nil && c.several() {
			o.handed, o.conn = 0, 0 // several machines become one without signing in anew
		}
		return
	}
	again := o.handed != c.Server || o.conn != c.Since
	if again {
		m.release(o)
	}
	switch {
	case o.cancel:
		if again {
			m.takeBack(c.Server, o)
			o.handed, o.conn = c.Server, c.Since
		}
	case o.deliverable() && again && o.line != c.Server:
		q := m.queue(c.Server)
		o.line = c.Server
		q.join(o)
		q.ring()
	}
}

// several says whether several machines sign in as the client: whichever got a task, it might be the wrong one.
func (c *client) several() bool { return c.Reason == wire.Duplicate }

// join puts a step at the end of its task's line.
func (q *queue) join(o *open) {
	for _, l := range q.lines {
		if l.of == o.of {
			l.steps = append(l.steps, o)
			return
		}
	}
	q.lines = append(q.lines, &line{o.of, []*open{o}})
}

// release ends that a push of the step is on its way. m.mu is held.
func (m *Manager) release(o *open) {
	if o.push == 0 {
		return
	}
	if q := m.queues[o.handed]; q != nil {
		delete(q.unwritten, o.push)
		q.ring()
	}
	o.of.unwritten--
	o.push, o.handed, o.conn = 0, 0, 0
}

// written notes that a server wrote the frame of a push: it is not handed out again for this connection. m.mu is held.
func (m *Manager) written(o *open) {
	handed, conn := o.handed, o.conn
	m.release(o)
	o.handed, o.conn = handed, conn
}

// offerMissed offers again what a connection did not take: a client that comes by HTTP stays, and may have room now.
// One that is gone is offered nothing.
func (m *Manager) offerMissed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for o := range m.missed {
		if o.push == 0 && !o.cancel {
			o.handed, o.conn = 0, 0
			m.offer(o)
		}
	}
	clear(m.missed)
}

// takeBack has a server tell a client that a task is cancelled. m.mu is held.
func (m *Manager) takeBack(server uint32, o *open) {
	q := m.queue(server)
	q.cancels[o.key()] = o.of.task
	q.ring()
}

// startedAnew notes another start of a server: what was handed to the one before is lost. m.mu is held.
func (m *Manager) startedAnew(q *queue) {
	if q.out != nil {
		again := *q.out
		again.Pushes, again.Cancels = nil, nil
		q.out = &again
	}
	q.timed = time.Time{}
	for _, o := range q.unwritten {
		m.release(o)
		m.offer(o)
	}
}

// ringAll has every server that asks look again. m.mu is held.
func (m *Manager) ringAll() {
	for _, q := range m.queues {
		q.ring()
	}
}

// picking is one look at the lines of a server.
type picking struct {
	m      *Manager
	q      *queue
	server uint32
	now    time.Time
	signer *signer

	chosen  []*open
	bytes   int
	unclear []*live       // whose creators are to be asked for
	wait    time.Duration // when to look again; 0: when something comes
}

// pick takes steps from the lines, one of each task in turn, as many as may be handed out. m.mu is held.
func (p *picking) pick() {
	if p.m.stop.Stopped {
		return
	}
	for progress := true; progress; {
		progress = false
		for i := 0; i < len(p.q.lines); i++ {
			if p.m.push >= p.m.pushesTo || len(p.chosen) >= maxWorkPushes || p.bytes >= maxWorkBytes ||
				len(p.q.unwritten) >= p.m.room() {
				return
			}
			l := p.q.lines[i]
			o := p.first(l)
			if o == nil {
				p.q.lines = slices.Delete(p.q.lines, i, i+1)
				i--
				continue
			}
			if p.may(l.of) {
				l.steps = l.steps[1:]
				p.hand(o)
				progress = true
			}
		}
	}
}

// room is how many pushes a server may have that it has not written: what it writes in some seconds.
func (m *Manager) room() int {
	return min(maxUnwritten, max(1, m.settings.Load().Throttle*unwrittenSeconds))
}

// first is the first step of a line that still waits there.
func (p *picking) first(l *line) *open {
	for ; len(l.steps) > 0; l.steps = l.steps[1:] {
		o := l.steps[0]
		c := p.m.clients[o.client]
		if o.line == p.server && o.deliverable() && c != nil && c.online() && c.Server == p.server && !c.several() &&
			!p.now.After(o.of.task.NotAfter) {
			return o
		}
		if o.line == p.server {
			o.line = 0
		}
	}
	return nil
}

// may says whether a task may be handed out to one more client now.
func (p *picking) may(l *live) bool {
	if !p.now.Before(l.cleared) || l.cleared.Sub(p.now) > clearedFor {
		if l.asking {
			return false // the answer rings
		}
		if since := p.now.Sub(l.asked); since >= 0 && since < clearAgain && !l.asked.IsZero() {
			p.soon(clearAgain - since)
		} else if !slices.Contains(p.unclear, l) {
			p.unclear = append(p.unclear, l)
		}
		return false
	}
	if l.limiter == nil {
		return true
	}
	if l.unwritten >= l.task.Rate {
		p.soon(time.Second) // a server that writes one rings, unless it is another one
		return false
	}
	if !l.limiter.AllowN(p.now, 1) {
		p.soon(max(time.Second/time.Duration(l.task.Rate), rateTick))
		return false
	}
	return true
}

func (p *picking) soon(d time.Duration) {
	if p.wait == 0 || d < p.wait {
		p.wait = d
	}
}

// hand notes that a step is handed out.
func (p *picking) hand(o *open) {
	c := p.m.clients[o.client]
	p.m.push++
	o.push, o.line, o.handed, o.conn = p.m.push, 0, p.server, c.Since
	o.of.unwritten++
	p.q.unwritten[o.push] = o
	p.chosen = append(p.chosen, o)
	p.bytes += envelopeBytes(o.of.task)
}

// clearBeside is clear beside a question of a server, until end: whoever does not answer keeps no other work, and above
// all no stop, from the server. The next question asks anew.
func (m *Manager) clearBeside(ctx context.Context) (start func([]*live) (done <-chan struct{}), end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var asks sync.WaitGroup
	start = func(tasks []*live) <-chan struct{} {
		done, of := make(chan struct{}), m.byActor(tasks)
		asks.Go(func() {
			defer close(done)
			var each sync.WaitGroup
			for actor, tasks := range of {
				each.Go(func() {
					m.clear(ctx, actor, tasks)
					m.asked(ctx, tasks)
				})
			}
			each.Wait()
		})
		return done
	}
	return start, func() {
		cancel()
		asks.Wait()
	}
}

// asked notes that there is an answer, or that nobody waits for it any more.
func (m *Manager) asked(ctx context.Context, tasks []*live) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range tasks {
		if l.asking, l.asked = false, m.now(); ctx.Err() != nil {
			l.asked = time.Time{}
		}
	}
	m.ringAll()
}

// byActor are tasks by their creators: one of whom nobody can answer keeps no other waiting.
func (m *Manager) byActor(tasks []*live) map[string][]*live {
	m.mu.RLock()
	defer m.mu.RUnlock()
	of := map[string][]*live{}
	for _, l := range tasks {
		of[l.task.Actor] = append(of[l.task.Actor], l)
	}
	return of
}

// clear asks whether the creator of tasks still has the right. Otherwise they are cancelled. While nobody can answer
// for it they wait.
func (m *Manager) clear(ctx context.Context, actor string, tasks []*live) {
	err := m.still(ctx, actor)
	var revoked *identity.Refusal
	switch {
	case err == nil:
		err = m.cleared(tasks)
	case errors.As(err, &revoked) && !revoked.Retry:
		m.log.Warn("the creator of tasks may not push any more; they are cancelled", "tasks", len(tasks), "actor", actor,
			"why", revoked.Code)
		for err = nil; err == nil && len(tasks) > 0; tasks = tasks[1:] {
			err = m.cancelRevoked(ctx, m.taskOf(tasks[0]))
		}
	}
	if err != nil && ctx.Err() == nil {
		m.log.Warn("tasks are not handed out yet", "tasks", len(tasks), "actor", actor, "retry_in", clearAgain, "err", err)
	}
}

func (m *Manager) taskOf(l *live) *task {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return l.task
}

// cancelRevoked cancels a task whose creator may not push any more. It is in the audit log as the site's own doing.
func (m *Manager) cancelRevoked(ctx context.Context, t *task) error {
	act := audit.Action{Action: "task.cancel", Object: "task:" + t.ID.String(), Targets: t.Counts.waiting(),
		Reason: whyRevoked}
	return m.recorded(ctx, By{Person: identity.Person{Actor: "site"}}, act, func() (string, error) {
		return "", m.cancelTask(t.Number, whyRevoked)
	})
}

// cleared lets tasks be handed out for a while. That they may have been is in the file before.
func (m *Manager) cleared(tasks []*live) error {
	return m.update(func(c *change) error {
		for _, l := range tasks {
			if t := l.task; !t.Handed && t.open() { // nobody changes it meanwhile
				t, err := c.task(t.Number)
				if err != nil || t == nil {
					return err
				}
				t.Handed = true
			}
		}
		c.then = append(c.then, func() {
			for _, l := range tasks {
				l.cleared = c.now.Add(clearedFor)
			}
		})
		return nil
	})
}

func (m *Manager) still(ctx context.Context, actor string) error {
	ctx, cancel := context.WithTimeout(ctx, stillWithin)
	defer cancel()
	return m.deps.Still(ctx, actor)
}

// reservePushes has numbers of pushes for one answer: those of a manager that died are not used again.
func (m *Manager) reservePushes() error {
	m.mu.RLock()
	enough := len(m.tasks) == 0 || m.pushesTo-m.push >= 2*maxWorkPushes
	m.mu.RUnlock()
	if enough {
		return nil
	}
	return m.update(func(c *change) error {
		c.pushes = m.pushesTo + pushesReserved
		return nil
	})
}

// tasks puts into a server's work what it is to tell its clients: tasks, cancellations, the time.
func (p *picking) tasks(w *wire.Work) {
	if p.signer == nil {
		if p.m.deps.TaskKey != nil {
			p.soon(signerRetry)
		}
		return
	}
	p.tellTime(w)
	p.cancelled(w)
	p.pick()
	for _, o := range p.chosen {
		t := o.of.task
		envelope, err := p.signer.request(t, o.client, o.index)
		if err != nil {
			p.m.log.Error("a task cannot be signed", "task", t.ID, "err", err)
			continue
		}
		w.Pushes = append(w.Pushes, wire.Push{Push: o.push, TaskID: t.Number, Task: t.ID, Client: o.client,
			NotAfter: t.NotAfter, Envelope: envelope})
	}
	p.m.metrics.handed.Add(float64(len(w.Pushes)))
}

// tellTime gives the server a signed time, where the last one is old.
func (p *picking) tellTime(w *wire.Work) {
	since := p.now.Sub(p.q.timed)
	if !p.q.timed.IsZero() && since >= 0 && since < signTimeEvery {
		p.soon(signTimeEvery - since)
		return
	}
	p.q.timed = p.now
	w.Time = wire.SignTime(p.signer.id, p.signer.key, p.signer.site, p.now).Encode()
}

// cancelled puts cancellations into the work.
func (p *picking) cancelled(w *wire.Work) {
	for key, t := range p.q.cancels {
		if len(w.Cancels) == maxWorkPushes || p.m.push >= p.m.pushesTo {
			p.soon(rateTick)
			return
		}
		delete(p.q.cancels, key)
		envelope, err := p.signer.cancel(t, key.client, p.now)
		if err != nil {
			p.m.log.Error("a cancellation cannot be signed", "task", t.ID, "err", err)
			continue
		}
		p.m.push++
		w.Cancels = append(w.Cancels, wire.Push{Push: p.m.push, TaskID: t.Number, Task: t.ID, Client: key.client,
			NotAfter: t.NotAfter, Envelope: envelope})
	}
}

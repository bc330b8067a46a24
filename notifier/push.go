package notifier

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// push is a task, or its cancellation, on its way to a client.
type push struct {
	wire.Push
	kind wire.Kind // Request or Cancel
}

// target is what a client has to do: a task that is pushed again takes the place of what waits.
type target struct{ task, client uuid.UUID }

func (p *push) target() target { return target{p.Task, p.Client} }

func byNumber(a, b *push) int { return cmp.Compare(a.Push.Push, b.Push.Push) }

// frame is what leaves.
func (p *push) frame() []byte {
	return wire.AppendPush(nil, p.kind, p.Push.Push, p.Envelope)
}

// size is the length of the frame.
func (p *push) size() int { return wire.HeaderBytes + 8 + len(p.Envelope) }

// add queues tasks. What waits for the same client is replaced by a later number.
func (q *queue) add(pushes []wire.Push) {
	for _, one := range pushes {
		p := &push{one, wire.Request}
		if len(p.Envelope) == 0 || p.size() > wire.MaxFrame+wire.HeaderBytes-1 {
			q.dropped(p, wire.DroppedUnwritten)
			continue
		}
		if old := q.insert(p); old != nil {
			q.dropped(old, wire.DroppedReplaced)
		}
	}
	q.ring()
}

// insert puts a task into the queue and returns what gives way for it: an elder one, or itself.
func (q *queue) insert(p *push) (gave *push) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.handed, p)
	if gave = q.of[p.target()]; gave != nil {
		switch {
		case gave.Push.Push == p.Push.Push:
			return nil
		case gave.Push.Push > p.Push.Push:
			return p
		}
		q.remove(gave)
	}
	at, _ := slices.BinarySearchFunc(q.pushes, p, byNumber)
	q.pushes = slices.Insert(q.pushes, at, p)
	q.of[p.target()] = p
	q.s.metrics.pushesWaiting.Set(float64(len(q.pushes)))
	return gave
}

// cancel takes tasks out of the queue, and tells clients that may have them. It does not wait for the throttle: what
// runs is worse than a burst.
func (q *queue) cancel(cancels []wire.Push) {
	for _, one := range cancels {
		p := &push{one, wire.Cancel}
		q.mu.Lock()
		waits := q.of[p.target()]
		if waits != nil {
			q.remove(waits)
		}
		q.mu.Unlock()
		if waits != nil {
			q.dropped(waits, wire.DroppedCancelled)
		}
		if why := q.s.hub.push(p); why != "" {
			q.dropped(p, why)
		}
	}
}

// stop keeps all tasks from leaving, or lets them leave again. Those that a slow connection has not written yet are
// taken back; what it is writing just then ends within a moment, or the connection does. It says whether that is new.
func (q *queue) stop(stopped bool) bool {
	if q.stopped.Swap(stopped) == stopped {
		return false
	}
	if !stopped {
		q.s.log.Info("tasks are handed out again")
		q.ring()
		return true
	}
	q.s.log.Info("no task is handed out until the manager says otherwise")
	q.mu.Lock()
	var slow []link
	for _, l := range q.handed {
		slow = append(slow, l)
	}
	q.mu.Unlock()
	for _, l := range slow {
		l.recall()
	}
	return true
}

// over says whether a task's time is over, by the site's clock.
func (q *queue) over(p *push) bool { return q.s.siteTime().After(p.NotAfter) }

// leaves says whether a frame may be written now. A task that may not goes back into the queue, or is dropped.
func (q *queue) leaves(p *push) bool {
	switch {
	case p.kind != wire.Request:
		return true
	case q.stopped.Load():
		q.again(p)
		return false
	case q.over(p):
		q.dropped(p, wire.DroppedExpired)
		return false
	}
	return true
}

// hand notes that a connection has a task and has not written it yet.
func (q *queue) hand(p *push, to link) {
	if p.kind != wire.Request {
		return
	}
	q.mu.Lock()
	q.handed[p] = to
	q.mu.Unlock()
}

// again puts a task back that was not written.
func (q *queue) again(p *push) {
	if old := q.insert(p); old != nil {
		q.dropped(old, wire.DroppedReplaced)
	}
	q.ring()
}

// written tells that a frame was written.
func (q *queue) written(p *push) {
	q.mu.Lock()
	delete(q.handed, p)
	q.mu.Unlock()
	if p.kind == wire.Cancel {
		q.s.metrics.cancels.WithLabelValues("sent").Inc()
		return
	}
	q.s.metrics.pushed.Inc()
	at := q.s.now().UTC()
	q.s.results.pushed(wire.Result{Task: p.Task, TaskID: p.TaskID, Push: p.Push.Push, Client: p.Client,
		Step: wire.StepPushed, Pushed: at, Pushes: 1})
}

// dropped tells that a push will not be written.
func (q *queue) dropped(p *push, why string) {
	q.mu.Lock()
	delete(q.handed, p)
	q.mu.Unlock()
	counts := q.s.metrics.pushes
	if p.kind == wire.Cancel {
		counts = q.s.metrics.cancels
	}
	counts.WithLabelValues(why).Inc()
	q.s.results.dropped(wire.Dropped{Push: p.Push.Push, Why: why})
}

// unwritten tells that frames did not leave, as their connection ended.
func (q *queue) unwritten(pushes []*push) {
	for _, p := range pushes {
		q.dropped(p, wire.DroppedUnwritten)
	}
}

// unreachable is why nothing can be pushed to a client now; empty: it can.
func (h *hub) unreachable(id uuid.UUID) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.whyNot(h.clients[id])
}

// whyNot must be called with mu held.
func (h *hub) whyNot(c *client) string {
	switch {
	case c == nil || c.live == nil:
		return wire.DroppedAway
	case c.copies.found(h.s.steady.now()):
		return wire.DroppedDuplicate
	}
	return ""
}

// push gives a task, or a cancellation, to its client's connection. The answer is why it does not go there.
func (h *hub) push(p *push) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[p.Client]
	if why := h.whyNot(c); why != "" {
		return why
	}
	h.s.queue.hand(p, c.live.link)
	if !c.live.link.push(p) {
		return wire.DroppedUnwritten
	}
	return ""
}

package notifier

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"statewire/notifier/wire"
)

// queue hands out wakes and tasks, and together no more in any time than the throttle allows: w seconds hold at most
// throttle × w + throttle of them. It begins with nothing saved up, so that this holds across a restart, too. Where
// both wait they take turns, so that a task does not wait for the wakes of all.
type queue struct {
	// Constant after newQueue.
	s       *Server
	limiter *rate.Limiter
	more    chan struct{} // has room for one: there is work

	stopped atomic.Bool // no task leaves

	// Owned by run.
	turn  bool // of a wake
	saved bool // something of the throttle was taken, and nothing left for it yet

	// Guarded by mu.
	mu     sync.Mutex
	wakes  []uuid.UUID
	queued map[uuid.UUID]struct{}
	came   uint64           // how many wakes ever came into the queue
	empty  chan struct{}    // closed when no wake waits
	pushes []*push          // by number
	of     map[target]*push // those in pushes
	handed map[*push]link   // to a connection that has not written them yet
}

func newQueue(perSecond int, s *Server) *queue {
	q := &queue{s: s, limiter: rate.NewLimiter(rate.Limit(perSecond), perSecond), more: make(chan struct{}, 1),
		queued: map[uuid.UUID]struct{}{}, empty: make(chan struct{}), of: map[target]*push{}, handed: map[*push]link{}}
	close(q.empty)
	q.limiter.AllowN(time.Now(), perSecond)
	return q
}

// throttle changes how many wakes and tasks leave in a second.
func (q *queue) throttle(perSecond int) {
	q.limiter.SetLimit(rate.Limit(perSecond))
	q.limiter.SetBurst(perSecond)
}

// wake has clients woken in their turn. Whoever waits already is woken once.
func (q *queue) wake(clients []uuid.UUID) {
	q.mu.Lock()
	if len(q.wakes) == 0 && len(clients) > 0 {
		q.empty = make(chan struct{})
	}
	for _, id := range clients {
		if _, waits := q.queued[id]; !waits {
			q.queued[id] = struct{}{}
			q.wakes = append(q.wakes, id)
			q.came++
		}
	}
	q.s.metrics.waiting.Set(float64(len(q.wakes)))
	q.mu.Unlock()
	q.ring()
}

func (q *queue) ring() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// run hands out what waits until ctx is done.
func (q *queue) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.more:
		}
		for q.step(ctx) {
		}
	}
}

// step hands out the next wake or task. Only a client that is online uses up something of the throttle, and what was
// taken of it for one that left is the next one's.
func (q *queue) step(ctx context.Context) bool {
	id, p := q.next()
	switch {
	case p == nil && id == uuid.Nil:
		q.saved = false
		return false
	case !q.saved && q.goes(id, p):
		q.saved = q.limiter.Wait(ctx) == nil
		return q.saved // what is next may be another one now
	case p != nil:
		q.push(p)
	default:
		q.wakeNext(id)
	}
	return true
}

// next is the client that is woken next, or the task that leaves next.
func (q *queue) next() (id uuid.UUID, p *push) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pushes) > 0 && !q.stopped.Load() && (len(q.wakes) == 0 || !q.turn) {
		return q.pushes[0].Client, q.pushes[0]
	}
	if len(q.wakes) == 0 {
		q.wakes = nil
		return uuid.Nil, nil
	}
	return q.wakes[0], nil
}

// goes says whether something would leave.
func (q *queue) goes(id uuid.UUID, p *push) bool {
	if p == nil {
		return q.s.hub.isOnline(id)
	}
	return q.s.hub.unreachable(id) == "" && !q.over(p)
}

func (q *queue) wakeNext(id uuid.UUID) {
	q.dropWake()
	q.turn = false
	result := "kept"
	if q.s.hub.wake(id) {
		result, q.saved = "sent", false
	}
	q.s.metrics.wakes.WithLabelValues(result).Inc()
}

func (q *queue) dropWake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.queued, q.wakes[0])
	q.wakes = q.wakes[1:]
	q.s.metrics.waiting.Set(float64(len(q.wakes)))
	if len(q.wakes) == 0 {
		close(q.empty)
	}
}

// added is how many wakes ever came into the queue.
func (q *queue) added() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.came
}

// done is how many of them left it.
func (q *queue) done() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.came - uint64(len(q.wakes))
}

// handedOut is closed once nobody waits to be woken.
func (q *queue) handedOut() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.empty
}

// push hands the first task to its client's connection, unless it was taken out meanwhile.
func (q *queue) push(p *push) {
	q.turn = true
	if !q.takeOut(p) {
		return
	}
	why := wire.DroppedExpired
	if !q.over(p) {
		why = q.s.hub.push(p)
	}
	if why != "" {
		q.dropped(p, why)
		return
	}
	q.saved = false
}

// takeOut takes a task out of the queue; false: it is not there.
func (q *queue) takeOut(p *push) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.remove(p)
}

// remove must be called with mu held.
func (q *queue) remove(p *push) bool {
	at, found := slices.BinarySearchFunc(q.pushes, p, byNumber)
	if !found || q.pushes[at] != p {
		return false
	}
	if at == 0 {
		q.pushes[0] = nil
		q.pushes = q.pushes[1:]
	} else {
		q.pushes = slices.Delete(q.pushes, at, at+1)
	}
	delete(q.of, p.target())
	q.s.metrics.pushesWaiting.Set(float64(len(q.pushes)))
	return true
}

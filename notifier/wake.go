package notifier

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// waker hands out wakes, and no more in any time than the throttle allows: w seconds hold at most throttle × w +
// throttle of them. It begins with nothing saved up, so that this holds across a restart, too.
type waker struct {
	// Constant after newWaker.
	hub     *hub
	metrics *metrics
	limiter *rate.Limiter

	more chan struct{} // has room for one: there is work

	// Guarded by mu.
	mu     sync.Mutex
	queue  []uuid.UUID
	queued map[uuid.UUID]struct{}
	came   uint64        // how many ever came into the queue
	empty  chan struct{} // closed when the queue is
}

func newWaker(perSecond int, hub *hub, m *metrics) *waker {
	w := &waker{hub: hub, metrics: m, limiter: rate.NewLimiter(rate.Limit(perSecond), perSecond),
		more: make(chan struct{}, 1), queued: map[uuid.UUID]struct{}{}, empty: make(chan struct{})}
	close(w.empty)
	w.limiter.AllowN(time.Now(), perSecond)
	return w
}

// throttle changes how many wakes leave in a second.
func (w *waker) throttle(perSecond int) {
	w.limiter.SetLimit(rate.Limit(perSecond))
	w.limiter.SetBurst(perSecond)
}

// add has clients woken in their turn. Whoever waits already is woken once.
func (w *waker) add(clients []uuid.UUID) {
	w.mu.Lock()
	if len(w.queue) == 0 && len(clients) > 0 {
		w.empty = make(chan struct{})
	}
	for _, id := range clients {
		if _, waits := w.queued[id]; !waits {
			w.queued[id] = struct{}{}
			w.queue = append(w.queue, id)
			w.came++
		}
	}
	w.metrics.waiting.Set(float64(len(w.queue)))
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// run wakes clients until ctx is done.
func (w *waker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.more:
		}
		for w.step(ctx) {
		}
	}
}

// step wakes the first client of the queue. Only a client that is online uses up something of the throttle.
func (w *waker) step(ctx context.Context) bool {
	id, ok := w.first()
	if !ok {
		return false
	}
	if w.hub.isOnline(id) && w.limiter.Wait(ctx) != nil {
		return false
	}
	w.drop(id)
	result := "sent"
	if !w.hub.wake(id) {
		result = "kept"
	}
	w.metrics.wakes.WithLabelValues(result).Inc()
	return true
}

func (w *waker) first() (id uuid.UUID, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.queue = nil
		return id, false
	}
	return w.queue[0], true
}

func (w *waker) drop(id uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = w.queue[1:]
	delete(w.queued, id)
	w.metrics.waiting.Set(float64(len(w.queue)))
	if len(w.queue) == 0 {
		close(w.empty)
	}
}

// added is how many wakes ever came into the queue.
func (w *waker) added() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.came
}

// done is how many of them left it.
func (w *waker) done() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.came - uint64(len(w.queue))
}

// handedOut is closed once nobody waits to be woken.
func (w *waker) handedOut() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.empty
}

package notifier

import (
	"net/http"
	"sync"
	"time"

	"statewire/notifier/wire"
)

// sentAtMost is how often a task is answered to a client that does not say that it has it.
const sentAtMost = 3

// mailbox is the way to a client that comes by HTTP: what there is to say waits for its next request.
type mailbox struct {
	// Constant after newMailbox.
	queue  *queue
	steady *steady

	// Guarded by mu.
	mu      sync.Mutex
	out     *unsent
	had     []sent // tasks that were answered, and the client has not said that it has them
	ended   bool
	turn    *turn         // the request that waits; nil: none
	parted  time.Duration // since when none does
	told    *signed       // the last time that the client was told
	pushing *http.ResponseController
}

// sent is a task that was answered.
type sent struct {
	push  *push
	times int
}

// turn is one request that waits.
type turn struct {
	mail chan struct{} // has room for one: there is something to say
	over chan struct{} // closed when a newer request takes its place
}

func newMailbox(s *Server) *mailbox {
	return &mailbox{queue: s.queue, steady: s.steady, parted: s.steady.now(), out: &unsent{}, told: s.signed()}
}

// send gives frames to the client.
func (b *mailbox) send(frames []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || !b.out.fits(len(frames)) {
		return false
	}
	b.out.add(frames)
	b.ring()
	return true
}

// push gives it a task or a cancellation. A task that finds no room comes again; a cancellation would not, and always
// finds some: there is one of a task.
func (b *mailbox) push(p *push) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || p.kind == wire.Request && !b.out.fits(p.size()) {
		return false
	}
	b.out.put(p)
	b.ring()
	return true
}

// recall takes back tasks that no answer carried yet.
func (b *mailbox) recall() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.out.takePushes(false) {
		if b.answered(p) == nil {
			b.queue.again(p)
		}
	}
	if b.pushing != nil {
		b.pushing.SetWriteDeadline(time.Now().Add(recallWithin))
	}
}

// end gives it the last frames.
func (b *mailbox) end(frames []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	for _, p := range b.out.takePushes(true) {
		if b.answered(p) == nil {
			b.queue.dropped(p, wire.DroppedUnwritten)
		}
	}
	b.had = nil
	b.out.add(frames)
	b.ring()
}

// answered is what is noted of a task that was answered before; nil: it was not. It must be called with mu held.
func (b *mailbox) answered(p *push) *sent {
	for i := range b.had {
		if b.had[i].push == p {
			return &b.had[i]
		}
	}
	return nil
}

// ring must be called with mu held.
func (b *mailbox) ring() {
	if b.turn != nil {
		select {
		case b.turn.mail <- struct{}{}:
		default:
		}
	}
}

// has takes the greatest number of a task that the client has. What it was answered and does not have comes again with
// this request: the answer was lost.
func (b *mailbox) has(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	again := &unsent{}
	kept := b.had[:0]
	for _, one := range b.had {
		if one.push.Push.Push <= number || one.times >= sentAtMost || b.queue.over(one.push) {
			continue
		}
		kept = append(kept, one)
		if one.push.kind == wire.Cancel || !b.queue.stopped.Load() {
			again.put(one.push)
		}
	}
	clear(b.had[len(kept):])
	b.had = kept
	waiting := b.out.takePushes(true)
	for _, p := range waiting {
		if b.answered(p) == nil {
			again.put(p)
		}
	}
	b.out.parts, b.out.bytes = append(b.out.parts, again.parts...), b.out.bytes+again.bytes
}

// enter makes a request the one that waits, in the place of an elder one.
func (b *mailbox) enter() *turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turn != nil {
		close(b.turn.over)
	}
	b.turn = &turn{mail: make(chan struct{}, 1), over: make(chan struct{})}
	if len(b.out.parts) > 0 || b.ended {
		b.ring()
	}
	return b.turn
}

// leave gives a request what there is to say. One whose place a newer one took gets nothing. A time that the client
// does not know yet is worth an answer that would say nothing else.
func (b *mailbox) leave(t *turn, now *signed, control *http.ResponseController) (parts []part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turn != t {
		return nil
	}
	b.turn, b.parted = nil, b.steady.now()
	out := b.out
	b.out = &unsent{}
	for p, ok := out.first(); ok; p, ok = out.first() {
		if p.push == nil || b.leaves(p.push) {
			parts = append(parts, p)
		}
		if p.push != nil {
			b.pushing = control
		}
	}
	if len(parts) == 0 && b.told != now {
		parts = append(parts, part{frames: now.ack})
	}
	b.told = now
	return parts
}

// leaves says whether a task may be answered now. It must be called with mu held.
func (b *mailbox) leaves(p *push) bool {
	if b.answered(p) != nil {
		return !b.queue.stopped.Load() || p.kind == wire.Cancel
	}
	return b.queue.leaves(p)
}

// said notes that an answer was written.
func (b *mailbox) said(parts []part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pushing = nil
	for _, p := range parts {
		if p.push == nil {
			continue
		}
		if before := b.answered(p.push); before != nil {
			before.times++
			continue
		}
		if !b.ended {
			b.had = append(b.had, sent{p.push, 1})
		}
		b.queue.written(p.push)
	}
}

// putBack keeps what could not be said for the next request.
func (b *mailbox) putBack(parts []part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pushing = nil
	back := &unsent{}
	for _, p := range append(parts, b.out.parts...) {
		switch {
		case p.push == nil:
			back.add(p.frames)
		case !b.ended:
			back.put(p.push)
		case b.answered(p.push) == nil:
			b.queue.dropped(p.push, wire.DroppedUnwritten)
		}
	}
	b.out = back
	b.ring()
}

// alone is how long no request has waited.
func (b *mailbox) alone(now time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turn != nil {
		return 0
	}
	b.parted = min(b.parted, now) // the clock may have been set back
	return now - b.parted
}

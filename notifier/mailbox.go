package notifier

import (
	"sync"
	"time"
)

// mailbox is the way to a client that comes by HTTP: what there is to say waits for its next request.
type mailbox struct {
	steady *steady // Constant after newMailbox.

	// Guarded by mu.
	mu     sync.Mutex
	out    []byte
	ended  bool
	turn   *turn         // the request that waits; nil: none
	parted time.Duration // since when none does
}

// turn is one request that waits.
type turn struct {
	mail chan struct{} // has room for one: there is something to say
	over chan struct{} // closed when a newer request takes its place
}

func newMailbox(steady *steady) *mailbox { return &mailbox{steady: steady, parted: steady.now()} }

// send gives frames to the client.
func (b *mailbox) send(frames []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || len(b.out)+len(frames) > maxUnsent {
		return false
	}
	b.out = append(b.out, frames...)
	b.ring()
	return true
}

// end gives it the last frames.
func (b *mailbox) end(frames []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	b.out = append(b.out, frames...)
	b.ring()
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

// enter makes a request the one that waits, in the place of an elder one.
func (b *mailbox) enter() *turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turn != nil {
		close(b.turn.over)
	}
	b.turn = &turn{mail: make(chan struct{}, 1), over: make(chan struct{})}
	if len(b.out) > 0 || b.ended {
		b.ring()
	}
	return b.turn
}

// leave gives a request what there is to say. One whose place a newer one took gets nothing.
func (b *mailbox) leave(t *turn) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turn != t {
		return nil
	}
	b.turn, b.parted = nil, b.steady.now()
	out := b.out
	b.out = nil
	return out
}

// putBack keeps what could not be said for the next request.
func (b *mailbox) putBack(out []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = append(out, b.out...)
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

package ingest

import (
	"context"
	"sync"
)

// broadcast turns one wake-up into one for every loader thread.
type broadcast struct {
	// Constant after newBroadcast.
	source <-chan struct{}

	// Guarded by mu.
	mu      sync.Mutex
	current chan struct{}
}

func newBroadcast(source <-chan struct{}) *broadcast {
	return &broadcast{source: source, current: make(chan struct{})}
}

// next returns a channel that closes at the next wake-up; nil, which never wakes, without a broadcast.
func (b *broadcast) next() <-chan struct{} {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current
}

func (b *broadcast) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-b.source:
			if !ok {
				return nil
			}
			b.wakeAll()
		}
	}
}

func (b *broadcast) wakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.current)
	b.current = make(chan struct{})
}

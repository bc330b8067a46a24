package resync

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

// listing shares a list of unread reports among those who ask at the same time: reading an inbox is work, and clients
// that enrol come by the thousand. Nobody is given one that began before it asked.
type listing struct {
	begun atomic.Uint64
	turn  chan struct{} // a place that whoever lists holds

	// Owned by who has the turn.
	number uint64
	last   gaps.Unread
}

func newListing() *listing { return &listing{turn: make(chan struct{}, 1)} }

func (l *listing) get(ctx context.Context, list func(context.Context) (gaps.Unread, error)) (gaps.Unread, error) {
	before := l.begun.Load()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return gaps.Unread{}, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.number > before {
		return l.last, nil
	}
	number := l.begun.Add(1)
	unread, err := list(ctx)
	if ctx.Err() != nil {
		return gaps.Unread{}, ctx.Err()
	}
	if err != nil {
		unread = gaps.Unread{Everybody: true, Reason: err.Error()}
	}
	l.number, l.last = number, unread
	return unread, nil
}

const (
	// patientClients bounds the clients whose waiting is remembered. Of more, the one that asked longest ago waits anew.
	patientClients = 10_000
	// patientGap is how long a client that waits may be silent: an agent asks every minute.
	patientGap = 30 * time.Minute
)

// patience remembers since when clients wait to enrol.
type patience struct {
	mu    sync.Mutex
	waits map[smx.ClientID]*wait // Guarded by mu.
}

// wait is when a client that waits asked.
type wait struct{ first, last time.Time }

func newPatience() *patience { return &patience{waits: map[smx.ClientID]*wait{}} }

// waited notes that the client asks now, and is how long ago it did so first.
func (p *patience) waited(client smx.ClientID, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waits[client]
	if w == nil || now.Sub(w.last) > patientGap {
		delete(p.waits, client)
		p.makeRoom()
		w = &wait{first: now}
		p.waits[client] = w
	}
	w.last = now
	return now.Sub(w.first)
}

// makeRoom forgets who asked longest ago when there is no place for another.
func (p *patience) makeRoom() {
	if len(p.waits) < patientClients {
		return
	}
	var oldest smx.ClientID
	var at time.Time
	for client, w := range p.waits {
		if at.IsZero() || w.last.Before(at) {
			oldest, at = client, w.last
		}
	}
	delete(p.waits, oldest)
}

// forget says that the client need not wait.
func (p *patience) forget(client smx.ClientID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waits, client)
}

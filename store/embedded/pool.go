package embedded

import (
	"context"
	"sync"
)

// pool lends connections, at most size at a time, and prefers one that is already
// in the wanted session.
type pool struct {
	// Constant after newPool.
	free chan struct{} // one token per connection that may be lent
	dial func(id int) (*conn, error)

	mu sync.Mutex
	// Guarded by mu.
	idle   []*conn
	lastID int
	closed bool
}

func newPool(size int, dial func(id int) (*conn, error)) *pool {
	p := &pool{free: make(chan struct{}, size), dial: dial}
	for range size {
		p.free <- struct{}{}
	}
	return p
}

// get lends a connection in the session want; it waits while all are lent.
func (p *pool) get(ctx context.Context, want session) (*conn, error) {
	select {
	case <-p.free:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := p.take(want)
	if err == nil {
		if err = c.enter(want); err == nil {
			return c, nil
		}
		p.discard(c)
		return nil, err
	}
	p.free <- struct{}{}
	return nil, err
}

// take removes the best idle connection, or opens one.
func (p *pool) take(want session) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	best := -1
	for i, c := range p.idle {
		if c.session.equal(want) {
			best = i
			break
		}
		if c.session.reaches(want) {
			best = i
		}
	}
	if best >= 0 {
		c := p.idle[best]
		p.idle = append(p.idle[:best], p.idle[best+1:]...)
		p.mu.Unlock()
		return c, nil
	}
	p.lastID++
	id := p.lastID
	spare := p.spare()
	p.mu.Unlock()
	if spare != nil {
		spare.close()
	}
	return p.dial(id)
}

// spare gives up an idle connection when as many exist as may be lent.
func (p *pool) spare() *conn {
	if len(p.idle) == 0 || len(p.idle)+p.lent() <= cap(p.free) {
		return nil
	}
	c := p.idle[0]
	p.idle = p.idle[1:]
	return c
}

func (p *pool) lent() int { return cap(p.free) - len(p.free) }

// put takes a connection back; one that carries state of its holder is closed.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	keep := !c.broken && !p.closed
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
	p.free <- struct{}{}
}

func (p *pool) discard(c *conn) {
	c.broken = true
	p.put(c)
}

// close ends the idle connections; lent ones end when they come back.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

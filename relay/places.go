package relay

import (
	"container/list"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"statewire/internal/conns"
)

// places are the connections that a listener has.
type places struct {
	// Guarded by mu.
	mu       sync.Mutex
	closed   bool
	shaking  list.List // of *conn, the oldest first
	open     list.List // of *conn that have shaken hands; those without a request in the order in which they began to wait
	of       map[netip.Addr]*counts
	apart    map[string]*conn // channels, which are not counted: one of each caller
	complain rate.Sometimes
}

// counts are the connections of one address.
type counts struct{ shaking, open int }

// admit counts a connection in that begins its handshake, in the place of the oldest one when the share of its
// address, or of all, is used up. It is nil after a stop.
func (l *listener) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, l: l, from: conns.Network(raw.RemoteAddr())}
	l.mu.Lock()
	var away *conn
	n := l.countsOf(c.from)
	switch {
	case l.closed:
		l.forget(c.from, n)
		l.mu.Unlock()
		raw.Close()
		return nil
	case n.shaking >= l.cfg.MaxHandshakesPerIP:
		away = l.giveWay(oldest(&l.shaking, &c.from), "handshake_ip_limit")
	case l.shaking.Len() >= l.cfg.MaxHandshakes:
		away = l.giveWay(oldest(&l.shaking, nil), "handshake_limit")
	}
	c.place = l.shaking.PushBack(c)
	l.countsOf(c.from).shaking++
	l.metrics.connections.Inc()
	l.mu.Unlock()
	away.hangUp()
	return c
}

// settle moves a connection that has shaken hands to the others, in the place of the one that has waited longest when
// the share of its address, or of all, is used up. It is false when there is no place: all of them are at work.
func (l *listener) settle(c *conn) bool {
	l.mu.Lock()
	if c.place == nil || l.closed {
		l.mu.Unlock()
		return false
	}
	away, limit := l.full(c.from)
	switch {
	case limit == "":
	case away == nil:
		l.refused(c, limit)
		l.mu.Unlock()
		return false
	default:
		l.giveWay(away, "idle_"+limit)
	}
	l.shaking.Remove(c.place)
	n := l.countsOf(c.from)
	n.shaking--
	n.open++
	c.place, c.shaken = l.open.PushBack(c), true
	l.mu.Unlock()
	away.hangUp()
	return true
}

// full is the limit that a further connection of the address would exceed, or empty, and who may give way. It must be
// called with mu held.
func (l *listener) full(from netip.Addr) (away *conn, limit string) {
	switch {
	case l.countsOf(from).open >= l.cfg.MaxConnectionsPerIP:
		return oldest(&l.open, &from), "ip_limit"
	case l.open.Len() >= l.cfg.MaxConnections:
		return oldest(&l.open, nil), "limit"
	}
	return nil, ""
}

// works says that a request is worked on.
func (l *listener) works(c *conn) {
	l.mu.Lock()
	c.busy = true
	l.mu.Unlock()
}

// waits says that the connection may give way again; as the last one.
func (l *listener) waits(c *conn) {
	l.mu.Lock()
	c.busy = false
	if c.place != nil {
		l.open.MoveToBack(c.place)
	}
	l.mu.Unlock()
}

// release counts a connection out.
func (l *listener) release(c *conn) {
	l.mu.Lock()
	l.remove(c)
	l.mu.Unlock()
}

// end closes the door and returns the connections on which no request is worked on.
func (l *listener) end() (waiting []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.stopped)
	}
	for _, all := range []*list.List{&l.shaking, &l.open} {
		for e := all.Front(); e != nil; e = e.Next() {
			if c := e.Value.(*conn); !c.busy {
				c.gone = true
				waiting = append(waiting, c)
			}
		}
	}
	return append(waiting, l.endApart()...)
}

// oldest is the first connection that no request is worked on, of one address or of all.
func oldest(in *list.List, from *netip.Addr) *conn {
	for e := in.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); !c.busy && (from == nil || c.from == *from) {
			return c
		}
	}
	return nil
}

// giveWay counts a connection out for another. Who calls it closes it, without the lock.
func (l *listener) giveWay(c *conn, reason string) *conn {
	c.gone = true
	l.remove(c)
	l.refused(c, reason)
	return c
}

// hangUp closes a connection that gave way. What serves it finds out.
func (c *conn) hangUp() {
	if c != nil {
		c.Conn.Close()
	}
}

// refused must be called with mu held.
func (l *listener) refused(c *conn, reason string) {
	l.metrics.connRefused.WithLabelValues(reason).Inc()
	l.complain.Do(func() {
		l.log.Warn("connection refused", "reason", reason, "remote", c.RemoteAddr().String(), "open", l.open.Len(),
			"handshakes", l.shaking.Len())
	})
}

// remove must be called with mu held.
func (l *listener) remove(c *conn) {
	switch {
	case c.who != "":
		l.forgetApart(c)
	case c.place != nil:
		l.uncount(c)
	default:
		return
	}
	l.metrics.connections.Dec()
}

// uncount must be called with mu held.
func (l *listener) uncount(c *conn) {
	n := l.countsOf(c.from)
	if c.shaken {
		l.open.Remove(c.place)
		n.open--
	} else {
		l.shaking.Remove(c.place)
		n.shaking--
	}
	c.place = nil
	l.forget(c.from, n)
}

func (l *listener) countsOf(from netip.Addr) *counts {
	n := l.of[from]
	if n == nil {
		n = &counts{}
		l.of[from] = n
	}
	return n
}

func (l *listener) forget(from netip.Addr, n *counts) {
	if *n == (counts{}) {
		delete(l.of, from)
	}
}

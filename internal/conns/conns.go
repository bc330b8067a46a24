// Package conns keeps silent connections from taking the places of those who speak: a listener never holds more
// connections than its limits, and the one that has waited longest without a request gives way to a newcomer.
package conns

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Limits are how many connections a listener holds.
type Limits struct {
	All        int // at least 1
	PerAddress int // of one IPv4 address, or of one IPv6 /64; at least 1
}

// Listener gives a server its connections. The server's ConnState must be State.
type Listener struct {
	net.Listener
	limits Limits // Constant after New.

	// Guarded by mu.
	mu   sync.Mutex
	open list.List // of *conn; those without a request in the order in which they began to wait
	of   map[netip.Addr]int
}

// conn is one connection of a listener.
type conn struct {
	net.Conn
	l    *Listener
	from netip.Addr

	// Guarded by the listener's mu.
	place *list.Element // nil when it is counted no more
	busy  bool          // with a request
}

// New limits the connections of a listener.
func New(inner net.Listener, limits Limits) *Listener {
	return &Listener{Listener: inner, limits: limits, of: map[netip.Addr]int{}}
}

// Accept returns the next connection that has a place. One that comes while all places are at work is closed.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.admit(raw); c != nil {
			return c, nil
		}
		raw.Close()
	}
}

// admit is nil when nobody may give way.
func (l *Listener) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, l: l, from: Network(raw.RemoteAddr())}
	l.mu.Lock()
	away, full := l.full(c.from)
	if full && away == nil {
		l.mu.Unlock()
		return nil
	}
	if full {
		l.remove(away)
	}
	c.place = l.open.PushBack(c)
	l.of[c.from]++
	l.mu.Unlock()
	if full {
		away.Conn.Close() // its server finds out
	}
	return c
}

// full tells whether a further connection of an address would exceed a limit, and who gives way. It must be called with
// mu held.
func (l *Listener) full(from netip.Addr) (away *conn, full bool) {
	switch {
	case l.of[from] >= l.limits.PerAddress:
		return l.oldest(&from), true
	case l.open.Len() >= l.limits.All:
		return l.oldest(nil), true
	}
	return nil, false
}

// oldest is the connection that has waited longest, of one address or of all.
func (l *Listener) oldest(from *netip.Addr) *conn {
	for e := l.open.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); !c.busy && (from == nil || c.from == *from) {
			return c
		}
	}
	return nil
}

// State hears from the server what a connection does: it is the ConnState of an http.Server.
func (l *Listener) State(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateActive:
		c.busy = true
	case http.StateIdle:
		c.busy = false
		if c.place != nil {
			l.open.MoveToBack(c.place)
		}
	}
}

// Close ends the connection and gives its place to another.
func (c *conn) Close() error {
	c.l.mu.Lock()
	c.l.remove(c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

// remove must be called with mu held.
func (l *Listener) remove(c *conn) {
	if c.place == nil {
		return
	}
	l.open.Remove(c.place)
	c.place = nil
	if l.of[c.from]--; l.of[c.from] == 0 {
		delete(l.of, c.from)
	}
}

// Network is the address that a share counts by: an IPv4 address, or the /64 that one IPv6 host has for itself.
func Network(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		prefix, _ := ip.Prefix(64)
		return prefix.Addr()
	}
	return ip
}

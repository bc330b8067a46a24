package relay

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// listener accepts connections up to the caps and closes the rest at once, so that those it has are served unharmed.
type listener struct {
	net.Listener

	// Constant after newListener.
	cfg     Config
	tls     *tls.Config
	metrics *metrics
	log     *slog.Logger

	// Guarded by mu.
	mu       sync.Mutex
	conns    map[*conn]struct{}
	perIP    map[netip.Addr]int
	complain rate.Sometimes
}

func newListener(tcp net.Listener, config *tls.Config, cfg Config, m *metrics, log *slog.Logger) *listener {
	return &listener{
		Listener: tcp,
		cfg:      cfg,
		tls:      config,
		metrics:  m,
		log:      log,
		conns:    map[*conn]struct{}{},
		perIP:    map[netip.Addr]int{},
		complain: rate.Sometimes{Interval: time.Minute},
	}
}

// Accept returns the next connection within the caps.
func (l *listener) Accept() (net.Conn, error) {
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

// admit counts the connection in, or returns nil when a cap is reached.
func (l *listener) admit(raw net.Conn) *conn {
	from := network(raw.RemoteAddr())
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.conns) >= l.cfg.MaxConnections:
		l.refused(raw, "limit")
		return nil
	case l.perIP[from] >= l.cfg.MaxConnectionsPerIP:
		l.refused(raw, "ip_limit")
		return nil
	}
	c := newConn(raw, l, from)
	l.conns[c] = struct{}{}
	l.perIP[from]++
	l.metrics.connections.Inc()
	return c
}

func (l *listener) refused(raw net.Conn, reason string) {
	l.metrics.connRefused.WithLabelValues(reason).Inc()
	l.complain.Do(func() {
		l.log.Warn("connection refused", "reason", reason, "remote", raw.RemoteAddr().String(), "open", len(l.conns))
	})
}

// release counts a closed connection out.
func (l *listener) release(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.conns[c]; !open {
		return
	}
	delete(l.conns, c)
	if l.perIP[c.from]--; l.perIP[c.from] == 0 {
		delete(l.perIP, c.from)
	}
	l.metrics.connections.Dec()
}

// closeUnused ends the connections on which no request has begun; a stop need not wait for them.
func (l *listener) closeUnused() {
	l.mu.Lock()
	unused := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		if !c.used.Load() {
			unused = append(unused, c)
		}
	}
	l.mu.Unlock()
	for _, c := range unused {
		c.raw.Close()
	}
}

// network is the address a cap counts by: an IPv4 address, or the /64 that one IPv6 host has for itself.
func network(addr net.Addr) netip.Addr {
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

package relay

import (
	"bufio"
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
	readers sync.Pool // buffers for the connections on which something comes in; a silent one has none

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

// accept returns the next connection within the caps.
func (l *listener) accept() (*conn, error) {
	for {
		raw, err := l.Accept()
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

func (l *listener) reader(c *conn) *bufio.Reader {
	if in, ok := l.readers.Get().(*bufio.Reader); ok {
		in.Reset(c)
		return in
	}
	return bufio.NewReaderSize(c, maxHeaderBytes)
}

func (l *listener) giveBack(in *bufio.Reader) {
	in.Reset(nil)
	l.readers.Put(in)
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
	delete(l.conns, c)
	if l.perIP[c.from]--; l.perIP[c.from] == 0 {
		delete(l.perIP, c.from)
	}
	l.metrics.connections.Dec()
}

// stuck speaks once a minute of what keeps connections out.
func (l *listener) stuck(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complain.Do(func() { l.log.Warn("no connection taken", "err", err, "open", len(l.conns)) })
}

// end ends the connections on which no request is worked on, or all of them.
func (l *listener) end(all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.state.CompareAndSwap(waiting, ended) || all {
			c.raw.Close()
		}
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

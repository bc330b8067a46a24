package relay

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// listener shakes hands and gives the server only connections that have. Those in their handshake have a share of
// their own, of each address and in all, where the oldest gives way to the newest: whoever opens connections and says
// nothing takes no place from those who speak. Among the others the one that has waited longest without a request
// gives way.
type listener struct {
	net.Listener

	// Constant after newListener.
	cfg     Config
	tls     *tls.Config
	metrics *metrics
	log     *slog.Logger
	shaken  chan *tls.Conn
	stopped chan struct{}
	// mostApart bounds the channels; zero sets no limit.
	mostApart int

	shakers sync.WaitGroup

	places // the connections, under its mu
}

func newListener(tcp net.Listener, config *tls.Config, cfg Config, m *metrics, log *slog.Logger) *listener {
	return &listener{
		Listener: tcp,
		cfg:      cfg,
		tls:      config,
		metrics:  m,
		log:      log,
		shaken:   make(chan *tls.Conn),
		stopped:  make(chan struct{}),
		places: places{of: map[netip.Addr]*counts{}, apart: map[string]*conn{},
			complain: rate.Sometimes{Interval: time.Minute}},
	}
}

// Accept returns the next connection that has shaken hands.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.shaken:
		return c, nil
	case <-l.stopped:
		return nil, net.ErrClosed
	}
}

// run accepts connections until the listener is closed. What keeps it from taking one, such as too many open files,
// passes.
func (l *listener) run() {
	defer l.shakers.Wait()
	for delay := time.Duration(0); ; {
		raw, err := l.Listener.Accept()
		switch {
		case err == nil:
			delay = 0
			if c := l.admit(raw); c != nil {
				l.shakers.Go(func() { l.shake(c) })
			}
		case errors.Is(err, net.ErrClosed):
			return
		default:
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.stuck(err)
			time.Sleep(delay)
		}
	}
}

// shake shakes hands and gives the connection to the server. The goroutine ends here, and with it the stack that a
// handshake needs.
func (l *listener) shake(c *conn) {
	c.SetDeadline(time.Now().Add(l.cfg.HandshakeTimeout))
	secure := tls.Server(c, l.tls)
	if err := secure.Handshake(); err != nil {
		l.tlsRefused(c, err)
		c.Close()
		return
	}
	c.SetDeadline(time.Time{})
	if !l.settle(c) {
		c.Close()
		return
	}
	select {
	case l.shaken <- secure:
	case <-l.stopped:
		c.Close()
	}
}

// tlsRefused counts a failed handshake and speaks of it once a minute.
func (l *listener) tlsRefused(c *conn, err error) {
	reason := tlsReason(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.gone {
		return // counted when it gave way
	}
	l.metrics.tlsRefused.WithLabelValues(reason).Inc()
	l.complain.Do(func() {
		l.log.Warn("tls handshake failed", "reason", reason, "remote", c.RemoteAddr().String(), "err", err)
	})
}

// stuck speaks once a minute of what keeps connections out.
func (l *listener) stuck(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complain.Do(func() { l.log.Warn("no connection taken", "err", err, "open", l.open.Len()) })
}

// stop takes no further connection and ends those on which no request is worked on.
func (l *listener) stop() {
	l.Listener.Close()
	for _, c := range l.end() {
		c.Conn.Close()
	}
}

// Close implements net.Listener; the server calls it too.
func (l *listener) Close() error {
	l.stop()
	return nil
}

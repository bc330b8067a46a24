package notifier

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"statewire/identity"
	"statewire/internal/conns"
	"statewire/notifier/wire"
)

const (
	// maxUnsigned bounds the connections that have not signed in, and maxUnsignedPerAddress those of one address. The
	// oldest gives way: whoever opens connections and says nothing takes no place from those who speak. More at one time
	// would not be faster: handshakes are work for the processor, and others wait in the system's queue.
	maxUnsigned           = 512
	maxUnsignedPerAddress = 256
	// patience is how long a connection may be at its handshake and sign-in before it gives way while all places are
	// taken. Who came a moment ago is not silent but one of many, as after a restart: newcomers wait for a place then.
	patience = 3 * time.Second
	// handshakeWithin bounds a TLS handshake.
	handshakeWithin = 10 * time.Second
)

// keepAlive finds peers that are gone without a word and keeps the memory of firewalls alive. It is no sign of life of
// the client's program.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 30 * time.Second, Count: 8}

// listener shakes hands and takes sign-ins. Connections that have not signed in have a share of their own.
type listener struct {
	net.Listener

	// Constant after listen.
	s   *Server
	tls *tls.Config

	conns sync.WaitGroup // goroutines of connections
	freed chan struct{}  // has room for one: a place became free

	// Guarded by mu.
	mu       sync.Mutex
	closed   bool
	waiting  list.List // of *conn that have not signed in, the oldest first
	of       map[netip.Addr]int
	complain rate.Sometimes
	spoken   map[string]*rate.Sometimes // of failed handshakes, by class
}

// listen opens the listener. Fewer connections than configured are held where the process may not have the files.
func listen(s *Server) (*listener, error) {
	cfg := *s.cfg.Load()
	if most := mostConnections(s.deps.OtherFiles + maxUnsigned); most < cfg.MaxConnections {
		s.log.Warn("fewer connections than notifier.max_connections: the process may not have more open files; raise its "+
			"limit (ulimit -n, LimitNOFILE=)", "max_connections", cfg.MaxConnections, "held", most)
		cfg.MaxConnections = most
		s.cfg.Store(&cfg)
	}
	control := net.ListenConfig{KeepAliveConfig: keepAlive}
	tcp, err := control.Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on notifier.listen %s: %w", cfg.Listen, err)
	}
	return newListener(s, tcp), nil
}

func newListener(s *Server, tcp net.Listener) *listener {
	config := identity.ServerTLS(s.deps.Certificate)
	config.NextProtos = []string{wire.ALPN}
	config.ClientAuth = tls.RequireAnyClientCert
	config.VerifyConnection = s.verify
	return &listener{Listener: tcp, s: s, tls: config, of: map[netip.Addr]int{}, freed: make(chan struct{}, 1),
		complain: rate.Sometimes{Interval: time.Minute}, spoken: map[string]*rate.Sometimes{}}
}

// run accepts connections until the listener is closed. What keeps it from taking one, such as too many open files,
// passes.
func (l *listener) run() {
	for delay := time.Duration(0); ; {
		raw, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			l.room()
			l.take(raw)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.stuck(err)
			time.Sleep(delay)
		}
	}
}

// room waits for a place while all are taken by connections that came a moment ago.
func (l *listener) room() {
	for {
		wait := l.full()
		if wait <= 0 {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.freed:
		case <-timer.C:
		case <-l.s.stopping:
		}
		timer.Stop()
	}
}

// full is for how long the oldest connection that has not signed in keeps its place; 0: there is one.
func (l *listener) full() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.waiting.Len() < maxUnsigned {
		return 0
	}
	return patience - time.Since(l.waiting.Front().Value.(*conn).came)
}

// take begins with a connection.
func (l *listener) take(raw net.Conn) {
	if c := l.admit(raw); c != nil {
		l.conns.Go(func() { l.shake(c) })
	}
}

// shake shakes hands and takes the sign-in. The goroutine ends here, and with it the stack that both need: the one that
// waits for what comes then is small.
func (l *listener) shake(c *conn) {
	c.tls.NetConn().SetDeadline(time.Now().Add(handshakeWithin))
	if err := c.tls.Handshake(); err != nil {
		l.failed(c, err)
		l.release(c)
		c.tls.NetConn().Close()
		return
	}
	session, err := c.signIn()
	if session == nil {
		c.part(nil, err)
		return
	}
	l.conns.Go(func() { c.serve(session) })
}

// admit counts a connection in, in the place of the oldest one when the share of its address, or of all, is used up. It
// is nil after a stop.
func (l *listener) admit(raw net.Conn) *conn {
	c := &conn{l: l, tls: tls.Server(raw, l.tls), from: conns.Network(raw.RemoteAddr()), came: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		raw.Close()
		return nil
	case l.of[c.from] >= maxUnsignedPerAddress:
		l.giveWay(&c.from, limitUnsignedAddress, maxUnsignedPerAddress)
	case l.waiting.Len() >= maxUnsigned:
		l.giveWay(nil, limitUnsigned, maxUnsigned)
	}
	c.place = l.waiting.PushBack(c)
	l.of[c.from]++
	l.s.metrics.unsigned.Inc()
	return c
}

// giveWay ends the oldest connection that has not signed in, of one address or of all. It must be called with mu held.
func (l *listener) giveWay(from *netip.Addr, limit string, most int) {
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); from == nil || c.from == *from {
			c.gone = true
			l.remove(c)
			c.tls.NetConn().Close()
			break
		}
	}
	l.s.limit(limit, most)
}

// settle takes the sign-in of a connection. A client that has signed in leaves the share of those that have not.
func (l *listener) settle(c *conn, caller identity.Caller, kind wire.Kind, payload []byte) (*session, error) {
	session, err := l.s.signIn(caller, kind, payload, wire.TCP, c, c.tls.RemoteAddr().String())
	if session != nil {
		l.release(c)
	}
	return session, err
}

// release takes a connection out of the share of those that have not signed in.
func (l *listener) release(c *conn) {
	l.mu.Lock()
	l.remove(c)
	l.mu.Unlock()
}

// remove must be called with mu held.
func (l *listener) remove(c *conn) {
	if c.place == nil {
		return
	}
	l.waiting.Remove(c.place)
	c.place = nil
	if l.of[c.from]--; l.of[c.from] == 0 {
		delete(l.of, c.from)
	}
	l.s.metrics.unsigned.Dec()
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// stuck speaks once a minute of what keeps connections out.
func (l *listener) stuck(err error) {
	l.s.messages.say(wire.ListenerFailed, "", "The notification server's listener on %s takes no connection: %v.",
		l.Addr(),
		err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complain.Do(func() { l.s.log.Error("no connection taken", "listen", l.Addr().String(), "err", err) })
}

// stop takes no further connection and ends those that have not signed in.
func (l *listener) stop() {
	l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		e.Value.(*conn).tls.NetConn().Close()
	}
}

// wait waits for the goroutines of connections: they end within the deadlines of a write and of lingering.
func (l *listener) wait() { l.conns.Wait() }

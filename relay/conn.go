package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one TLS connection as the HTTP server sees it. It bounds the handshake and every read and write in
// time, and watches the request heads that pass, because the server hides how they spelled their length.
//
// Deadlines are set on the socket only when they get earlier. One that runs out too early is found to be so when
// it runs out, and set anew: a busy connection pays for one timer in seconds instead of five per request.
type conn struct {
	*tls.Conn

	// Constant after newConn.
	raw  net.Conn
	l    *listener
	from netip.Addr

	used   atomic.Bool // a request has begun
	closed sync.Once

	// Owned by the goroutine that serves the connection.
	shaken  bool
	failed  bool // no byte goes out or comes in any more
	wrote   time.Time
	handled bool // the request whose head passed last reached the handler

	// Guarded by mu.
	mu       sync.Mutex
	head     head
	want     time.Time // deadline of the present read; zero is none
	armed    time.Time // deadline of the socket; zero is none, else never later than want
	aborted  bool      // armed lies in the past, to end a read at once
	body     time.Time // when the reading of a body began; zero when none is read
	bodyGot  int64     // bytes since
	bodyIdle bool      // its deadline ran out
}

func newConn(raw net.Conn, l *listener, from netip.Addr) *conn {
	return &conn{Conn: tls.Server(raw, l.tls), raw: raw, l: l, from: from}
}

// longAgo tells a deadline that ends a read at once from one that has only just run out.
var longAgo = time.Unix(1<<20, 0)

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(req *http.Request) *conn {
	c, _ := req.Context().Value(connKey{}).(*conn)
	return c
}

// connState hears from the server that an answer is written.
func connState(nc net.Conn, state http.ConnState) {
	if c, ok := nc.(*conn); ok && state == http.StateIdle {
		c.handled = false
	}
}

// ConnectionState shakes hands and tells the result. The server asks for it before it reads.
func (c *conn) ConnectionState() tls.ConnectionState {
	c.shake()
	return c.Conn.ConnectionState()
}

func (c *conn) shake() {
	if c.shaken {
		return
	}
	c.shaken = true
	c.raw.SetDeadline(time.Now().Add(c.l.cfg.HandshakeTimeout))
	if err := c.Conn.Handshake(); err != nil {
		c.failed = true
		c.l.tlsRefused(c.raw, err)
		return
	}
	c.raw.SetDeadline(time.Time{})
}

// tlsRefused counts a failed handshake and speaks of it once a minute.
func (l *listener) tlsRefused(raw net.Conn, err error) {
	reason := tlsReason(err)
	l.metrics.tlsRefused.WithLabelValues(reason).Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complain.Do(func() {
		l.log.Warn("tls handshake failed", "reason", reason, "remote", raw.RemoteAddr().String(), "err", err)
	})
}

func tlsReason(err error) string {
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "handshake_timeout"
	case errors.As(err, &record):
		return "not_tls"
	case strings.Contains(err.Error(), "unsupported versions"):
		return "version"
	case errors.As(err, &op) && op.Op == "remote error":
		return "alert" // the caller gave up, mostly because it does not know our authority
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), strings.Contains(err.Error(), "connection reset"):
		return "closed"
	}
	return "handshake"
}

// Read reads what the client sent, within the deadline wanted.
func (c *conn) Read(p []byte) (int, error) {
	c.shake()
	if c.failed {
		return 0, io.EOF
	}
	for {
		n, err := c.Conn.Read(p)
		c.count(p[:n])
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && c.extend() {
			if n > 0 {
				return n, nil
			}
			continue
		}
		return n, err
	}
}

// count keeps the books on bytes that came in.
func (c *conn) count(p []byte) {
	if len(p) == 0 {
		return
	}
	c.mu.Lock()
	c.head.feed(p)
	if !c.body.IsZero() {
		c.bodyGot += int64(len(p))
	}
	c.mu.Unlock()
}

// extend decides on a deadline of the socket that ran out: true when the read may go on.
func (c *conn) extend() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.body.IsZero() && !c.want.After(now) {
		took := now.Sub(c.body)
		if float64(c.bodyGot) < took.Seconds()*float64(c.l.cfg.BodyRate) {
			c.bodyIdle = true
			return false
		}
		c.want = now.Add(min(time.Second, c.l.cfg.BodyTimeout))
	}
	if !c.want.IsZero() && !c.want.After(now) {
		if !c.aborted && c.body.IsZero() && c.head.partial() {
			c.l.metrics.refused(codeHeaderSlow)
			c.head = head{}
		}
		return false
	}
	c.armed = c.want
	c.raw.SetReadDeadline(c.armed)
	return true
}

// SetReadDeadline wants a deadline for the reads from here on.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline(t)
}

// deadline must be called with mu held.
func (c *conn) deadline(t time.Time) error {
	c.want = t
	sooner := !t.IsZero() && (c.armed.IsZero() || t.Before(c.armed))
	if !sooner && !c.aborted {
		return nil // the socket's own deadline comes first, or there need not be one
	}
	if t.IsZero() {
		t = time.Now().Add(c.l.cfg.HeaderTimeout) // soon enough for whatever is wanted next
	}
	c.armed, c.aborted = t, t.Before(longAgo)
	return c.raw.SetReadDeadline(t)
}

// beginBody starts the clock of a body.
func (c *conn) beginBody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.bodyGot, c.bodyIdle = time.Now(), 0, false
	c.deadline(c.body.Add(c.l.cfg.BodyTimeout))
}

// endBody stops it and says whether the body was too slow. What is read from here on belongs to the next request, whose first
// byte may come before the server has heard that this one is answered.
func (c *conn) endBody() (slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = time.Time{}
	c.head.next()
	return c.bodyIdle
}

// linger gives the client a moment to finish sending what nobody will read.
func (c *conn) linger() { c.SetReadDeadline(time.Now().Add(time.Second)) }

// SetWriteDeadline keeps the deadlines that Write sets.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// Write sends an answer within WriteTimeout.
func (c *conn) Write(p []byte) (int, error) {
	if c.failed {
		return 0, net.ErrClosed
	}
	if now, timeout := time.Now(), c.l.cfg.WriteTimeout; now.Sub(c.wrote) > timeout/8 {
		c.wrote = now
		c.raw.SetWriteDeadline(now.Add(timeout))
	}
	if !c.handled {
		return c.writeOwn(p)
	}
	return c.Conn.Write(p)
}

// writeOwn sends what the HTTP server answers by itself, to a request it did not understand, in the form of all other refusals.
func (c *conn) writeOwn(p []byte) (int, error) {
	answer, code := ownAnswer(p)
	c.l.metrics.refused(code)
	if _, err := c.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite tells the client that nothing more follows.
func (c *conn) CloseWrite() error {
	err := c.Conn.CloseWrite()
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		err = errors.Join(err, half.CloseWrite())
	}
	return err
}

// Close ends the connection and gives its place to another.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.closed.Do(func() { c.l.release(c) })
	return err
}

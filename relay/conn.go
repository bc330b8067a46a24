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

	"statewire/smx"
)

// conn is one TLS connection as the HTTP server sees it. It bounds the handshake and every read and write in
// time, and watches the request heads that pass, because the server hides how they spelled their length.
type conn struct {
	*tls.Conn

	// Constant after newConn.
	raw  net.Conn
	l    *listener
	from netip.Addr

	used    atomic.Bool // a request has begun
	lingers atomic.Bool // it was refused with bytes unread
	closed  sync.Once

	// Owned by the goroutine that serves the connection.
	shaken  bool
	failed  bool // no byte goes out or comes in any more
	wrote   time.Time
	handled bool // the request whose head passed last reached the handler

	input
}

func newConn(raw net.Conn, l *listener, from netip.Addr) *conn {
	c := &conn{Conn: tls.Server(raw, l.tls), raw: raw, l: l, from: from}
	c.resumed.L = &c.mu
	return c
}

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
		c.answered()
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
	c.rearm()
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

// lingering bounds the time in which a client that was refused may finish sending.
const lingering = 2 * time.Second

// Close ends the connection and gives its place to another.
func (c *conn) Close() error {
	c.hangUp()
	if c.lingers.Load() {
		c.drain()
	}
	err := c.Conn.Close()
	c.closed.Do(func() { c.l.release(c) })
	return err
}

// drain reads on without a look at it: a connection closed on unread bytes is reset, and the reset would overtake the answer.
func (c *conn) drain() {
	c.CloseWrite()
	c.raw.SetReadDeadline(time.Now().Add(lingering))
	io.CopyN(io.Discard, c.raw, 2*smx.MaxReportBytes)
}

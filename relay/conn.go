package relay

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"statewire/smx"
)

// The states of a connection. A stop ends those that wait and leaves the others their request.
const (
	waiting int32 = iota // for a whole head
	working              // on a request
	ended
)

// conn is one TLS connection. One goroutine serves it, one request after the other; nothing is read while a request is answered, so
// that a client that leaves is served all the same.
type conn struct {
	// Constant after newConn.
	tls    *tls.Conn
	raw    net.Conn
	l      *listener
	from   netip.Addr
	remote string

	state atomic.Int32

	// Owned by the goroutine that serves the connection.
	peer    tls.ConnectionState
	in      *bufio.Reader // nil while nothing has come in
	first   [1]byte       // what await read
	fresh   bool          // first is still to be read from
	body    body
	readBy  time.Time // the socket's deadlines
	writeBy time.Time
	lingers bool // it was refused with bytes unread
}

func newConn(raw net.Conn, l *listener, from netip.Addr) *conn {
	return &conn{tls: tls.Server(raw, l.tls), raw: raw, l: l, from: from, remote: raw.RemoteAddr().String()}
}

// shake shakes hands.
func (c *conn) shake() bool {
	c.raw.SetDeadline(time.Now().Add(c.l.cfg.HandshakeTimeout))
	if err := c.tls.Handshake(); err != nil {
		c.l.tlsRefused(c.raw, err)
		return false
	}
	c.raw.SetDeadline(time.Time{})
	c.peer = c.tls.ConnectionState()
	return true
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

// await returns when the next request begins to come in; false when none does within the time.
func (c *conn) await(within time.Duration) bool {
	if c.in != nil {
		c.readWithin(c.l.cfg.HeaderTimeout)
		return true
	}
	for end := time.Now().Add(within); ; {
		c.readWithin(min(within, c.l.cfg.HeaderTimeout))
		n, err := c.tls.Read(c.first[:])
		if n > 0 {
			c.in, c.fresh = c.l.reader(c), true
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(end) {
			return false
		}
	}
}

// rest gives the buffer back, unless the next request lies in it.
func (c *conn) rest() {
	if c.in.Buffered() == 0 {
		c.l.giveBack(c.in)
		c.in = nil
	}
}

// Read reads what the client sent, within the deadlines.
func (c *conn) Read(p []byte) (int, error) {
	if c.fresh {
		c.fresh = false
		return copy(p, c.first[:]), nil
	}
	for {
		n, err := c.tls.Read(p)
		c.body.got += int64(n)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.keepsUp() {
			return n, err
		}
	}
}

// readWithin bounds the reads from here on to about d: a deadline that is at most an eighth nearer stays, for setting one costs
// more than it is worth where requests follow each other.
func (c *conn) readWithin(d time.Duration) {
	now := time.Now()
	if left := c.readBy.Sub(now); left < d-d/8 || left > d {
		c.readBy = now.Add(d)
		c.raw.SetReadDeadline(c.readBy)
	}
}

// write sends bytes within WriteTimeout, or an eighth less.
func (c *conn) write(p []byte) error {
	now, d := time.Now(), c.l.cfg.WriteTimeout
	if c.writeBy.Sub(now) < d-d/8 {
		c.writeBy = now.Add(d)
		c.raw.SetWriteDeadline(c.writeBy)
	}
	_, err := c.tls.Write(p)
	return err
}

// begin says that a request is worked on, unless the relay has stopped first.
func (c *conn) begin() bool { return c.state.CompareAndSwap(waiting, working) }

// wait says that the request is answered.
func (c *conn) wait() { c.state.Store(waiting) }

// lingering bounds the time in which a client that was refused may finish sending.
const lingering = 2 * time.Second

// close ends the connection and gives its place to another.
func (c *conn) close() {
	if c.lingers {
		c.drain()
	}
	c.tls.Close()
	if c.in != nil {
		c.l.giveBack(c.in)
	}
	c.l.release(c)
}

// drain reads on without a look at it: a connection closed on unread bytes is reset, and the reset would overtake the answer.
func (c *conn) drain() {
	c.tls.CloseWrite()
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.raw.SetReadDeadline(time.Now().Add(lingering))
	io.CopyN(io.Discard, c.raw, 2*smx.MaxReportBytes)
}

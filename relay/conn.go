package relay

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"statewire/identity"
)

// conn is one TCP connection below its TLS, counted from its acceptance until it is closed.
type conn struct {
	net.Conn

	// Constant after admit.
	l    *listener
	from netip.Addr

	// Guarded by the listener's mu.
	place  *list.Element // in the listener's shaking or open; nil when it is counted no more
	shaken bool          // the handshake has ended
	busy   bool          // with a request
	gone   bool          // it gave way
	who    string        // whose channel it is, which counts apart from the others; empty when it is nobody's
	letGo  func()        // ends the request that is held on it; nil when none is

	// Owned by the goroutine that serves the connection.
	unheard bool // a request began that no route has seen
	apart   bool // it was a channel with its last request
	resting bool // it waits for its next request
	answer  answer
	body    pace
}

// Close ends the connection and gives its place to another.
func (c *conn) Close() error {
	c.l.release(c)
	return c.Conn.Close()
}

// SetReadDeadline gives a channel more time until its next request than net/http, which knows one time for all.
func (c *conn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		c.resting = false // a request begins
	} else if c.resting && c.apart {
		t = time.Now().Add(channelRest)
	}
	return c.Conn.SetReadDeadline(t)
}

// below is the conn below the connection that the server sees.
func below(nc net.Conn) *conn { return nc.(*tls.Conn).NetConn().(*conn) }

type connKey struct{}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, below(nc))
}

func connOf(req *http.Request) *conn { return req.Context().Value(connKey{}).(*conn) }

// state hears from the server what a connection does. A request that ends its connection and was seen by no route is
// one that net/http refused by itself.
func (l *listener) state(nc net.Conn, state http.ConnState) {
	c := below(nc)
	switch state {
	case http.StateActive:
		c.unheard = true
		l.works(c)
	case http.StateIdle:
		c.resting = true
		l.waits(c)
	case http.StateClosed:
		if c.unheard {
			l.metrics.refused(codeBadRequest)
		}
	}
}

func tlsReason(err error) string {
	var record tls.RecordHeaderError
	var op *net.OpError
	var refused *identity.Refusal
	switch {
	case errors.As(err, &refused):
		return strings.TrimPrefix(refused.Code, "certificate_") // revoked, expired, unknown_identity
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

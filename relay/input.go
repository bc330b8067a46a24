package relay

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// longAgo tells a deadline that ends a read at once from one that has only just run out.
var longAgo = time.Unix(1<<20, 0)

// input is the reading half of a connection.
//
// Deadlines are set on the socket only when they get earlier. One that runs out too early is found to be so when it runs out, and
// set anew: a busy connection pays for one timer in seconds instead of five per request. And while a request is being answered the
// server reads ahead by one byte, to hear of clients that leave. Here nobody wants to hear of them, a report in hand is stored
// all the same, so that read waits without touching the socket.
type input struct {
	// Guarded by mu.
	mu       sync.Mutex
	resumed  sync.Cond
	head     head
	busy     bool      // a request is in the handler
	reading  bool      // somebody reads from the socket
	gone     bool      // the connection is closed
	want     time.Time // deadline of the present read; zero is none
	aborted  bool      // want lies in the past, to end the present read at once
	armed    time.Time // deadline of the socket; zero is none, else never later than want
	body     time.Time // when the reading of a body began; zero when none is read
	bodyGot  int64     // bytes since
	bodyIdle bool      // its deadline ran out
}

// Read reads what the client sent, within the deadline wanted.
func (c *conn) Read(p []byte) (int, error) {
	c.shake()
	if c.failed {
		return 0, io.EOF
	}
	for {
		if err := c.enter(); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if again := c.leave(p[:n], err); !again {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// enter waits while there is nothing to read for, and says why the socket must not be read.
func (c *conn) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy && c.head.atEnd() && !c.aborted && !c.gone {
		c.resumed.Wait()
	}
	switch {
	case c.gone:
		return net.ErrClosed
	case c.aborted:
		return os.ErrDeadlineExceeded
	}
	c.reading = true
	return nil
}

// leave keeps the books on what was read, and says whether an error was only a deadline that ran out too early.
func (c *conn) leave(p []byte, err error) (again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	c.head.feed(p)
	if !c.body.IsZero() {
		c.bodyGot += int64(len(p))
	}
	return err != nil && errors.Is(err, os.ErrDeadlineExceeded) && c.extend(time.Now())
}

// extend decides on a deadline of the socket that ran out: true when the read may go on. It must be called with mu held.
func (c *conn) extend(now time.Time) bool {
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
	c.want, c.aborted = t, !t.IsZero() && t.Before(longAgo)
	if c.aborted && !c.reading {
		c.resumed.Broadcast()
		return nil
	}
	sooner := !t.IsZero() && (c.armed.IsZero() || t.Before(c.armed))
	past := !c.armed.IsZero() && c.armed.Before(longAgo)
	if !sooner && !past {
		return nil // the socket's own deadline comes first, or there need not be one
	}
	if t.IsZero() {
		t = time.Now().Add(c.l.cfg.HeaderTimeout) // soon enough for whatever is wanted next
	}
	c.armed = t
	return c.raw.SetReadDeadline(t)
}

// rearm sets the deadline wanted on a socket that has none.
func (c *conn) rearm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = time.Time{}
	c.deadline(c.want)
}

// begin takes note that a request reached the handler, and finds spellings of its head that are refused.
func (c *conn) begin(req *http.Request) (code string) {
	c.handled = true
	if !c.used.Load() {
		c.used.Store(true)
	}
	chunked := len(req.TransferEncoding) > 0
	length := req.ContentLength
	if chunked {
		length = -1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = true
	return c.head.take(req.Method, req.RequestURI, length, chunked || !req.ProtoAtLeast(1, 1))
}

// answered takes note that the answer is written.
func (c *conn) answered() {
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
}

// beginBody starts the clock of a body.
func (c *conn) beginBody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.bodyGot, c.bodyIdle = time.Now(), 0, false
	c.deadline(c.body.Add(c.l.cfg.BodyTimeout))
}

// endBody stops it and says whether the body was too slow. What is read behind a whole body belongs to the next request, whose
// first byte may come before the server has heard that this one is answered. The rest of a body that was refused still has to be
// read: the server drains some of it before it closes the connection.
func (c *conn) endBody(whole bool) (slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = time.Time{}
	if whole {
		c.head.next()
	}
	return c.bodyIdle
}

// linger gives the client a moment to finish sending what nobody will read.
func (c *conn) linger() {
	c.lingers.Store(true)
	c.SetReadDeadline(time.Now().Add(time.Second))
}

// hangUp ends a read that waits.
func (c *conn) hangUp() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.resumed.Broadcast()
}

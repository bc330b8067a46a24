package notifier

import (
	"bytes"
	"container/list"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"statewire/notifier/wire"
)

const (
	// signInWithin bounds the time from the end of the handshake to the sign-in.
	signInWithin = 10 * time.Second
	// frameWithin bounds the time from the first byte of a frame to its last.
	frameWithin = 10 * time.Second
	// writeWithin bounds a write to a client that reads slowly.
	writeWithin = 10 * time.Second
	// maxUnsent bounds what waits for such a client.
	maxUnsent = 256 << 10
	// A client says next to nothing: more than framesAllowed in framesWindow is none of ours.
	framesAllowed = 1000
	framesWindow  = time.Minute
	// lingering bounds the time in which a client that is told good-bye may finish sending: a connection closed on unread
	// bytes is reset, and the reset would overtake what it was told.
	lingering = 2 * time.Second
)

// conn is a client's TCP connection. While it is idle it has one goroutine, which waits for five bytes, and no buffers.
type conn struct {
	// Constant after admit.
	l    *listener
	tls  *tls.Conn
	from netip.Addr
	came time.Time

	place *list.Element // Guarded by the listener's mu: among those that have not signed in.
	gone  bool          // Guarded by the listener's mu: it gave way to another.

	// Guarded by mu.
	mu      sync.Mutex
	out     *unsent // what nobody writes yet; nil: nothing
	writing bool
	pushing bool // a task is being written
	last    bool // nothing more is taken, and the connection ends when all is written
}

// send gives frames to the client. Who calls does not wait for a client that does not read.
func (c *conn) send(frames []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.takes(len(frames)) {
		return false
	}
	c.out.add(frames)
	c.start()
	return true
}

// push gives it a task or a cancellation.
func (c *conn) push(p *push) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.takes(p.size()) {
		return false
	}
	c.out.put(p)
	c.start()
	return true
}

// takes says whether the client takes so many more bytes: one that does not read is cut off. It must be called with mu
// held.
func (c *conn) takes(bytes int) bool {
	if c.last {
		return false
	}
	if !c.out.fits(bytes) {
		c.cut()
		return false
	}
	if c.out == nil {
		c.out = &unsent{}
	}
	return true
}

// end gives the client the last frames and closes the connection. Tasks that wait do not leave any more.
func (c *conn) end(frames []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last {
		return
	}
	c.last = true
	c.l.s.queue.unwritten(c.out.takePushes(true))
	if c.out == nil {
		c.out = &unsent{}
	}
	c.out.add(frames)
	c.start()
}

// recallWithin bounds how long a task that is being written may take once none may leave any more.
const recallWithin = 500 * time.Millisecond

// recall takes back tasks that were not written. One that is being written ends soon, or the connection does.
func (c *conn) recall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.out.takePushes(false) {
		c.l.s.queue.again(p)
	}
	if c.pushing {
		c.tls.SetWriteDeadline(time.Now().Add(recallWithin))
	}
}

// start must be called with mu held.
func (c *conn) start() {
	if !c.writing {
		c.writing = true
		c.l.conns.Go(c.write)
	}
}

// cut ends the connection at once. It must be called with mu held.
func (c *conn) cut() {
	c.last = true
	c.l.s.queue.unwritten(c.out.takePushes(true))
	c.out = nil
	c.tls.NetConn().Close()
}

// write writes what there is. Its goroutine, and the stack that this takes, live no longer.
func (c *conn) write() {
	for {
		next, ends, ok := c.next()
		switch {
		case ok:
			if !c.wrote(next, c.writePart(next)) {
				return
			}
		case ends:
			c.hangUp()
			return
		default:
			return
		}
	}
}

// next is what to write next. Without anything, the writing ends, and the connection, too, if ends.
func (c *conn) next() (p part, ends, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if p, ok = c.out.first(); !ok {
			c.out, c.writing = nil, false
			return p, c.last, false
		}
		if c.pushing = p.push != nil; c.pushing && !c.l.s.queue.leaves(p.push) {
			continue
		}
		c.tls.SetWriteDeadline(time.Now().Add(writeWithin))
		return p, false, true
	}
}

func (c *conn) writePart(p part) error {
	frames := p.frames
	if p.push != nil {
		frames = p.push.frame()
	}
	_, err := c.tls.Write(frames)
	return err
}

// wrote says whether the writing goes on.
func (c *conn) wrote(p part, err error) bool {
	if err == nil && p.push == nil {
		return true
	}
	c.mu.Lock()
	c.pushing = false
	if err != nil {
		c.writing = false
		c.cut()
	}
	c.mu.Unlock()
	switch {
	case p.push == nil:
	case err == nil:
		c.l.s.queue.written(p.push)
	default:
		c.l.s.queue.unwritten([]*push{p.push})
	}
	return err == nil
}

// hangUp says that nothing follows, and closes the connection once the other end has read it. The goroutine that reads
// reads on as long.
func (c *conn) hangUp() {
	c.tls.SetReadDeadline(time.Now().Add(lingering))
	if c.tls.CloseWrite() != nil {
		c.tls.NetConn().Close()
	}
}

// serve reads from the connection of a client that has signed in until it ends.
func (c *conn) serve(session *session) {
	err := c.read(session)
	for err == nil {
		err = c.read(session)
	}
	c.part(session, err)
}

// read reads a frame, however long it is awaited, and acts on it.
func (c *conn) read(session *session) error {
	var header [wire.HeaderBytes]byte
	n, err := c.tls.Read(header[:])
	if n == 0 {
		return orEOF(err)
	}
	session.hear(c.l.s.steady.now())
	kind, payload, err := c.frame(header, n)
	if err != nil {
		return err
	}
	session.hear(c.l.s.steady.now())
	if err := c.l.s.counts(session); err != nil {
		return err
	}
	if c.ends() {
		return net.ErrClosed
	}
	return c.l.s.take(session, kind, payload)
}

// frame reads the rest of a frame of which n bytes have come.
func (c *conn) frame(header [wire.HeaderBytes]byte, n int) (kind wire.Kind, payload []byte, err error) {
	if n < len(header) {
		c.tls.SetReadDeadline(time.Now().Add(frameWithin))
		if _, err := io.ReadFull(c.tls, header[n:]); err != nil {
			return 0, nil, within(err)
		}
	}
	kind, size, err := wire.ReadHeader(header)
	if err != nil {
		return 0, nil, err
	}
	if size > 0 {
		if n == len(header) {
			c.tls.SetReadDeadline(time.Now().Add(frameWithin))
		}
		var b bytes.Buffer // it grows with what has come, not with what was promised
		if _, err := io.CopyN(&b, c.tls, int64(size)); err != nil {
			return 0, nil, within(err)
		}
		payload = b.Bytes()
	}
	if n < len(header) || size > 0 {
		c.tls.SetReadDeadline(time.Time{})
	}
	return kind, payload, nil
}

// ends says whether the client was told good-bye: what it sends now counts no more, and the time that it has to read is
// bounded.
func (c *conn) ends() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// signIn reads the first frame that counts, which says who the client is.
func (c *conn) signIn() (*session, error) {
	c.tls.SetDeadline(time.Now().Add(signInWithin))
	for range framesAllowed {
		kind, payload, err := wire.ReadFrame(c.tls, wire.MaxFrame)
		if err != nil {
			return nil, err
		}
		if kind.Skipped() {
			continue
		}
		state := c.tls.ConnectionState()
		caller, err := c.l.s.deps.Callers.Caller(&state)
		if err != nil {
			return nil, &closing{wire.CloseMessage{Code: wire.CloseRevoked, Text: err.Error()}}
		}
		c.tls.SetDeadline(time.Time{})
		return c.l.settle(c, caller, kind, payload)
	}
	return nil, &wire.FrameError{Code: wire.CloseBadFrame, Text: "no sign-in"}
}

// part ends a connection and says why, where there is somebody to hear it. Whoever was told good-bye already may still
// read it.
func (c *conn) part(session *session, err error) {
	defer c.l.release(c)
	defer c.tls.NetConn().Close()
	c.tls.SetReadDeadline(time.Now().Add(writeWithin + lingering))
	reason, last := parting(err)
	if c.ends() { // this server cut it off
		reason = wire.OfflineClosed
	}
	if session != nil {
		c.l.s.hub.lost(session, reason, last)
	} else {
		c.l.unsigned(c, err)
	}
	c.end(last)
	if reason != wire.OfflineReset && !errors.Is(err, os.ErrDeadlineExceeded) { // the time after the good-bye is over
		io.Copy(io.Discard, io.LimitReader(c.tls, 2*wire.MaxFrame))
	}
}

// closing is a good-bye that this server says.
type closing struct{ m wire.CloseMessage }

func (c *closing) Error() string { return c.m.Text }

// parting is why a connection that ended did, and what the client is told of it.
func parting(err error) (reason string, last []byte) {
	var broken *wire.FrameError
	var told *closing
	var done *answered
	switch {
	case err == nil:
		return wire.OfflineClosed, nil
	case errors.As(err, &done):
		return wire.OfflineClosed, done.frames
	case errors.As(err, &told):
		return wire.OfflineClosed, closeFrame(told.m)
	case errors.As(err, &broken):
		return wire.OfflineClosed, closeFrame(wire.CloseMessage{Code: broken.Code, Text: broken.Text})
	case errors.Is(err, syscall.ETIMEDOUT):
		return wire.OfflineSilent, nil // the system asked and nobody answered
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return wire.OfflineClosed, nil
	}
	return wire.OfflineReset, nil
}

// within is the error of a frame that was cut, or that did not end in time.
func within(err error) error {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return &wire.FrameError{Code: wire.CloseBadFrame, Text: "a frame that did not end within 10 seconds"}
	}
	return orEOF(err)
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

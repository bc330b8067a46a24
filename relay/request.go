package relay

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// request reads the next request up to its body, or says what is wrong with it. Both are nil when there is nobody to answer.
func (c *conn) request() (*http.Request, *problem) {
	buf, p := c.head()
	if buf == nil {
		return nil, p
	}
	if code := headFault(buf); code != "" {
		return nil, refuse(code, "%s", headDetail(code))
	}
	hasHost := hasField(buf, "host")
	req, err := http.ReadRequest(c.in)
	switch {
	case err != nil:
		return nil, refuse(codeBadRequest, "the request is not well-formed HTTP/1.1")
	case req.ProtoMajor != 1:
		return nil, refuse(codeVersion, "this listener speaks HTTP/1.1")
	case !hasHost && req.ProtoAtLeast(1, 1):
		return nil, refuse(codeBadRequest, "the Host header is missing")
	}
	req.RemoteAddr, req.TLS = c.remote, &c.peer
	c.body = body{ReadCloser: req.Body, c: c, ended: req.Body == http.NoBody}
	c.body.awaited = req.ContentLength < 0 || int64(c.in.Buffered()) < req.ContentLength
	req.Body = &c.body
	if expected := req.Header["Expect"]; len(expected) > 0 {
		if len(expected) > 1 || !strings.EqualFold(expected[0], "100-continue") {
			return nil, refuse(codeExpectation, "the only expectation taken is 100-continue")
		}
		c.body.invites = req.ProtoAtLeast(1, 1)
	}
	return req, nil
}

// head returns the bytes of the next head, with its blank line, and leaves them to be read. Both are nil when it does not come.
func (c *conn) head() ([]byte, *problem) {
	for need, reads := 2, 0; ; reads++ {
		if reads == 1 {
			c.readBy = time.Now().Add(c.l.cfg.HeaderTimeout) // the common head comes at once and needs none of its own
			c.raw.SetReadDeadline(c.readBy)
		}
		_, err := c.in.Peek(need)
		buf, _ := c.in.Peek(c.in.Buffered())
		empty := 0
		for empty < len(buf) && (buf[empty] == '\r' || buf[empty] == '\n') {
			empty++ // RFC 9112, 2.2
		}
		c.in.Discard(empty)
		buf = buf[empty:]
		if end := headEnd(buf); end > 0 {
			return buf[:end], nil
		}
		switch {
		case len(buf) == c.in.Size():
			return nil, refuse(codeHeaderLarge, "the request's header is larger than %d bytes", maxHeaderBytes)
		case errors.Is(err, os.ErrDeadlineExceeded) && len(buf) > 0:
			c.l.metrics.refused(codeHeaderSlow)
			return nil, nil
		case err != nil:
			return nil, nil
		}
		need = len(buf) + 1
	}
}

// body is a request's body. It is read at no less than the least rate.
type body struct {
	io.ReadCloser
	c       *conn
	ended   bool // all of it was read
	invites bool // the client waits to be asked for it
	awaited bool // some of it was not there with the head

	began time.Time // when the waiting for the rest began; zero while nobody waits
	got   int64     // bytes since
	slow  bool      // the rest came too slowly
}

// Read reads on, after it has asked for the body where the client wants to be asked.
func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	if b.invites {
		b.invites = false
		if err := b.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return 0, err
		}
	}
	if b.awaited && b.began.IsZero() {
		b.began, b.got = time.Now(), 0
		b.c.readWithin(b.c.l.cfg.BodyTimeout)
	}
	n, err := b.ReadCloser.Read(p)
	b.ended = err == io.EOF
	return n, err
}

// keepsUp decides on a deadline that ran out: a body that has kept the least rate since it began may go on.
func (c *conn) keepsUp() bool {
	b, cfg := &c.body, &c.l.cfg
	if b.began.IsZero() || b.ended {
		return false
	}
	took := time.Since(b.began)
	b.slow = took >= cfg.BodyTimeout && float64(b.got) < took.Seconds()*float64(cfg.BodyRate)
	c.readBy = b.began.Add(max(cfg.BodyTimeout, took+min(time.Second, cfg.BodyTimeout)))
	c.raw.SetReadDeadline(c.readBy)
	return !b.slow
}

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// RoundTrip answers a request of the driver. An error of the engine is an answer;
// the error returned is the request's own: its context has ended, or its body
// could not be read.
func (e *Engine) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	resp, err := e.answer(req, false)
	if err == nil {
		return resp, nil
	}
	if ctxErr := req.Context().Err(); ctxErr != nil {
		return nil, ctxErr
	}
	var ex *Exception
	if !errors.As(err, &ex) {
		return nil, err
	}
	return e.refusal(req, ex), nil
}

// answer runs the request's statement. With readonly it is held to reading.
func (e *Engine) answer(req *http.Request, readonly bool) (*http.Response, error) {
	s, err := parse(req, readonly)
	if err != nil {
		return nil, err
	}
	if readonly {
		limit(s.session.settings)
	}
	if s.isHello() {
		data, err := hello(e.version, s.revision)
		if err != nil {
			return nil, err
		}
		return e.response(req, s, newBody(s, nil, data)), nil
	}
	b, err := e.run(req.Context(), s)
	if err != nil {
		return nil, err
	}
	return e.response(req, s, b), nil
}

// run lends a connection to the statement until its answer is read.
func (e *Engine) run(ctx context.Context, s *statement) (*body, error) {
	e.running.Add(1)
	if e.closing.Err() != nil {
		e.running.Done()
		return nil, ErrClosed
	}
	c, err := e.pool.get(ctx, s.session)
	if err != nil {
		e.running.Done()
		return nil, err
	}
	unwatch := e.watch(ctx, c)
	give := func() {
		unwatch()
		c.broken = c.broken || s.stateful
		e.pool.put(c)
		e.running.Done()
	}
	if s.session.readonly {
		err = e.checkReadOnly(c, s)
	}
	var b *body
	if err == nil {
		b, err = c.run(s, give, e.version)
	}
	if err != nil {
		give()
		return nil, err
	}
	return b, nil
}

// run starts the statement and returns its answer, whose Close calls give.
func (c *conn) run(s *statement, give func(), version string) (*body, error) {
	switch {
	case s.rows != nil:
		return c.runInsert(s, give)
	case s.native && s.returns && streams(s.sql):
		return c.runStream(s, give, version)
	}
	r, err := c.query(s.sql, first(s.format, "TabSeparated"), s.params)
	if err != nil {
		return nil, err
	}
	b := newBody(s, give, r.bytes())
	b.whole = r
	return c.withHeader(s, b)
}

func (c *conn) runInsert(s *statement, give func()) (*body, error) {
	r, err := c.insert(s.sql, s.format, s.rows)
	if err != nil {
		return nil, err
	}
	b := newBody(s, give, nil)
	b.whole = r
	b.written, b.writtenBytes = c.lib.rowsWritten(r.ptr), c.lib.bytesWritten(r.ptr)
	return b, nil
}

// runStream fetches the first piece, so that an error that comes before any row is
// an error answer.
func (c *conn) runStream(s *statement, give func(), version string) (*body, error) {
	st, err := c.stream(s.sql, s.format, s.params)
	if err != nil {
		return nil, err
	}
	r, err := st.next()
	if err != nil {
		st.close()
		return nil, err
	}
	if r == nil {
		st.close()
		return c.withHeader(s, newBody(s, give, nil))
	}
	b := newBody(s, give, r.bytes())
	b.whole, b.stream, b.version = r, st, version
	return b, nil
}

type scannedKey struct{}

// Scanned marks statements whose caller scans rows and never asks for columns. Only then may an answer without rows come
// without its columns: the engine does not tell them, and planning the statement once more for them costs as much as
// the answer.
func Scanned(ctx context.Context) context.Context { return context.WithValue(ctx, scannedKey{}, true) }

func isScanned(ctx context.Context) bool { return ctx.Value(scannedKey{}) != nil }

// withHeader gives an empty answer its columns.
func (c *conn) withHeader(s *statement, b *body) (*body, error) {
	if b.size() > 0 || s.scanned || !s.native || !s.returns || !streams(s.sql) {
		return b, nil
	}
	r, err := c.query("DESCRIBE ("+s.sql+"\n)", "TabSeparated", s.params)
	if err != nil {
		return b, nil // no answer is lost: only the names of columns without rows
	}
	defer r.free()
	data, err := header(string(bytes.TrimRight(r.bytes(), "\n")))
	if err != nil {
		return nil, err
	}
	b.release()
	return newBody(s, b.give, data), nil
}

// streams says whether the statement is a plain query, which the engine can answer
// piece by piece.
func streams(sql string) bool {
	t := tokens(sql)
	return t[0].is("SELECT") || t[0].is("WITH") || t[0].is("FROM") || t[0].text == "("
}

// watch makes the engine give up the connection's statement when the request ends
// or the engine closes. The returned function ends the watch, and must be called
// before the connection is used for anything else.
func (e *Engine) watch(ctx context.Context, c *conn) func() {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
		case <-ctx.Done():
			e.kill(c, done)
		case <-e.closing.Done():
			e.kill(c, done)
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// kill asks the engine to stop the connection's statement, again and again until
// done: the first ask may come before the statement has begun.
func (e *Engine) kill(c *conn, done <-chan struct{}) {
	killer, err := dial(e.lib, e.args, -1)
	if err != nil {
		return
	}
	defer killer.close()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		select {
		case <-done:
			return
		case <-time.After(wait):
		}
		_ = killer.exec("KILL QUERY WHERE Settings['log_comment'] = " + quote(c.comment()) + " ASYNC")
	}
}

// comment is what marks the connection's statements in system.processes.
func (c *conn) comment() string {
	if own, ok := c.session.settings["log_comment"]; ok {
		return own
	}
	return c.tag
}

func (e *Engine) response(req *http.Request, s *statement, b *body) *http.Response {
	h := http.Header{}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-ClickHouse-Server-Display-Name", "statewire")
	h.Set("X-ClickHouse-Timezone", "UTC")
	if s.format != "" {
		h.Set("X-ClickHouse-Format", s.format)
	}
	if s.queryID != "" {
		h.Set("X-ClickHouse-Query-Id", s.queryID)
	}
	h.Set("X-ClickHouse-Summary", fmt.Sprintf(`{"written_rows":"%d","written_bytes":"%d"}`, b.written, b.writtenBytes))
	length := b.length()
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: b, ContentLength: length, Request: req,
	}
}

func (e *Engine) refusal(req *http.Request, ex *Exception) *http.Response {
	text := ex.text(e.version)
	h := http.Header{}
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(ex.Code))
	return &http.Response{
		Status: fmt.Sprintf("%d %s", ex.status(), http.StatusText(ex.status())), StatusCode: ex.status(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader([]byte(text))), ContentLength: int64(len(text)), Request: req,
	}
}

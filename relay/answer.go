package relay

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer gathers one answer, so that it leaves in one piece. It is the http.ResponseWriter of the routes.
type answer struct {
	header http.Header
	status int
	body   []byte
	wire   []byte
}

func (r *Relay) newAnswer() *answer {
	if a, ok := r.answers.Get().(*answer); ok {
		return a
	}
	return &answer{header: http.Header{}}
}

// done takes an answer back, with its buffers when they are of the common size.
func (r *Relay) done(a *answer) {
	a.reset()
	if cap(a.body) <= keptBody && cap(a.wire) <= keptBody {
		r.answers.Put(a)
	}
}

// reset forgets what was gathered.
func (a *answer) reset() {
	clear(a.header)
	a.status, a.body = 0, a.body[:0]
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sets the status; the first one counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write appends to the body.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// send sends the answer. With last the client is told that it is the connection's last.
func (a *answer) send(c *conn, method, date string, last bool) error {
	a.WriteHeader(http.StatusOK)
	if last {
		a.header.Set("Connection", "close")
	}
	a.wire = a.appendHead(a.wire[:0], date)
	if method != http.MethodHead && hasBody(a.status) {
		a.wire = append(a.wire, a.body...)
	}
	return c.write(a.wire)
}

func (a *answer) appendHead(dst []byte, date string) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.status), 10)
	dst = append(append(append(dst, ' '), http.StatusText(a.status)...), "\r\nDate: "...)
	dst = append(dst, date...)
	for name, values := range a.header {
		for _, value := range values {
			dst = append(append(append(dst, "\r\n"...), name...), ": "...)
			dst = append(dst, oneLine.Replace(value)...)
		}
	}
	if hasBody(a.status) {
		dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), int64(len(a.body)), 10)
	}
	return append(dst, "\r\n\r\n"...)
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func hasBody(status int) bool {
	return status != http.StatusNotModified && status != http.StatusNoContent
}

// dates writes the time as the Date header has it; the text of a second is made once.
type dates struct{ last atomic.Pointer[datedSecond] }

type datedSecond struct {
	second int64
	text   string
}

func (d *dates) text(now time.Time) string {
	last := d.last.Load()
	if second := now.Unix(); last == nil || last.second != second {
		last = &datedSecond{second, now.UTC().Format(http.TimeFormat)}
		d.last.Store(last)
	}
	return last.text
}

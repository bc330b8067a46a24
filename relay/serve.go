package relay

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// route is what one path answers. Further paths of the relay join the table in New.
type route struct {
	method string
	serve  func(w http.ResponseWriter, req *http.Request, c *conn) *problem
}

// serve answers requests until ctx is done and those in hand are answered.
//
// TLS and the parsing of requests are the standard library's; the loop around them is ours. net/http's server reads ahead while a
// request is answered, sets five deadlines per request and knows no least rate, so that what the relay promises about slow and
// leaving callers had to be forced upon it through a wrapped connection that nobody liked to read, at a fifth more processor time
// per report (44 against 56 µs, client included). The loop takes one request at a time, never streams, and speaks HTTP/1.1 only.
func (r *Relay) serve(ctx context.Context) error {
	failed := make(chan struct{})
	go func() { defer close(failed); r.accept() }()
	<-ctx.Done()
	r.log.Info("relay stopping")
	r.stopping.Store(true)
	r.listener.Close()
	<-failed
	r.listener.end(false)
	answered := make(chan struct{})
	go func() { defer close(answered); r.serving.Wait() }()
	select {
	case <-answered:
	case <-time.After(r.cfg.StopTimeout):
		r.log.Warn("relay stopped with requests in hand")
		r.listener.end(true)
	}
	return nil
}

// accept serves connections until the listener is closed. What keeps it from taking one, such as too many open files, passes.
func (r *Relay) accept() {
	for delay := time.Duration(0); ; {
		c, err := r.listener.accept()
		switch {
		case err == nil:
			delay = 0
			r.serving.Go(func() { r.serveConn(c) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			r.listener.stuck(err)
			time.Sleep(delay)
		}
	}
}

// serveConn answers one request after the other until the connection ends.
func (r *Relay) serveConn(c *conn) {
	defer c.close()
	if !c.shake() {
		return
	}
	for within := r.cfg.HeaderTimeout; c.await(within); within = r.cfg.IdleTimeout {
		if !r.exchange(c) {
			return
		}
		c.rest()
	}
}

// exchange answers one request; false when it was the connection's last.
func (r *Relay) exchange(c *conn) bool {
	w := r.newAnswer()
	defer r.done(w)
	req, p := r.answer(w, c)
	if req == nil && p == nil {
		return false
	}
	method, last := http.MethodPost, r.stopping.Load()
	if req != nil {
		method, last = req.Method, last || req.Close || !req.ProtoAtLeast(1, 1)
	}
	if p != nil {
		r.refuse(w, c, p)
	}
	if p != nil && p.hangs || req == nil || !c.body.ended {
		c.lingers, last = true, true
	}
	err := w.send(c, method, r.dates.text(time.Now()), last)
	c.wait()
	return err == nil && !last && !r.stopping.Load()
}

// answer reads a request and runs its route; a panic in it concerns no other request. All is nil when there is nobody to answer.
func (r *Relay) answer(w http.ResponseWriter, c *conn) (req *http.Request, p *problem) {
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("request failed", "fault", fault, "stack", string(debug.Stack()))
			p = refuse(codeInternal, "the relay failed on this request; its log says where").later(r.cfg.RetryAfter)
		}
	}()
	req, p = c.request()
	if req == nil && p == nil || !c.begin() {
		return nil, nil
	}
	if p != nil {
		return nil, p
	}
	route, known := r.routes[req.URL.Path]
	if !known || req.URL.RawPath != "" { // an escaped path is no spelling of ours
		return req, refuse(codeNotFound, "this listener has no such path")
	}
	if req.Method != route.method {
		p := refuse(codeMethod, "this path takes %s", route.method)
		p.allow = route.method
		return req, p
	}
	return req, route.serve(w, req, c)
}

// refuse puts a problem in the place of whatever the answer was, and counts it.
func (r *Relay) refuse(w *answer, c *conn, p *problem) {
	r.metrics.refused(p.Code)
	said := *p // the gate's refusals are shared
	said.RequestID = newID()
	r.log.Debug("request refused", "request", said.RequestID, "status", p.Status, "code", p.Code, "detail", p.Detail, "remote", c.remote)
	w.reset()
	said.write(w)
}

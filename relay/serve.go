package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/smx"
)

// maxHeaderBytes bounds a request's head; the server adds 4 KiB of its own to what it is told.
const maxHeaderBytes = 16 << 10

// route is what one path answers: with a problem, or with what it wrote itself. Further paths of the relay join the
// table in New. A route may stream: the writer unwraps to net/http's own.
type route struct {
	method string
	serve  func(w http.ResponseWriter, req *http.Request) *problem
}

// listed is an error when a route has no row in the table of permissions: nobody thought about who may call it.
func (r *Relay) listed() error {
	for path, route := range r.routes {
		if _, ok := identity.NeedOf(identity.AtRelay, route.method+" "+path); !ok {
			return fmt.Errorf("relay: the route %s %s has no row in the table of permissions", route.method, path)
		}
	}
	return nil
}

// server is net/http's, which watches how requests are framed and what they may hold. HTTP/2 is off: a client sends
// one report now and then, which gains nothing from streams, and whoever resets them by the thousand makes work
// (CVE-2023-44487).
func (r *Relay) server() *http.Server {
	s := &http.Server{
		Handler:                      http.HandlerFunc(r.serveHTTP),
		Protocols:                    new(http.Protocols),
		ReadHeaderTimeout:            r.cfg.HeaderTimeout,
		IdleTimeout:                  r.cfg.IdleTimeout,
		WriteTimeout:                 r.cfg.WriteTimeout,
		MaxHeaderBytes:               maxHeaderBytes - 4096,
		ConnContext:                  withConn,
		ConnState:                    r.listener.state,
		ErrorLog:                     slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
		DisableGeneralOptionsHandler: true,
	}
	s.Protocols.SetHTTP1(true)
	return s
}

// serve answers requests until ctx is done and those in hand are answered.
func (r *Relay) serve(ctx context.Context) error {
	server := r.server()
	var front errgroup.Group
	front.Go(func() error { r.listener.run(); return nil })
	front.Go(func() error { return server.Serve(r.listener) })
	<-ctx.Done()
	r.log.Info("relay stopping")
	close(r.stopping)
	r.listener.stop()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.StopTimeout)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		r.log.Warn("relay stopped with requests in hand")
		server.Close()
	}
	if err := front.Wait(); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// serveHTTP answers one request. What the client sent of a body that nobody wanted is no next request: the connection
// ends.
func (r *Relay) serveHTTP(w http.ResponseWriter, req *http.Request) {
	c := connOf(req)
	c.unheard = false
	c.answer = answer{ResponseWriter: w, head: time.Now(), within: r.cfg.WriteTimeout}
	c.body = pace{ReadCloser: req.Body, w: w, cfg: &r.cfg, ended: req.ContentLength == 0}
	req.Body = &c.body
	if !mayFollow(req) {
		w.Header()["Connection"] = closing
	}
	if p := r.route(&c.answer, req); p != nil {
		r.refuse(&c.answer, req, p, !c.body.ended)
	}
	if !c.body.ended {
		r.linger(w, c)
	}
	c.answer, c.body = answer{}, pace{} // an idle connection holds nothing of its last request
}

var closing = []string{"close"}

// mayFollow says whether another request may come on the connection. Behind a chunked body none may: net/http drops a
// Content-Length that stands beside it without a word, and RFC 9112 (6.1) wants the connection of such a pair closed.
// HTTP/1.0 knows no chunks, so that what was sent as chunks would be read as a request.
func mayFollow(req *http.Request) bool {
	return req.ProtoAtLeast(1, 1) && len(req.TransferEncoding) == 0
}

// route runs the route of a request; a panic in it concerns no other request.
func (r *Relay) route(w *answer, req *http.Request) (p *problem) {
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("request failed", "fault", fault, "stack", string(debug.Stack()))
			if w.begun {
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
			p = refuse(codeInternal, "the relay failed on this request; its log says where").later(r.cfg.RetryAfter)
		}
	}()
	if req.ProtoMajor != 1 { // net/http lets the preface of HTTP/2 pass
		return refuse(codeVersion, "this listener speaks HTTP/1.1")
	}
	route, known := r.routes[req.URL.Path]
	if !known || req.URL.RawPath != "" { // an escaped path is no spelling of ours
		return refuse(codeNotFound, "this listener has no such path")
	}
	if c := connOf(req); c.apart && req.URL.Path != channelPath && !r.listener.setBack(c) {
		return overloaded()
	}
	if req.Method != route.method {
		p := refuse(codeMethod, "this path takes %s", route.method)
		p.allow = route.method
		return p
	}
	return route.serve(w, req)
}

// refuse answers with a problem and counts it.
func (r *Relay) refuse(w http.ResponseWriter, req *http.Request, p *problem, unread bool) {
	r.metrics.refused(p.Code)
	said := *p // the gate's refusals are shared
	said.RequestID = newID()
	r.log.Debug("request refused", "request", said.RequestID, "status", p.Status, "code", p.Code, "detail", p.Detail,
		"remote", req.RemoteAddr)
	if p.hangs || unread {
		w.Header()["Connection"] = closing
	}
	said.write(w)
}

// lingering bounds the time in which a client that was refused may finish sending.
const lingering = 2 * time.Second

// linger reads on without a look at it: a connection closed on unread bytes is reset, and the reset would overtake
// the answer. Another client that needs the place may have it meanwhile.
func (r *Relay) linger(w http.ResponseWriter, c *conn) {
	r.listener.waits(c)
	control := http.NewResponseController(w)
	control.Flush()
	control.SetReadDeadline(time.Now().Add(lingering))
	io.CopyN(io.Discard, c.body.ReadCloser, 2*smx.MaxReportBytes)
}

package relay

import (
	"net/http"
	"runtime/debug"
)

// route is what one path answers. Further paths of the relay join the table in New.
type route struct {
	method string
	serve  func(w http.ResponseWriter, req *http.Request, c *conn) *problem
}

// serveHTTP answers one request: with a problem, or with what the route wrote itself.
func (r *Relay) serveHTTP(w http.ResponseWriter, req *http.Request) {
	c := connOf(req)
	if p := r.answer(w, req, c); p != nil {
		r.refuse(w, req, c, p)
	}
}

// answer runs the route; a panic in it concerns no other request.
func (r *Relay) answer(w http.ResponseWriter, req *http.Request, c *conn) (p *problem) {
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("request failed", "fault", fault, "stack", string(debug.Stack()))
			p = refuse(codeInternal, "the relay failed on this request; its log says where").later(r.cfg.RetryAfter)
		}
	}()
	if code := c.begin(req); code != "" {
		return refuse(code, "%s", headDetail(code))
	}
	route, known := r.routes[req.URL.Path]
	if !known || req.URL.RawPath != "" { // an escaped path is no spelling of ours
		return refuse(codeNotFound, "this listener has no such path")
	}
	if req.Method != route.method {
		p := refuse(codeMethod, "this path takes %s", route.method)
		p.allow = route.method
		return p
	}
	return route.serve(w, req, c)
}

// refuse answers with a problem, counts it and leaves the connection in order.
func (r *Relay) refuse(w http.ResponseWriter, req *http.Request, c *conn, p *problem) {
	r.metrics.refused(p.Code)
	said := *p // the gate's refusals are shared
	said.RequestID = newID()
	r.log.Debug("request refused", "request", said.RequestID, "status", p.Status, "code", p.Code, "detail", p.Detail, "remote", req.RemoteAddr)
	if said.hangs {
		c.linger()
	}
	said.write(w)
}

func headDetail(code string) string {
	switch code {
	case codeAmbiguous:
		return "Content-Length and Transfer-Encoding exclude each other"
	case codeLineEnd:
		return "a header line ends in LF alone; lines end in CR LF"
	case codeFolded:
		return "a header is continued on the next line; that form is obsolete"
	}
	return "a request was sent before the answer to a chunked one had come; wait for the answer"
}

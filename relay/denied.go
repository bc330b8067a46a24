package relay

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"statewire/identity"
	"statewire/internal/parse"
)

const (
	// deniedHold is how long a caller waits for a change of the list, and deniedLook how often it is looked at meanwhile.
	deniedHold = 50 * time.Second
	deniedLook = time.Second
	// deniedAtOnce is how many callers may wait: a site has a few relays and notifiers.
	deniedAtOnce = 64
)

// deniedReaders are the roles that refuse certificates by themselves.
var deniedReaders = []string{"relay", "notifier"}

// denied is the list of denied certificates, as it is at this moment.
type denied interface{ Denied() identity.DeniedText }

// serveDenied gives relays and notifiers of other machines the list of denied certificates, once it is another than the
// one they have: they know within seconds whom the site refuses.
func (r *Relay) serveDenied(w http.ResponseWriter, req *http.Request) *problem {
	if p := r.deniedReader(req); p != nil {
		return p
	}
	after, p := deniedAfter(req)
	if p != nil {
		return p
	}
	if r.denied == nil {
		return refuse(identity.CodeUnavailable, "this relay has no list of denied certificates").later(r.cfg.RetryAfter)
	}
	list, p := r.awaitDenied(req, after)
	if p != nil {
		return p
	}
	tag := strconv.Quote(strconv.FormatUint(list.Version, 10))
	header := w.Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", "no-store")
	if list.Version == after {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(list.Text)
	return nil
}

// deniedReader refuses everybody who is no relay and no notifier, whatever relay.auth says.
func (r *Relay) deniedReader(req *http.Request) *problem {
	if req.ContentLength != 0 || len(req.TransferEncoding) > 0 {
		return badPoll("a request for the list has no body")
	}
	if r.callers == nil {
		return refuse(codeUnknown, "this relay knows no callers yet")
	}
	if r.cfg.Auth == AuthNone { // the handshake has not asked
		if err := r.callers.Verify(*req.TLS); err != nil {
			return notKnown(err)
		}
	}
	caller, err := r.callers.Caller(req.TLS)
	switch {
	case err != nil:
		return notKnown(err)
	case !slices.Contains(deniedReaders, caller.Role):
		return refuse(codeMismatch, "%s is no relay and no notifier, and this path is for them", caller.Key())
	}
	r.seen.note(caller, connOf(req).from)
	return nil
}

// deniedAfter is the version that the caller has; 0 is none.
func deniedAfter(req *http.Request) (uint64, *problem) {
	values, err := parse.Query(req.URL.RawQuery)
	if err != nil {
		return 0, badPoll(err.Error())
	}
	q := pollQuery{values: values}
	after := q.number("after", 10, 1<<63-1)
	return after, q.problem
}

// awaitDenied waits until the list is another than the one the caller has, for a bounded time.
func (r *Relay) awaitDenied(req *http.Request, after uint64) (identity.DeniedText, *problem) {
	list := r.denied.Denied()
	if list.Version != after {
		return list, nil
	}
	select {
	case r.holding <- struct{}{}:
		defer func() { <-r.holding }()
	default:
		return list, overloaded()
	}
	end, look := time.NewTimer(r.deniedHold), time.NewTicker(deniedLook)
	defer end.Stop()
	defer look.Stop()
	for list.Version == after {
		select {
		case <-look.C:
			list = r.denied.Denied()
		case <-end.C:
			return list, r.stillReader(req)
		case <-r.stopping:
			return list, nil
		case <-req.Context().Done():
			return list, refuse(codeBodyCut, "the caller has gone")
		}
	}
	return list, r.stillReader(req)
}

// stillReader refuses a caller whose own certificate was denied, or ended, while it waited.
func (r *Relay) stillReader(req *http.Request) *problem {
	if _, err := r.callers.Caller(req.TLS); err != nil {
		return notKnown(err)
	}
	return nil
}

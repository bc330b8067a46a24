package relay

import (
	"context"
	"net/http"
	"time"

	"statewire/identity"
	"statewire/smx"
)

const (
	channelPath = "/mp/channel"
	// maxChannelBody bounds what a client says in one request of its channel: some full frames.
	maxChannelBody = 256 << 10
	// channelRest is how long a client may leave its channel without a request. It asks again as soon as it has read an
	// answer; the rest is for slow links.
	channelRest = time.Minute
)

// Channel is the notifier's side of clients that have no connection of its own: it holds a request until there is
// something to say, and answers it. The request's context ends when the caller hangs up or the relay stops.
type Channel interface {
	ServeChannel(w http.ResponseWriter, req *http.Request, caller identity.Caller)
}

// serveChannel gives a request to the channel. A client waits in it all day, so its connection leaves the places of
// those that hand in reports: however many wait, reports find theirs.
func (r *Relay) serveChannel(_ http.ResponseWriter, req *http.Request) *problem {
	caller, p := r.channelCaller(req)
	if p == nil {
		p = channelForm(req)
	}
	if p == nil && r.channel == nil {
		p = refuse(codeChannel, "no notifier runs beside this relay").later(r.cfg.RetryAfter)
	}
	if p == nil {
		p = r.hold(req, caller)
	}
	if p != nil || connOf(req).answer.status >= http.StatusMultipleChoices {
		r.listener.setBack(connOf(req)) // who is refused has no channel, and its connection counts again
	}
	return p
}

// hold has the channel answer.
func (r *Relay) hold(req *http.Request, caller identity.Caller) *problem {
	c := connOf(req)
	ctx, letGo := context.WithCancel(req.Context())
	defer letGo()
	if !r.listener.setApart(c, caller.Key(), letGo) {
		return refuse(codeChannelFull, "as many clients wait here as may").later(r.cfg.RetryAfter)
	}
	w := &held{&c.answer}
	req.Body = http.MaxBytesReader(w, req.Body, maxChannelBody)
	r.channel.ServeChannel(w, req.WithContext(ctx), caller)
	w.extend() // what is not flushed yet
	return nil
}

// channelCaller is who calls, whatever relay.auth says: a client, or a notifier that tries whether clients get through.
func (r *Relay) channelCaller(req *http.Request) (identity.Caller, *problem) {
	if r.callers == nil {
		return identity.Caller{}, refuse(codeUnknown, "this relay knows no callers yet")
	}
	if r.cfg.Auth == AuthNone && req.TLS != nil { // the handshake has not asked
		if err := r.callers.Verify(*req.TLS); err != nil {
			return identity.Caller{}, notKnown(err)
		}
	}
	caller, err := r.callers.Caller(req.TLS)
	switch {
	case err != nil:
		return caller, notKnown(err)
	case !caller.IsClient() && caller.Role != "notifier":
		return caller, refuse(codeMismatch, "%s is no client, and this path is for clients", caller.Key())
	}
	r.seen.note(caller, connOf(req).from)
	if !caller.IsClient() {
		return caller, nil
	}
	return caller, r.rates.take(smx.ClientID(caller.Client), r.now())
}

// channelForm refuses what is no request of a channel by its head.
func channelForm(req *http.Request) *problem {
	switch {
	case !req.ProtoAtLeast(1, 1):
		return refuse(codeVersion, "a channel needs HTTP/1.1")
	case req.ContentLength > maxChannelBody:
		p := refuse(smx.CodeTooLarge, "a request of a channel may have %d bytes", maxChannelBody)
		p.Title = "Request too large"
		return p
	}
	return nil
}

// held is the answer to a request that is held: each write has its full time, however late it comes.
type held struct{ *answer }

func (h *held) extend() {
	http.NewResponseController(h.ResponseWriter).SetWriteDeadline(time.Now().Add(h.within))
}

// WriteHeader implements http.ResponseWriter.
func (h *held) WriteHeader(status int) {
	h.extend()
	h.answer.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (h *held) Write(p []byte) (int, error) {
	h.extend()
	return h.answer.Write(p)
}

// FlushError is for http.ResponseController.
func (h *held) FlushError() error {
	h.extend()
	h.begun = true
	return http.NewResponseController(h.ResponseWriter).Flush()
}

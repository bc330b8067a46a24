package site

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"time"

	"statewire/identity"
	"statewire/internal/control"
)

// Headers between a relay and a notifier in another process. What a client sends under these names is dropped: only the
// relay says who called, and only the notifier's socket believes it.
const (
	callerHeader  = "Statewire-Caller"
	addressHeader = "Statewire-Address"
)

// channelPath is where the notifier's socket takes the channel's requests, as the relay does.
const channelPath = "/mp/channel"

// channelProxy gives the channel's requests to the notifier in another process.
type channelProxy struct{ proxy *httputil.ReverseProxy }

func newChannelProxy(socket string) *channelProxy {
	transport := control.Transport(socket)
	transport.MaxIdleConnsPerHost, transport.IdleConnTimeout = 256, time.Minute
	return &channelProxy{&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = "http", "statewire", channelPath
			// Here, behind what the client's own Connection header takes away.
			r.Out.Header.Set(callerHeader, r.In.Context().Value(callerKey{}).(string))
			r.Out.Header.Set(addressHeader, r.In.RemoteAddr)
		},
		Transport:     transport,
		FlushInterval: -1, // what the notifier says is for this moment
		ErrorHandler:  noNotifier,
		ErrorLog:      nil,
	}}
}

// noNotifier is the answer while no notifier answers.
func noNotifier(w http.ResponseWriter, req *http.Request, _ error) {
	if req.Context().Err() != nil {
		return // the caller has gone, or the relay stops
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	header.Set("Retry-After", "30")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(noNotifierText)) // the caller has gone
}

const noNotifierText = `{"code":"channel_unavailable","title":"No channel at this moment","status":503,` +
	`"detail":"the notifier does not answer","retry":true}` + "\n"

// ServeChannel implements relay.Channel.
func (c *channelProxy) ServeChannel(w http.ResponseWriter, req *http.Request, caller identity.Caller) {
	text, err := json.Marshal(caller)
	if err != nil {
		noNotifier(w, req, err)
		return
	}
	c.proxy.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), callerKey{}, string(text))))
}

// callerKey is where a request on its way to the notifier has its caller.
type callerKey struct{}

// channelServer answers what a channelProxy passes on.
type channelServer interface {
	ServeChannel(w http.ResponseWriter, req *http.Request, caller identity.Caller)
}

// channelCalls is what the socket of the notifier serves.
func channelCalls(to channelServer) *calls {
	served := newCalls(identity.AtNotifier)
	served.HandleFunc("POST "+channelPath, func(w http.ResponseWriter, req *http.Request) {
		var caller identity.Caller
		if err := json.Unmarshal([]byte(req.Header.Get(callerHeader)), &caller); err != nil {
			http.Error(w, "the request does not say who called", http.StatusBadRequest)
			return
		}
		req.RemoteAddr = req.Header.Get(addressHeader)
		to.ServeChannel(w, req, caller)
	})
	return served
}

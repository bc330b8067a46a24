package resync

import (
	"context"
	"net"
	"net/http"
	"time"

	"statewire/smx"
)

// SocketPath is where, on the control socket, Handler is expected; its paths begin with it.
const SocketPath = "/resync/"

// Handler serves the whole of the service to other processes of the site, below SocketPath. Whoever reaches it is trusted:
// it belongs on a socket that only the site's own user can open.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	return mux
}

// Client is a Service in another process, reached over its control socket.
type Client struct {
	// Constant after Dial.
	http *http.Client
}

// Dial returns a client of the service behind a socket. Nothing is connected before the first call.
func Dial(socketPath string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socketPath)
		},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
	}
	return &Client{http: &http.Client{Transport: transport}}
}

// Policy is Service.Policy.
func (c *Client) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	return nil, "", ErrNotReady
}

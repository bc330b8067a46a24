package relay

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestARouteMayStream: what a route flushes arrives while it goes on, and half an answer does not look whole.
func TestARouteMayStream(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	fail := make(chan bool)
	s.relay.serveAlone(t, func(w http.ResponseWriter, _ *http.Request) *problem {
		io.WriteString(w, "first\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		if <-fail {
			panic("a fault of ours")
		}
		return nil
	}, func(url string) {
		for _, fails := range []bool{true, false} {
			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			in := bufio.NewReader(resp.Body)
			if line, err := in.ReadString('\n'); line != "first\n" || err != nil {
				t.Errorf("read %q, %v", line, err)
			}
			fail <- fails
			if rest, err := io.ReadAll(in); len(rest) > 0 || (err != nil) != fails {
				t.Errorf("fails %v: then read %q, %v", fails, rest, err)
			}
		}
	})
}

// serveAlone runs one route behind a plain server, with the relay's own handler.
func (r *Relay) serveAlone(t *testing.T, serve func(http.ResponseWriter, *http.Request) *problem,
	use func(url string)) {
	t.Helper()
	handler := &Relay{cfg: r.cfg, log: r.log, metrics: r.metrics, listener: r.listener,
		routes: map[string]route{"/stream": {http.MethodGet, serve}}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(handler.serveHTTP))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, &conn{l: r.listener})
	}
	server.Start()
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	use(server.URL + "/stream")
}

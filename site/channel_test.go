package site

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/internal/control"
)

// toldOf is a notifier that says what it was told of a request; it holds one that asks for it until it ends.
type toldOf struct{ ended chan error }

func (n toldOf) ServeChannel(w http.ResponseWriter, req *http.Request, caller identity.Caller) {
	body, _ := io.ReadAll(req.Body) // what is missing shows
	if string(body) == "hold" {
		_, _ = io.WriteString(w, "begun ")
		_ = http.NewResponseController(w).Flush() // the caller shows it
		<-req.Context().Done()
		n.ended <- req.Context().Err()
		return
	}
	text, err := json.Marshal(caller)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Statewire-Test", req.RemoteAddr+" "+req.Header.Get("Statewire-Session"))
	_, _ = w.Write(append(body, text...)) // the caller shows it
}

// passing is a relay that passes the channel on to the notifier behind a socket.
func passing(t *testing.T, socket string, caller identity.Caller) *httptest.Server {
	t.Helper()
	proxy := newChannelProxy(socket)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.RemoteAddr = "192.0.2.7:5000"
		proxy.ServeChannel(w, req, caller)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(proxy.proxy.Transport.(*http.Transport).CloseIdleConnections)
	return s
}

// A relay tells the notifier of another process who calls and from where, whatever the caller says of itself. What
// comes back comes at once, and who hangs up is gone there, too.
func TestARelayPassesTheChannelOn(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "n.sock")
	who := identity.Caller{Site: uuid.New(), Client: uuid.New(), Number: 7,
		NotAfter: time.Now().UTC().Truncate(time.Second)}
	front := passing(t, socket, who)
	away := false
	ask := func(ctx context.Context, body string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, front.URL+channelPath+"?x=1", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(callerHeader, `{"Role":"site","Name":"liar"}`)
		req.Header.Set(addressHeader, "203.0.113.1:1")
		if away {
			req.Header.Set("Connection", callerHeader+", "+addressHeader) // which a proxy takes away
		}
		req.Header.Set("Statewire-Session", "12")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	if resp := ask(t.Context(), "x"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("without a notifier: %d", resp.StatusCode)
	}
	notifier := toldOf{make(chan error, 1)}
	handler, err := channelCalls(notifier).handler(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var g errgroup.Group
	serveHTTP(ctx, &g, ln, until(ctx, handler))
	for _, away = range []bool{false, true} {
		resp := ask(t.Context(), "frames")
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var told identity.Caller
		if err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), "frames")), &told); err != nil || told != who {
			t.Errorf("the notifier was told %s: %v", text, err)
		}
		if got := resp.Header.Get("Statewire-Test"); got != "192.0.2.7:5000 12" {
			t.Errorf("address and session are %q", got)
		}
	}
	for _, end := range []string{"the caller hangs up", "the notifier stops"} {
		caller, hangUp := context.WithCancel(t.Context())
		held := ask(caller, "hold")
		if _, err := io.ReadFull(held.Body, make([]byte, len("begun "))); err != nil {
			t.Errorf("what was said does not come at once: %v", err)
		}
		if end == "the notifier stops" {
			stop()
		} else {
			hangUp()
		}
		select {
		case <-notifier.ended:
		case <-time.After(4 * time.Second): // a stop that waits for what is held takes five
			t.Fatalf("%s, and the request is held", end)
		}
		hangUp()
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// Whoever is no relay has no header that the notifier would believe.
func TestTheNotifiersSocketWantsACaller(t *testing.T) {
	handler, err := channelCalls(toldOf{}).handler(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"", "x"} {
		req := httptest.NewRequest(http.MethodPost, channelPath, nil)
		req.Header.Set(callerHeader, header)
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, req.WithContext(control.WithPeer(req.Context(), control.Peer{UID: 0})))
		if got.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", header, got.Code)
		}
	}
	got := httptest.NewRecorder()
	handler.ServeHTTP(got, httptest.NewRequest(http.MethodPost, channelPath, nil))
	if got.Code != http.StatusForbidden {
		t.Errorf("from nowhere: %d", got.Code)
	}
}

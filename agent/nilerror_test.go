package agent

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"statewire/agent/transport"
)

// A report that was not delivered says why, also when the relay answered in words of its own and nothing failed on this
// side.
func TestWhatWasNotDeliveredSaysWhy(t *testing.T) {
	for want, resp := range map[string]struct {
		status int
		text   string
	}{
		"the relay answered 503 backlog: too much waits": {http.StatusServiceUnavailable,
			`{"code":"backlog","detail":"too much waits"}`},
		"the relay answered 429 rate": {http.StatusTooManyRequests, `{"code":"rate"}`},
		"the relay answered 502":      {http.StatusBadGateway, "<html>"},
	} {
		a, _, relay := testAgent(t, 0)
		var log bytes.Buffer
		a.log = slog.New(slog.NewTextHandler(&log, nil))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(resp.status)
			_, _ = io.WriteString(w, resp.text)
		}))
		defer server.Close()
		sender, err := transport.NewSender(server.URL, nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer sender.Close()
		relay.Fault = func(int) *transport.Answer {
			answer := sender.Post(t.Context(), []byte("<Report/>"))
			return &answer
		}
		raise(t, a, detected("a", 1))
		if _, err := a.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
		if text := log.String(); !strings.Contains(text, want) || strings.Contains(text, "nil") {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

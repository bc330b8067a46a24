package agent

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// A report that was not delivered says why, also when the relay answered in words of its own and nothing failed on this side.
func TestWhatWasNotDeliveredSaysWhy(t *testing.T) {
	for want, resp := range map[string]struct {
		status int
		text   string
	}{
		"the relay answered 503 backlog: too much waits": {http.StatusServiceUnavailable, `{"code":"backlog","detail":"too much waits"}`},
		"the relay answered 429 rate":                    {http.StatusTooManyRequests, `{"code":"rate"}`},
		"the relay answered 502":                         {http.StatusBadGateway, "<html>"},
	} {
		a, _, relay := testAgent(t, 0)
		var log bytes.Buffer
		a.log = slog.New(slog.NewTextHandler(&log, nil))
		relay.fault = func(int) *Answer {
			answer := judge(&http.Response{StatusCode: resp.status}, []byte(resp.text), nil)
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

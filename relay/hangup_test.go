package relay

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that is refused in the middle of its body goes on sending; the connection must end all the same, and give
// its place back.
func TestARefusedBodyGivesItsConnectionBack(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnectionsPerIP = 2
	s := start(t, cfg, Deps{})
	tooLarge := request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") + chunked(strings.Repeat(" ", 9<<20))
	for i := range 4 {
		eventually(t, "there is a place", func() bool { return s.metric(t, "statewire_relay_connections", "") < 2 })
		c := s.dial(t)
		go io.WriteString(c, tooLarge)
		if resp, _ := answerOf(t, c); resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("request %d was answered %s", i, resp.Status)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && isTimeout(err) {
			t.Fatalf("connection %d stays open: %v", i, err)
		}
		c.Close()
	}
	began := time.Now()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > cfg.StopTimeout/2 {
		t.Errorf("the stop took %v: something was still in hand", took)
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

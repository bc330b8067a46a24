package runner

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// However much a hostile server sends, the log has a line a minute of it, and what is kept of it has a bound. A task of
// the site still runs.
func TestAFloodOfForgeries(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		var text bytes.Buffer
		d := m.deps()
		d.Log = slog.New(slog.NewTextHandler(&text, nil))
		m.startWith(d).clock()
		stranger := newSite(t)
		for range 100 {
			for range 10 {
				r := m.order("Policy")
				forged := stranger.envelope(wire.RequestType, r.Encode())
				m.r.Request(9, forged)
				m.r.Request(0, forged)
				m.r.Cancel(9, forged)
				m.r.SignedTime(wire.SignTime(stranger.key, stranger.sign, uuid.New(), time.Now()))
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if n := strings.Count(text.String(), "\n"); n != 2 || !strings.Contains(text.String(), "times=24") {
			t.Errorf("%d lines: %.300s", n, text.String())
		}
		if n := len(m.answers()); n > maxReady+maxUntold || m.kept() > 0 {
			t.Errorf("%d answers, %d are kept", n, m.kept())
		}
		m.ask("Policy")
		m.expect("a task of the site", "received", "running", "succeeded")
	})
}

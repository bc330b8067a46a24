package relay

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statewire/inbox"
)

// TestAdmission: what the disk and the backlog do not allow is refused before a byte of the body is asked for, and the
// relay recovers by itself.
func TestAdmission(t *testing.T) {
	cfg := testConfig()
	cfg.BacklogFiles = 10
	for _, tc := range []struct {
		name, code, detail string
		sick               func(*memoryInbox)
	}{
		{"I22 little space", codeDiskFull, "1023 MiB left", func(m *memoryInbox) { m.bytes = 1<<30 - 1 }},
		{"I22 few inodes", codeDiskFull, "999 inodes left", func(m *memoryInbox) { m.inodes = 999 }},
		{"I22 many files wait", codeBacklog, "11 files wait", func(m *memoryInbox) { m.stats.Normal.Files = 11 }},
		{"I22 an old file waits", codeBacklog, "has waited 73h", func(m *memoryInbox) {
			m.stats.Low = inbox.Box{Files: 1, Oldest: time.Now().Add(-73 * time.Hour)}
		}},
		{"C5.85 the folder is gone", codeStorageFault, "moved or deleted", func(m *memoryInbox) { m.ready = inbox.ErrMoved }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := newMemoryInbox()
				s, dial := startPiped(t, cfg, Deps{Inbox: in})
				in.set(tc.sick)
				time.Sleep(2 * time.Second)
				c := s.shake(t, dial())
				io.WriteString(c, request("POST /mp/reports HTTP/1.1", "Content-Length: 1000", "Expect: 100-continue"))
				text, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				answer := string(text)
				for _, want := range []string{"HTTP/1.1 503", `"code":"` + tc.code + `"`, tc.detail, "Retry-After: "} {
					if !strings.Contains(answer, want) {
						t.Errorf("no %q in %s", want, answer)
					}
				}
				in.set(func(m *memoryInbox) { m.bytes, m.inodes, m.stats, m.ready = 1<<40, 1<<30, inbox.Stats{}, nil })
				time.Sleep(2 * time.Second)
				c = s.shake(t, dial())
				io.WriteString(c, post(report(testClient, 1)))
				if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted {
					t.Errorf("after recovery %d %s", resp.StatusCode, body)
				}
			})
		})
	}
}

// Exactly what a bound says is within it; one more, or one less, is not.
func TestTheBoundsThemselves(t *testing.T) {
	cfg, now := testConfig(), time.Unix(1_800_000_000, 0)
	cfg.DiskReserve, cfg.InodeReserve, cfg.BacklogFiles, cfg.BacklogAge = 1<<20, 100, 6, time.Hour
	for _, tc := range []struct {
		name, code string
		is         func(*memoryInbox)
	}{
		{"space", "", func(m *memoryInbox) { m.bytes = 1 << 20 }},
		{"a byte less", codeDiskFull, func(m *memoryInbox) { m.bytes = 1<<20 - 1 }},
		{"inodes", "", func(m *memoryInbox) { m.inodes = 100 }},
		{"an inode less", codeDiskFull, func(m *memoryInbox) { m.inodes = 99 }},
		{"files in all lanes, and claimed", "", func(m *memoryInbox) {
			m.stats.High.Files, m.stats.Normal.Files, m.stats.Low.Files, m.stats.Process.Files = 1, 1, 1, 3
		}},
		{"one more", codeBacklog, func(m *memoryInbox) { m.stats.Low.Files, m.stats.Process.Files = 4, 3 }},
		{"what is set aside is no backlog", "", func(m *memoryInbox) {
			m.stats.Corrupt.Files, m.stats.Loaded.Files,
				m.stats.Stuck.Files = 7, 7, 7
		}},
		{"age", "", func(m *memoryInbox) { m.stats.High = inbox.Box{Files: 1, Oldest: now.Add(-time.Hour)} }},
		{"a moment older", codeBacklog,
			func(m *memoryInbox) { m.stats.High = inbox.Box{Files: 1, Oldest: now.Add(-time.Hour - 1)} }},
	} {
		in := newMemoryInbox()
		in.set(tc.is)
		g := newGate(cfg, in, newMetrics(nil), slog.New(slog.DiscardHandler), func() time.Time { return now })
		code := ""
		if p := g.find(); p != nil {
			code = p.Code
		}
		if code != tc.code {
			t.Errorf("%s: %q, want %q", tc.name, code, tc.code)
		}
	}
}

func TestBoundsOfZeroAreOff(t *testing.T) {
	cfg := testConfig()
	cfg.DiskReserve, cfg.InodeReserve, cfg.BacklogFiles, cfg.BacklogAge = 0, 0, 0, 0
	in := newMemoryInbox()
	in.bytes, in.inodes = 0, 0
	in.stats.Normal = inbox.Box{Files: 1 << 30, Oldest: time.Unix(0, 0)}
	s := start(t, cfg, Deps{Inbox: in})
	if resp, body := s.raw(t, post(report(testClient, 1))); resp.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestAFaultDuringALookKeepsTheGateClosed: the look began before the fault, so what it found says nothing.
func TestAFaultDuringALookKeepsTheGateClosed(t *testing.T) {
	in := &lookedAt{memoryInbox: newMemoryInbox()}
	s := start(t, testConfig(), Deps{Inbox: in})
	s.stop()
	g := s.relay.gate
	in.during = func() { g.failed(inbox.ErrFault) }
	g.look()
	if g.refusal() == nil {
		t.Error("open after a fault")
	}
	in.during = nil
	g.look()
	if p := g.refusal(); p != nil {
		t.Errorf("closed: %v", p)
	}
}

// lookedAt lets something happen during a look.
type lookedAt struct {
	*memoryInbox
	during func()
}

func (l *lookedAt) Free() (uint64, uint64, error) {
	if l.during != nil {
		l.during()
	}
	return l.memoryInbox.Free()
}

// TestMemoryForBodiesIsBounded: many large bodies at once are refused for a while, small ones of others go on.
func TestMemoryForBodiesIsBounded(t *testing.T) {
	cfg := testConfig()
	s := start(t, cfg, Deps{})
	part := strings.Repeat(" ", 7<<20)
	for range 12 { // each holds 8 MiB of the 64 MiB, and its rest never comes
		c := s.dial(t)
		go io.WriteString(c, request("POST /mp/reports HTTP/1.1", "Content-Length: 8388608")+part)
	}
	eventually(t, "some are refused",
		func() bool { return s.metric(t, "statewire_relay_refusals_total", codeOverloaded) > 0 })
	if used := s.relay.memory.used.Load(); used > cfg.MaxBodyMemory {
		t.Errorf("%d bytes held", used)
	}
	if resp, body := s.raw(t, post(report(testClient, 1))); resp.StatusCode != http.StatusAccepted &&
		resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	for _, group := range [][]answerCase{http2xx(), http4xx(), xml4xx()} {
		for _, tc := range group {
			s.raw(t, tc.request)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if used := s.relay.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes are still held", used)
	}
}

// A refusal that no error caused is logged without one.
func TestARefusalWithoutAnErrorNamesNone(t *testing.T) {
	for name, close := range map[string]func(g *gate){
		"a disk that hangs": func(g *gate) { g.stalled(true) },
		"a backlog":         func(g *gate) { g.look() },
	} {
		var log bytes.Buffer
		cfg, in := testConfig(), newMemoryInbox()
		cfg.BacklogFiles = 10
		in.set(func(m *memoryInbox) { m.stats.Normal.Files = 11 })
		close(newGate(cfg, in, newMetrics(nil), slog.New(slog.NewTextHandler(&log, nil)), time.Now))
		if text := log.String(); !strings.Contains(text, "reports are refused") || strings.Contains(text, "nil") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

package credentials

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// machine is a client with its folder, and its site.
type machine struct {
	t     *testing.T
	dir   string
	id    smx.ClientID
	site  *agenttest.Authority
	relay string
	kept  *cache.Memory // its states and serials
	c     *Credentials
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir() + "/identity", id: smx.ClientID(uuid.New()), kept: cache.NewMemory(1431),
		site: agenttest.NewAuthority(t)}
	m.relay = m.site.Listen()
	m.start()
	return m
}

// start opens the folder as a new process does.
func (m *machine) start() {
	m.t.Helper()
	c, err := Open(OpenFolder(m.dir), Options{Client: m.id, Serials: m.kept, Log: quiet,
		Now: func() time.Time { return m.site.Now() }})
	if err != nil {
		m.t.Fatal(err)
	}
	m.c = c
}

func (m *machine) request() Request {
	return Request{Relay: m.relay, Token: m.site.Token(), NetBIOSName: "PC1", ClientVersion: "1.4.0"}
}

// enrol gives the client its first certificate.
func (m *machine) enrol() {
	m.t.Helper()
	if err := m.c.Enroll(m.t.Context(), m.request(), func(Progress) {}); err != nil {
		m.t.Fatal(err)
	}
}

// sender is the client's way to its relay.
func (m *machine) sender() *transport.Sender {
	m.t.Helper()
	base, err := transport.Trust(nil, "")
	if err != nil {
		m.t.Fatal(err)
	}
	s, err := transport.NewSender(m.relay, m.c.TLS(base, "127.0.0.1"), 2)
	if err != nil {
		m.t.Fatal(err)
	}
	s.Heed(m.c.Heed)
	m.t.Cleanup(s.Close)
	return s
}

// seen is the number of the certificate that the last request showed.
func (m *machine) seen() string {
	all := m.site.Seen()
	return all[len(all)-1]
}

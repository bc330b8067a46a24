package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"statewire/identity"
	"statewire/inbox"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// memoryInbox is an inbox without a disk, that fails when it is told to.
type memoryInbox struct {
	mu     sync.Mutex
	files  []memoryFile
	put    func(lane inbox.Lane, data []byte) error // before a file appears
	ready  error
	bytes  uint64
	inodes uint64
	stats  inbox.Stats
}

type memoryFile struct {
	lane inbox.Lane
	data []byte
}

func newMemoryInbox() *memoryInbox { return &memoryInbox{bytes: 1 << 40, inodes: 1 << 30} }

func (m *memoryInbox) Put(lane inbox.Lane, data []byte, _ time.Time) (string, error) {
	m.mu.Lock()
	put := m.put
	m.mu.Unlock()
	if put != nil {
		if err := put(lane, data); err != nil {
			return "", err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = append(m.files, memoryFile{lane, append([]byte(nil), data...)})
	return fmt.Sprintf("%08d.SMX", len(m.files)), nil
}

func (m *memoryInbox) Ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready
}

func (m *memoryInbox) Free() (uint64, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes, m.inodes, nil
}

func (m *memoryInbox) Stats() (inbox.Stats, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats, nil
}

// set changes what the inbox says of itself.
func (m *memoryInbox) set(change func(*memoryInbox)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// count is how many files there are.
func (m *memoryInbox) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.files)
}

// site is a relay that runs, and what a caller needs to reach it.
type site struct {
	relay    *Relay
	addr     string
	ca       *tls.Config
	registry *prometheus.Registry
	stop     func() error
}

// testConfig listens on a free port for callers without certificates.
func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Listen, cfg.Auth = "127.0.0.1:0", AuthNone
	return cfg
}

// start runs a relay until the test ends.
func start(t testing.TB, cfg Config, deps Deps) *site { return startOn(t, cfg, deps, nil) }

// startOn does it on another listener than the one of the configuration.
func startOn(t testing.TB, cfg Config, deps Deps, on net.Listener) *site {
	t.Helper()
	id, err := identity.Open(t.TempDir()+"/identity", identity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{ca: &tls.Config{RootCAs: id.Pool(), ServerName: "localhost"}, registry: prometheus.NewRegistry()}
	if deps.Inbox == nil {
		deps.Inbox = newMemoryInbox()
	}
	deps.Certificate, deps.Registerer = id.Certificate, s.registry
	if s.relay, err = New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	if on != nil {
		s.relay.listenOn(on)
	}
	addr, err := s.relay.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr.String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.relay.Run(ctx) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := s.stop(); err != nil { // looked up late: a test may have stopped it itself
			t.Error(err)
		}
	})
	return s
}

// dial opens a TLS connection.
func (s *site) dial(t testing.TB) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", s.addr, s.ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// raw sends bytes as they are and reads one answer.
func (s *site) raw(t testing.TB, request string) (*http.Response, string) {
	t.Helper()
	c := s.dial(t)
	go io.WriteString(c, request) // the relay may answer before it has read all
	return answerOf(t, c)
}

func bufioReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func answerOf(t testing.TB, c net.Conn) (*http.Response, string) {
	t.Helper()
	from := bufio.NewReader(c)
	resp, err := http.ReadResponse(from, nil)
	if err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(from, nil)
	}
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("answer cut: %v", err)
	}
	return resp, string(body)
}

// post is a request with the usual head.
func post(body string, headers ...string) string {
	head := "POST /mp/reports HTTP/1.1\r\nHost: site\r\n"
	for _, h := range headers {
		head += h + "\r\n"
	}
	return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

const testClient = "GUID:0A0B0C0D-1111-2222-3333-444455556666"

// report is a report with n messages.
func report(client string, n int, machine ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
		`<Report><ReportHeader><Identification><Machine><ClientInstalled>1</ClientInstalled><ClientType>1</ClientType>`+
		`<ClientID>%s</ClientID><ClientVersion>5.00.9141.1000</ClientVersion><NetBIOSName>PC1</NetBIOSName><CodePage>437</CodePage>`+
		`<SystemDefaultLCID>1033</SystemDefaultLCID>%s</Machine></Identification><ReportDetails><ReportContent>State Message Data</ReportContent>`+
		`<ReportType>Full</ReportType><Date>20260102030405.000000+000</Date><Version>1.0</Version><Format>1.0</Format></ReportDetails></ReportHeader><ReportBody>`,
		client, strings.Join(machine, ""))
	for i := range n {
		fmt.Fprintf(&b, `<StateMessage MessageTime="20260102030405.000000+000" SerialNumber="%d"><Topic ID="11111111-2222-3333-4444-%012d" Type="500" IDType="3"/>`+
			`<State ID="2" Criticality="0"/><UserParameters Flags="0" Count="1"><Param>102</Param></UserParameters></StateMessage>`, i+1, i)
	}
	b.WriteString(`</ReportBody></Report>`)
	return b.String()
}

// metric is the value of a counter or gauge with the given label value, or the sum over all.
func (s *site) metric(t testing.TB, name, label string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if label == "" || len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() == label {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never came true: %s", what)
		}
	}
}

type inboxLane = inbox.Lane

package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"statewire/smx"
)

// closed reads until the relay ends the connection and returns what it said.
func closed(t *testing.T, c net.Conn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	said, err := io.ReadAll(c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the relay keeps the connection open")
	}
	return string(said)
}

func dialTCP(t *testing.T, s *site) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTLSRefusals(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	for _, tc := range []struct {
		name, reason string
		try          func(c net.Conn)
	}{
		{"C1.6 HTTP on the TLS port", "not_tls", func(c net.Conn) { io.WriteString(c, request("GET / HTTP/1.1")) }},
		{"C1.6 garbage", "not_tls", func(c net.Conn) { c.Write(make([]byte, 100)) }},
		{"C1.13 TLS 1.2", "version", func(c net.Conn) {
			tls.Client(c, &tls.Config{MaxVersion: tls.VersionTLS12, ServerName: "localhost"}).Handshake()
		}},
		{"a caller that does not know the authority", "alert", func(c net.Conn) { tls.Client(c, &tls.Config{ServerName: "localhost"}).Handshake() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := s.metric(t, "statewire_relay_tls_refused_total", tc.reason)
			c := dialTCP(t, s)
			tc.try(c)
			if said := closed(t, c); strings.Contains(said, "HTTP") {
				t.Errorf("said %q", said)
			}
			eventually(t, "counted as "+tc.reason, func() bool {
				return s.metric(t, "statewire_relay_tls_refused_total", tc.reason) == before+1
			})
		})
	}
}

func TestTheConnectionIsHTTP1OverTLS13(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	config := s.ca.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	c, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if state := c.ConnectionState(); state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("version %x, protocol %q", state.Version, state.NegotiatedProtocol)
	}
}

func TestConnectionCaps(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		set          func(*Config)
	}{
		{"C1.2 all together", "limit", func(c *Config) { c.MaxConnections = 3 }},
		{"C1.1 of one address", "ip_limit", func(c *Config) { c.MaxConnectionsPerIP = 3 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := testConfig()
			tc.set(&cfg)
			s := start(t, cfg, Deps{})
			served := s.dial(t)
			idle := []net.Conn{dialTCP(t, s), dialTCP(t, s)}
			closed(t, dialTCP(t, s))
			if n := s.metric(t, "statewire_relay_connections_refused_total", tc.reason); n != 1 {
				t.Errorf("%v refusals counted", n)
			}
			io.WriteString(served, post(report(testClient, 1)))
			if resp, body := answerOf(t, served); resp.StatusCode != http.StatusAccepted {
				t.Errorf("an existing client is harmed: %d %s", resp.StatusCode, body)
			}
			idle[0].Close()
			eventually(t, "a place is free again", func() bool { return s.metric(t, "statewire_relay_connections", "") == 2 })
			s.dial(t)
		})
	}
}

func TestTooFewOpenFilesStopTheStart(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections = 1_000_000
	r, err := New(cfg, Deps{Inbox: newMemoryInbox(), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Listen(); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("got %v", err)
	}
}

func TestCutBodyLeavesNothing(t *testing.T) {
	in := newMemoryInbox()
	s := start(t, testConfig(), Deps{Inbox: in})
	good := report(testClient, 1)
	for _, end := range []func(*tls.Conn){
		func(c *tls.Conn) { c.CloseWrite() },
		func(c *tls.Conn) { c.NetConn().Close() },
	} {
		before := s.metric(t, "statewire_relay_refusals_total", codeBodyCut)
		c := s.dial(t)
		io.WriteString(c, post(good)[:len(post(good))-20])
		end(c)
		eventually(t, "counted", func() bool { return s.metric(t, "statewire_relay_refusals_total", codeBodyCut) == before+1 })
	}
	if in.count() != 0 {
		t.Errorf("%d files", in.count())
	}
}

func TestClientThatLeavesBeforeTheAnswerIsServed(t *testing.T) {
	in := newMemoryInbox()
	s := start(t, testConfig(), Deps{Inbox: in})
	c := s.dial(t)
	io.WriteString(c, post(report(testClient, 1)))
	c.NetConn().Close()
	eventually(t, "the report is stored", func() bool { return in.count() == 1 })
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	c := s.dial(t)
	io.WriteString(c, post(report(testClient, 1))+post(report(testClient, 2))+post("<Report/>")+post(report(testClient, 3)))
	in := bufio.NewReader(c)
	for i, want := range []string{`"messages":1`, `"messages":2`, `"code":`, `"messages":3`} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), want) {
			t.Errorf("answer %d: %s", i, body)
		}
	}
}

// TestHeadsBehindAChunkedBodyAreLookedAtToo: what comes in one packet is told apart as well as what comes in several.
func TestHeadsBehindAChunkedBodyAreLookedAtToo(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	c := s.dial(t)
	good := request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") + chunked(report(testClient, 1))
	io.WriteString(c, good+good+request("POST /mp/reports HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked")+good)
	in := bufio.NewReader(c)
	for i, want := range []string{`"messages":1`, `"messages":1`, `"code":"ambiguous_length"`} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), want) || resp.Close != (i == 2) {
			t.Errorf("answer %d: %s, close %v", i, body, resp.Close)
		}
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("goes on with %v", err)
	}
	c = s.dial(t)
	for range 3 { // sent one after the other they are fine
		io.WriteString(c, good)
		if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}

// knownCallers takes the first byte of a certificate's serial number for a client's id.
type knownCallers struct{ id smx.ClientID }

func (k knownCallers) Client(state *tls.ConnectionState) (smx.ClientID, error) {
	if state.PeerCertificates[0].Subject.CommonName != "Statewire server" {
		return smx.ClientID{}, errors.New("the certificate is of no client of this site")
	}
	return k.id, nil
}

func TestCallersNeedACertificate(t *testing.T) {
	id, err := smx.ParseClientID(testClient)
	if err != nil {
		t.Fatal(err)
	}
	good, other := report(testClient, 1), report("GUID:FFFFFFFF-1111-2222-3333-444455556666", 1)
	mtls := testConfig()
	mtls.Auth = AuthMTLS
	strict := mtls
	strict.ClientBurst = 1
	for _, tc := range []struct {
		name    string
		cfg     Config
		callers Callers
		cert    bool
		bodies  []string
		status  int
		code    string
	}{
		{"C1.7 none shown", mtls, knownCallers{id}, false, []string{good}, 401, codeNoIdentity},
		{"nobody is known", mtls, nil, true, []string{good}, 401, codeNoIdentity},
		{"a known client", mtls, knownCallers{id}, true, []string{good}, 202, ""},
		{"C4.72 the report of another", mtls, knownCallers{id}, true, []string{other}, 403, codeMismatch},
		{"C2.33 too many, before the body is read", strict, knownCallers{id}, true, []string{good, good}, 429, codeRate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.cfg, Deps{Callers: tc.callers})
			if tc.cert {
				s.show(t)
			}
			var resp *http.Response
			var body string
			for _, b := range tc.bodies {
				resp, body = s.raw(t, post(b))
			}
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.code) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

func TestRateOfOneClientLeavesOthersAlone(t *testing.T) {
	cfg := testConfig()
	cfg.ClientRate, cfg.ClientBurst = 1, 2
	s := start(t, cfg, Deps{Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	statuses := func(client string) (got []int) {
		c := s.dial(t)
		for range 3 {
			io.WriteString(c, post(report(client, 1)))
			resp, _ := answerOf(t, c)
			got = append(got, resp.StatusCode)
			if resp.StatusCode == 429 && (resp.Header.Get("Retry-After") == "" || resp.Close) {
				t.Errorf("Retry-After %q, close %v", resp.Header.Get("Retry-After"), resp.Close)
			}
		}
		return got
	}
	for _, client := range []string{testClient, "GUID:FFFFFFFF-1111-2222-3333-444455556666"} {
		if got := fmt.Sprint(statuses(client)); got != "[202 202 429]" {
			t.Errorf("%s: %s", client, got)
		}
	}
}

func TestStopAnswersWhatIsInHand(t *testing.T) {
	in := newMemoryInbox()
	reached, goOn := make(chan struct{}), make(chan struct{})
	in.put = func(inboxLane, []byte) error { close(reached); <-goOn; return nil }
	s := start(t, testConfig(), Deps{Inbox: in})
	idle, half := s.dial(t), s.dial(t)
	io.WriteString(half, "POST /mp/rep")
	c := s.dial(t)
	io.WriteString(c, post(report(testClient, 1)))
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	closed(t, idle)
	closed(t, half)
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a report in hand: %v", err)
	default:
	}
	close(goOn)
	if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr); err == nil {
		t.Error("still listening")
	}
}

// panicking fails where it should answer.
type panicking struct{}

func (panicking) Policy(context.Context, smx.Poll) ([]byte, string, error) { panic("a fault of ours") }

func TestAFaultConcernsItsRequestAlone(t *testing.T) {
	s := start(t, testConfig(), Deps{Policies: panicking{}})
	other := s.dial(t)
	resp, body := s.raw(t, poll("?client="+testClient))
	if resp.StatusCode != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "fault of ours") || !resp.Close {
		t.Errorf("%d %s, close %v", resp.StatusCode, body, resp.Close)
	}
	io.WriteString(other, post(report(testClient, 1)))
	if resp, body := answerOf(t, other); resp.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestTheAnswerToHeadHasNoBody(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	c := s.dial(t)
	io.WriteString(c, request("HEAD /mp/reports HTTP/1.1"))
	said := closed(t, c)
	head, body, ended := strings.Cut(said, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 405 ") || !ended || body != "" {
		t.Errorf("said %q", said)
	}
}

func TestAConnectionThatSaysCloseIsClosed(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	for _, line := range []string{"POST /mp/reports HTTP/1.0", "POST /mp/reports HTTP/1.1"} {
		c := s.dial(t)
		good := report(testClient, 1)
		io.WriteString(c, request(line, "Connection: close", fmt.Sprintf("Content-Length: %d", len(good)))+good)
		if said := closed(t, c); !strings.HasPrefix(said, "HTTP/1.1 202 ") || !strings.Contains(said, "Connection: close\r\n") {
			t.Errorf("said %q", said)
		}
	}
}

// failingListener fails some times before it accepts, as one does whose process has too many files open.
type failingListener struct {
	net.Listener
	left atomic.Int32
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, errors.New("accept: too many open files")
	}
	return l.Listener.Accept()
}

func TestWhatKeepsConnectionsOutPasses(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	on := &failingListener{Listener: tcp}
	on.left.Store(3)
	s := startOn(t, testConfig(), Deps{}, on)
	if resp, body := s.raw(t, post(report(testClient, 1))); resp.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

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

	"github.com/google/uuid"

	"statewire/identity"
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
		{"a caller that does not know the authority", "alert",
			func(c net.Conn) { tls.Client(c, &tls.Config{ServerName: "localhost"}).Handshake() }},
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

func TestTooFewOpenFilesStopTheStart(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections = 1_000_000
	r, err := New(cfg, Deps{Inbox: newMemoryInbox(), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate,
		error) {
		return nil, nil
	}})
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
		eventually(t, "counted", func() bool {
			return s.metric(t, "statewire_relay_refusals_total", codeBodyCut) == before+
				1
		})
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

func TestTheHeaderIsBounded(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	for _, tc := range []struct {
		name   string
		size   int
		status string
	}{
		{"of 16 KiB", 16 << 10, "405 "},
		{"of a byte more", 16<<10 + 1, "431 "},
	} {
		head := request("GET /mp/reports HTTP/1.1", "X: ")
		head = strings.Replace(head, "X: ", "X: "+strings.Repeat("x", tc.size-len(head)), 1)
		c := s.dial(t)
		io.WriteString(c, head)
		if got := answers(t, c); len(got) != 1 || !strings.HasPrefix(got[0], tc.status) {
			t.Errorf("a header %s: %q", tc.name, got)
		}
	}
	eventually(t, "what net/http refuses is counted", func() bool {
		return s.metric(t, "statewire_relay_refusals_total", codeBadRequest) == 1
	})
}

// answers reads answers until the connection ends.
func answers(t *testing.T, c net.Conn) (got []string) {
	t.Helper()
	in := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return got
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("answer %d is cut: %v", len(got), err)
		}
		got = append(got, fmt.Sprintf("%d %s", resp.StatusCode, body))
	}
}

// TestPipelinedRequestsAreAnsweredInOrder: up to one whose body is no report, since then nobody knows what follows.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	c := s.dial(t)
	io.WriteString(c, post(report(testClient, 1))+post(report(testClient, 2))+post("<Report/>")+
		post(report(testClient, 3)))
	got := answers(t, c)
	want := []string{`"messages":1`, `"messages":2`, `"code":`}
	if len(got) != len(want) {
		t.Fatalf("%d answers: %q", len(got), got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("answer %d: %s", i, got[i])
		}
	}
}

// knownCallers takes the first byte of a certificate's serial number for a client's id.
type knownCallers struct{ id smx.ClientID }

func (k knownCallers) Verify(tls.ConnectionState) error { return nil }

func (k knownCallers) Caller(state *tls.ConnectionState) (identity.Caller, error) {
	if state.PeerCertificates[0].Subject.CommonName != "Statewire server" {
		return identity.Caller{}, errors.New("the certificate is of no client of this site")
	}
	return identity.Caller{Client: uuid.UUID(k.id)}, nil
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
			if tc.code != "" && !strings.Contains(body, `"retry":true`) { // a caller that is known later has lost nothing
				t.Errorf("refused for good: %s", body)
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
	stopped, began := make(chan error, 1), time.Now()
	go func() { stopped <- s.stop() }()
	closed(t, idle)
	closed(t, half)
	if took := time.Since(began); took > 4*time.Second { // net/http by itself leaves such connections five seconds
		t.Errorf("unused connections were closed after %v", took)
	}
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
	if resp.StatusCode != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "fault of ours") ||
		!resp.Close {
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
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		c := s.dial(t)
		good := report(testClient, 1)
		io.WriteString(c, request("POST /mp/reports "+version, "Connection: close",
			fmt.Sprintf("Content-Length: %d", len(good)))+good)
		if said := closed(t, c); !strings.HasPrefix(said, version+" 202 ") ||
			!strings.Contains(said, "Connection: close\r\n") {
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

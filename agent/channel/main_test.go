package channel

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/notifier/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// The addresses of a test's site.
const (
	push = "push.example:10123"
	mp   = "https://mp.example:8443"
	host = "mp.example:8443"
)

// site is a relay and notifiers in memory, over real TLS, and the network to them.
type site struct {
	t        *testing.T
	cert     tls.Certificate
	client   *tls.Config
	sessions *cache.Memory
	id       uuid.UUID
	relay    *http.Server
	relayed  chan net.Conn
	stop     func() // ends the client

	mu       sync.Mutex
	down     map[string]error // by address: what dialling it ends with; errDropped hangs
	dials    map[string][]time.Time
	signIns  []signIn
	heard    []heard
	wakes    []time.Time
	open     []net.Conn
	tcp      []*tls.Conn
	held     int // requests in hand
	mostHeld int
	mail     chan []byte // frames for the client over HTTP
	at       Addresses
	enrolled bool

	// What the servers do.
	answer    func(m wire.SignInMessage) []byte // to a sign-in; nil confirms
	mute      bool                              // never says that it heard
	ack       []byte                            // what it says then
	http      func(w http.ResponseWriter, r *http.Request) bool
	keepAlive time.Duration
}

// signIn is one that came.
type signIn struct {
	wire.SignInMessage
	at     time.Time
	server string
}

// heard is a frame that came after a sign-in.
type heard struct {
	kind    wire.Kind
	at      time.Time
	payload string
}

var errDropped = errors.New("dropped")

func newSite(t *testing.T) *site {
	t.Helper()
	ca := agenttest.NewCertAuthority(t)
	s := &site{t: t, down: map[string]error{}, dials: map[string][]time.Time{}, sessions: cache.NewMemory(0),
		id: uuid.New(), mail: make(chan []byte, 10), enrolled: true, keepAlive: 15 * time.Minute,
		at: Addresses{Notifier: push, Relay: mp, Known: true}, relayed: make(chan net.Conn)}
	s.cert = certificate(t, ca, "push.example", "mp.example", "push2.example", "mp2.example")
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	s.client = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	s.relay = &http.Server{Handler: http.HandlerFunc(s.serveHTTP), ErrorLog: log.New(io.Discard, "", 0)}
	return s
}

func certificate(t *testing.T, ca *agenttest.CertAuthority, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := ca.Sign(t, &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().AddDate(-1, 0, 0),
		NotAfter: time.Now().AddDate(1, 0, 0), DNSNames: hosts,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, key.Public())
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// start runs a client's channel until the test ends.
func (s *site) start(change ...func(*Deps)) *Channel {
	s.t.Helper()
	d := Deps{Client: s.id, Version: "1.4.0", Boot: "5d1c", Sessions: s.sessions, Log: quiet, Dial: s.dial,
		TLS:       func(host string) *tls.Config { cfg := s.client.Clone(); cfg.ServerName = host; return cfg },
		Proxy:     func(*http.Request) (*url.URL, error) { return nil, nil },
		Enrolled:  func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.enrolled },
		Addresses: func() Addresses { s.mu.Lock(); defer s.mu.Unlock(); return s.at },
		Wake:      func() { s.mu.Lock(); defer s.mu.Unlock(); s.wakes = append(s.wakes, time.Now()) },
	}
	for _, fn := range change {
		fn(&d)
	}
	c := New(d)
	ctx, stop := context.WithCancel(s.t.Context())
	var ended sync.WaitGroup
	over, end := context.WithCancel(s.t.Context())
	ended.Go(func() { _ = s.relay.Serve(pipes{s.relayed, over}) })
	ran := make(chan struct{})
	go func() { defer close(ran); _ = c.Run(ctx) }()
	s.stop = func() { stop(); <-ran }
	s.t.Cleanup(func() {
		s.stop()
		end()
		s.relay.Close()
		s.cut()
		ended.Wait()
	})
	return c
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	ctx   context.Context
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (s *site) dial(ctx context.Context, _, address string) (net.Conn, error) {
	s.mu.Lock()
	s.dials[address] = append(s.dials[address], time.Now())
	down := s.down[address]
	s.mu.Unlock()
	switch {
	case errors.Is(down, errDropped):
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
	case down != nil:
		return nil, &net.OpError{Op: "dial", Err: down}
	}
	ours, theirs := net.Pipe()
	server := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS13,
		NextProtos: []string{wire.ALPN}})
	if _, port, _ := net.SplitHostPort(address); port == "8443" {
		server = tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS13})
		select {
		case s.relayed <- server:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	} else {
		go s.serveTCP(server, address)
	}
	s.mu.Lock()
	s.open = append(s.open, theirs)
	s.mu.Unlock()
	return ours, nil
}

// cut ends all connections.
func (s *site) cut() {
	s.mu.Lock()
	open := s.open
	s.open, s.tcp = nil, nil
	s.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// take notes a sign-in and returns the answer to it.
func (s *site) take(payload []byte, server string) []byte {
	m, err := wire.DecodeSignIn(payload)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIns = append(s.signIns, signIn{m, time.Now(), server})
	if s.answer != nil {
		if out := s.answer(m); out != nil {
			return out
		}
	}
	return s.confirm(m.Session)
}

func (s *site) confirm(session uint64) []byte {
	return wire.AppendFrame(nil, wire.SignInConfirm, wire.SignInConfirmMessage{Time: time.Now(), ServerID: 1, Epoch: 7,
		KeepAlive: s.keepAlive, Session: session}.Encode())
}

func goodbye(code wire.CloseCode, text string, after time.Duration) []byte {
	return wire.AppendFrame(nil, wire.Close, wire.CloseMessage{Code: code, Text: text, RetryAfter: after}.Encode())
}

func (s *site) serveTCP(conn *tls.Conn, address string) {
	defer conn.Close()
	for {
		kind, payload, err := wire.ReadFrame(conn, wire.MaxFrame)
		if err != nil {
			return
		}
		var out []byte
		switch kind {
		case wire.SignIn:
			out = s.take(payload, address)
			s.set(func() { s.tcp = append(s.tcp, conn) })
		default:
			s.mu.Lock()
			s.heard = append(s.heard, heard{kind, time.Now(), string(payload)})
			if !s.mute && kind == wire.KeepAlive {
				out = wire.AppendFrame(nil, wire.KeepAliveAck, s.ack)
			}
			s.mu.Unlock()
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// say sends frames to the client over its TCP connections.
func (s *site) say(frames []byte) {
	s.mu.Lock()
	conns := s.tcp
	s.mu.Unlock()
	for _, c := range conns {
		_, _ = c.Write(frames)
	}
}

func (s *site) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.set(func() { s.held++; s.mostHeld = max(s.mostHeld, s.held) })
	defer s.set(func() { s.held-- })
	if s.http != nil && s.http(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil { // the client ended the request
		return
	}
	rest := bytes.NewReader(body)
	var out []byte
	for rest.Len() > 0 {
		kind, payload, err := wire.ReadFrame(rest, wire.MaxFrame)
		if err != nil {
			s.t.Error(err)
			return
		}
		if kind == wire.SignIn {
			out = s.take(payload, r.Host)
			continue
		}
		if r.Header.Get("Statewire-Session") == "" {
			s.t.Error("a request without a session")
		}
		s.mu.Lock()
		s.heard = append(s.heard, heard{kind, time.Now(), string(payload)})
		s.mu.Unlock()
		if kind == wire.Close {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if kind == wire.KeepAlive {
			out = wire.AppendFrame(nil, wire.KeepAliveAck, s.ack)
		}
	}
	if out == nil {
		select {
		case out = <-s.mail:
		case <-time.After(50 * time.Second):
		case <-r.Context().Done():
			return
		}
	}
	if len(out) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_, _ = w.Write(out)
}

// session is the number that a request names.
func session(r *http.Request) uint64 {
	n, _ := strconv.ParseUint(r.Header.Get("Statewire-Session"), 10, 64)
	return n
}

// bubble runs a test on fake time.
func bubble(t *testing.T, test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newSite(t)) })
}

// after lets time pass until nothing happens any more.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *site) signedIn() []signIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]signIn(nil), s.signIns...)
}

func (s *site) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

var refusedErr = error(syscall.ECONNREFUSED)

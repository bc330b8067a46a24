package channel

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/identity"
	"statewire/notifier"
	"statewire/notifier/wire"
)

// loopback is a real notifier and a relay that hands it requests, on this machine.
type loopback struct {
	t      *testing.T
	ca     *agenttest.CertAuthority
	tcp    string
	https  string
	server *notifier.Server
	stop   func()
	dir    string
	cert   tls.Certificate
	client tls.Certificate
	id     uuid.UUID

	refuse atomic.Bool // every caller
	wakes  atomic.Int32
	work   chan wire.Work
	mu     sync.Mutex
	rows   []wire.Row
}

// Verify implements notifier.Callers.
func (l *loopback) Verify(tls.ConnectionState) error {
	if l.refuse.Load() {
		return errors.New("revoked")
	}
	return nil
}

// Caller implements notifier.Callers.
func (l *loopback) Caller(state *tls.ConnectionState) (identity.Caller, error) {
	if len(state.PeerCertificates) == 0 {
		return identity.Caller{}, errors.New("no certificate")
	}
	id, err := uuid.Parse(state.PeerCertificates[0].Subject.CommonName)
	return identity.Caller{Client: id, Number: 7}, err
}

// Refusal implements notifier.Callers.
func (l *loopback) Refusal(identity.Caller) error { return nil }

// Work is the manager's.
func (l *loopback) Work(ctx context.Context, _ wire.Ask) (wire.Work, error) {
	select {
	case w := <-l.work:
		return w, nil
	case <-ctx.Done():
		return wire.Work{}, ctx.Err()
	}
}

func (*loopback) Results(context.Context, wire.Results) error { return nil }

// Seen is the manager's.
func (l *loopback) Seen(_ context.Context, s wire.Seen) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, s.Rows...)
	return nil
}

func newLoopback(t *testing.T) *loopback {
	t.Helper()
	l := &loopback{t: t, ca: agenttest.NewCertAuthority(t), dir: t.TempDir(), id: uuid.New(),
		work: make(chan wire.Work, 1)}
	l.cert = l.issue(l.ca, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	l.client = l.issue(l.ca, l.clientTemplate())
	l.begin("127.0.0.1:0")
	relay := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(l.relay)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.https = "https://" + ln.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = relay.Serve(tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{l.cert},
			ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}))
	}()
	t.Cleanup(func() { l.stop(); relay.Close(); <-served })
	return l
}

// relay hands a request to the notifier.
func (l *loopback) relay(w http.ResponseWriter, r *http.Request) {
	caller, err := l.Caller(r.TLS)
	if err != nil || r.URL.Path != "/mp/channel" || r.ProtoMajor != 1 {
		http.Error(w, `{"code":"no_identity"}`, http.StatusUnauthorized)
		return
	}
	l.server.ServeChannel(w, r, caller)
}

func (l *loopback) clientTemplate() *x509.Certificate {
	c := &x509.Certificate{}
	c.Subject.CommonName = l.id.String()
	return c
}

func (l *loopback) issue(ca *agenttest.CertAuthority, c *x509.Certificate) tls.Certificate {
	l.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(7)
	if c.NotBefore.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
	}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return tls.Certificate{Certificate: [][]byte{ca.Sign(l.t, c, key.Public())}, PrivateKey: key}
}

// begin starts a notifier at an address.
func (l *loopback) begin(address string) {
	l.t.Helper()
	cfg := notifier.DefaultConfig()
	cfg.Listen = address
	server, err := notifier.New(cfg, notifier.Deps{Name: "push1", Spool: l.dir + "/spool", Box: l.dir + "/box", Callers: l,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &l.cert, nil }, Manager: l, Log: quiet})
	if err != nil {
		l.t.Fatal(err)
	}
	at, err := server.Listen()
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	l.tcp, l.server = at.String(), server
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			l.t.Errorf("the notifier ended with %v", err)
		}
	})
}

// connect runs a client's channel.
func (l *loopback) connect(change ...func(*Deps)) *Channel {
	roots := x509.NewCertPool()
	roots.AddCert(l.ca.Cert)
	d := Deps{Client: l.id, Version: "1.4.0", Boot: "a", Sessions: cache.NewMemory(0), Log: quiet,
		Enrolled:  func() bool { return true },
		Addresses: func() Addresses { return Addresses{Notifier: l.tcp, Relay: l.https, Known: true} },
		TLS: func(host string) *tls.Config {
			return &tls.Config{RootCAs: roots, ServerName: host, Certificates: []tls.Certificate{l.client},
				MinVersion: tls.VersionTLS13}
		},
		Wake: func() { l.wakes.Add(1) }, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}
	for _, fn := range change {
		fn(&d)
	}
	c := New(d)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Run(ctx) }()
	l.t.Cleanup(func() { stop(); <-ended })
	return c
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func over(c *Channel, transport string) func() bool {
	return func() bool { return c.Status().Transport == transport }
}

func TestARealNotifierConfirmsAndWakes(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	c := l.connect()
	until(t, "on TCP", over(c, "TCP"))
	if st := c.Status(); st.Session != 1 || st.KeepAlive != 15*time.Minute || st.Remote != l.tcp {
		t.Errorf("status %+v", st)
	}
	l.work <- wire.Work{Number: 1, Wakes: []uuid.UUID{l.id}}
	until(t, "woken", func() bool { return l.wakes.Load() == 1 })
	c.Check("the machine slept")
	before := c.Status().LastIn
	until(t, "an answer to a ping", func() bool { return c.Status().LastIn.After(before) })
	address := l.tcp
	l.stop() // it says good-bye
	until(t, "it is told", func() bool { return strings.Contains(c.Status().Failure, "stops") })
	l.begin(address)
	c.Reconnect("the test is in a hurry")
	until(t, "back on TCP", func() bool { return over(c, "TCP")() && c.Status().Session > 1 })
}

// Two machines with one identity take the session from each other until the notifier has found out; then one stays and
// the other leaves it alone.
func TestARealNotifierPartsTwoMachinesWithOneIdentity(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	a := l.connect()
	until(t, "on TCP", over(a, "TCP"))
	b := l.connect(func(d *Deps) { d.Boot = "b" })
	until(t, "parted", func() bool { return a.Status().Duplicate != b.Status().Duplicate })
	away, stays := a, b
	if b.Status().Duplicate {
		away, stays = b, a
	}
	until(t, "one stays", over(stays, "TCP"))
	until(t, "the other says when it comes back", func() bool { return !away.Status().NextTry.IsZero() })
	if st := away.Status(); time.Until(st.NextTry) < 14*time.Minute || time.Until(st.NextTry) > 20*time.Minute {
		t.Errorf("the other comes back at %v: %+v", st.NextTry, st)
	}
}

func TestARealNotifierOverHTTP(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close() // nothing listens there
	notifierAt := closed.Addr().String()
	var mu sync.Mutex
	c := l.connect(func(d *Deps) {
		d.Addresses = func() Addresses {
			mu.Lock()
			defer mu.Unlock()
			return Addresses{Notifier: notifierAt, Relay: l.https, Known: true}
		}
	})
	until(t, "on HTTP", over(c, "HTTP"))
	l.work <- wire.Work{Number: 1, Wakes: []uuid.UUID{l.id}}
	until(t, "woken", func() bool { return l.wakes.Load() == 1 })
	why := "tcp " + notifierAt + ": connection refused"
	until(t, "the site knows why", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return slices.ContainsFunc(l.rows, func(r wire.Row) bool {
			return r.Client == l.id && r.Online && r.Channel == wire.HTTP && strings.HasPrefix(r.Why, why)
		})
	})
	if !strings.HasPrefix(c.Status().Failure, why) {
		t.Errorf("status %+v", c.Status())
	}
	mu.Lock()
	notifierAt = l.tcp
	mu.Unlock()
	c.Check("the machine slept")
	until(t, "on TCP", over(c, "TCP"))
}

// proxies is an HTTP proxy that lets CONNECT through to whom its credentials belong.
type proxies struct {
	user, password string
	inspect        *tls.Certificate // it stands between with this
	asked          chan string
}

func (p *proxies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if p.user != "" {
		check := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
		if user, password, _ := check.BasicAuth(); user != p.user || password != p.password {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
	}
	select {
	case p.asked <- r.Host:
	default:
	}
	there, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	if p.inspect != nil {
		_ = tls.Server(here, &tls.Config{Certificates: []tls.Certificate{*p.inspect}, NextProtos: []string{wire.ALPN}}).
			Handshake()
		return
	}
	go func() { _, _ = io.Copy(there, here); there.Close() }()
	_, _ = io.Copy(here, there)
}

func (p *proxies) listen(t *testing.T) *url.URL {
	t.Helper()
	p.asked = make(chan string, 10)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var handlers sync.WaitGroup
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			p.ServeHTTP(w, r)
		})}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-served; handlers.Wait() })
	u := &url.URL{Scheme: "http", Host: ln.Addr().String()}
	if p.user != "" {
		u.User = url.UserPassword(p.user, p.password)
	}
	return u
}

func TestTheProxyIsAskedForTheWay(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	p := &proxies{user: "pc1", password: "hunter2"}
	at := p.listen(t)
	c := l.connect(func(d *Deps) { d.Proxy = http.ProxyURL(at) })
	until(t, "on TCP", over(c, "TCP"))
	if asked := <-p.asked; asked != l.tcp || c.Status().Remote != at.Host {
		t.Errorf("the proxy was asked for %s; status %+v", asked, c.Status())
	}
}

// socks is a SOCKS 5 proxy that wants a name and a password.
func socks(t *testing.T, user, password string) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer conn.Close(); serveSOCKS(conn, user, password) })
		}
	})
	t.Cleanup(func() { ln.Close(); running.Wait() })
	return &url.URL{Scheme: "socks5", Host: ln.Addr().String(), User: url.UserPassword(user, password)}
}

// serveSOCKS is RFC 1928 and 1929, as far as an IPv4 address needs it.
func serveSOCKS(conn net.Conn, user, password string) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(conn, b)
		return b
	}
	read(int(read(2)[1])) // the ways that it offers
	_, _ = conn.Write([]byte{5, 2})
	name := string(read(int(read(2)[1])))
	word := string(read(int(read(1)[0])))
	if name != user || word != password {
		_, _ = conn.Write([]byte{1, 1})
		return
	}
	_, _ = conn.Write([]byte{1, 0})
	to := read(10)
	there, err := net.Dial("tcp", net.JoinHostPort(net.IP(to[4:8]).String(),
		strconv.Itoa(int(to[8])<<8|int(to[9]))))
	if err != nil {
		_, _ = conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer there.Close()
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(there, conn); there.Close() }()
	_, _ = io.Copy(conn, there)
}

func TestASOCKSProxyIsAskedForTheWay(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	at := socks(t, "pc1", "hunter2")
	c := l.connect(func(d *Deps) { d.Proxy = http.ProxyURL(at) })
	until(t, "on TCP", over(c, "TCP"))
	if got := c.Status().Remote; got != at.Host {
		t.Errorf("it is connected to %s, the proxy is %s", got, at.Host)
	}
	_, err := c.reach(t.Context(), "127.0.0.1:1", newMeter(time.Now))
	if err == nil || !strings.Contains(err.Error(), "the proxy "+at.Host) || strings.Contains(err.Error(), "hunter") {
		t.Errorf("a way that it refuses gives %v", err)
	}
}

func TestAProxyThatRefusesIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	p := &proxies{user: "pc1", password: "hunter2"}
	at := p.listen(t)
	wrong := *at
	wrong.User = url.UserPassword("pc1", "hunter3")
	c := l.connect(func(d *Deps) {
		d.Proxy = func(r *http.Request) (*url.URL, error) {
			if r.Method == http.MethodConnect { // of ours
				return &wrong, nil
			}
			return at, nil
		}
	})
	until(t, "on HTTP, by the same proxy", over(c, "HTTP"))
	says := "the proxy " + at.Host + ": it refuses CONNECT to " + l.tcp + ": \"407 "
	if got := c.Status().Failure; !strings.Contains(got, says) || strings.Contains(got, "hunter") {
		t.Errorf("it says %q", got)
	}
	if asked := <-p.asked; "https://"+asked != l.https {
		t.Errorf("the proxy was asked for %s", asked)
	}
}

func TestAProxyThatInspectsTLSIsNamed(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	stranger := agenttest.NewCertAuthority(t)
	cert := l.issue(stranger, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	p := &proxies{inspect: &cert}
	at := p.listen(t)
	c := l.connect(func(d *Deps) { d.Proxy = http.ProxyURL(at) })
	until(t, "a failure", func() bool { return c.Status().Failure != "" && c.Status().NextTry.After(time.Time{}) })
	got := c.Status().Failure
	for _, want := range []string{
		"tcp " + l.tcp + ": its certificate (issuer ", "is not of this client's site",
		"a TLS-inspecting proxy (issuer ", "test authority", ") stands between; exempt 127.0.0.1 or open 10123"} {
		if !strings.Contains(got, want) {
			t.Errorf("it says %q; want %q in it", got, want)
		}
	}
}

func TestWhatFailsInAHandshakeIsToldInWords(t *testing.T) {
	t.Parallel()
	l := newLoopback(t)
	old := l.issue(l.ca, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)})
	elsewhere := l.issue(l.ca, &x509.Certificate{DNSNames: []string{"elsewhere.example"}})
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		words string
	}{
		{"an expired certificate, or a wrong clock", tlsWith(&tls.Config{Certificates: []tls.Certificate{old},
			NextProtos: []string{wire.ALPN}}), "this machine's clock says"},
		{"another host's certificate", tlsWith(&tls.Config{Certificates: []tls.Certificate{elsewhere},
			NextProtos: []string{wire.ALPN}}), "its certificate is not for 127.0.0.1"},
		{"another protocol", tlsWith(&tls.Config{Certificates: []tls.Certificate{l.cert}, NextProtos: []string{"h2"}}),
			"is not the notifier"},
		{"no protocol", tlsWith(&tls.Config{Certificates: []tls.Certificate{l.cert}}), "is not the notifier"},
		{"TLS 1.2", tlsWith(&tls.Config{Certificates: []tls.Certificate{l.cert}, MaxVersion: tls.VersionTLS12}),
			"it speaks no TLS 1.3"},
		{"no TLS", func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") }, "speaks no TLS"},
		{"nothing", func(net.Conn) {}, "ended by the other side"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					tt.serve(conn)
					_ = conn.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, conn) // closed on unread bytes it would be reset
					conn.Close()
				}
			}()
			defer func() { ln.Close(); <-served }()
			c := New(Deps{Addresses: func() Addresses { return Addresses{} }, Log: quiet, Sessions: cache.NewMemory(0),
				Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
				TLS: func(string) *tls.Config {
					roots := x509.NewCertPool()
					roots.AddCert(l.ca.Cert)
					return &tls.Config{RootCAs: roots}
				}})
			_, err = c.overTCP(t.Context(), ln.Addr().String(), wire.ReasonStart)
			if err == nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("it says %v; want %q in it", err, tt.words)
			}
		})
	}
	t.Run("a certificate that the notifier refuses", func(t *testing.T) {
		l.refuse.Store(true)
		defer l.refuse.Store(false)
		c := l.connect()
		until(t, "a failure", func() bool {
			return strings.Contains(c.Status().Failure, "it refuses this client's certificate")
		})
	})
}

func tlsWith(cfg *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		server := tls.Server(c, cfg)
		if server.Handshake() == nil {
			_, _ = io.ReadAll(server)
		}
	}
}

package notifier

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"statewire/audit"
	"statewire/identity"
	"statewire/inbox"
	"statewire/notifier/wire"
	"statewire/relay"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nobodysRoots are what a site without a trust document has.
type nobodysRoots struct{}

func (nobodysRoots) Document() ([]byte, error) { return []byte("{}"), nil }
func (nobodysRoots) RootIDs() []string         { return []string{"root"} }

// site gives out certificates, and takes them back.
type site struct {
	*identity.Service
	own      *identity.Site
	verifier *identity.Verifier
	dir      string
	one      *member
	ahead    atomic.Int64 // by how much the verifier's clock is
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	var err error
	s.own, err = identity.Open(filepath.Join(s.dir, "identity"), identity.Options{})
	check(t, err)
	log, err := audit.Open(filepath.Join(s.dir, "audit"), audit.Options{})
	check(t, err)
	t.Cleanup(func() { log.Close() })
	s.Service, err = identity.New(identity.DefaultConfig(), identity.EnrollConfig{}, identity.Deps{Site: s.own, Audit: log,
		Trust: nobodysRoots{}})
	check(t, err)
	t.Cleanup(func() { s.Close() })
	s.verifier, err = identity.NewVerifier(filepath.Join(s.dir, "identity"), identity.DefaultConfig().RenewGrace,
		identity.Options{Clock: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }})
	check(t, err)
	return s
}

// member is somebody with a certificate of the site.
type member struct {
	pair tls.Certificate
	id   uuid.UUID // zero for a role
}

// enroll gives a new client, or a role, its certificate.
func (s *site) enroll(t testing.TB, role string) member {
	t.Helper()
	token, err := s.CreateToken(t.Context(), identity.TokenSpec{Uses: 1, Expires: time.Hour, Role: role})
	check(t, err)
	return s.enrollWith(t, token.Text, role)
}

func (s *site) enrollWith(t testing.TB, token, role string) member {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	check(t, err)
	var call identity.EnrollCall
	call.Request.Token = token
	call.Request.CSR = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
	if role != "" {
		call.Request.RoleName = "push1"
	}
	got, err := s.Enroll(t.Context(), call)
	check(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	pair, err := tls.X509KeyPair([]byte(got.Certificate), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
	check(t, err)
	m := member{pair: pair}
	if role == "" {
		m.id = uuid.MustParse(strings.TrimPrefix(got.ClientID, "GUID:"))
	}
	return m
}

// caller is who the certificate says.
func (s *site) caller(t testing.TB, m member) identity.Caller {
	t.Helper()
	leaf, err := x509.ParseCertificate(m.pair.Certificate[0])
	check(t, err)
	caller, err := s.verifier.Caller(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	check(t, err)
	return caller
}

func (s *site) revoke(t testing.TB, m member) {
	t.Helper()
	check(t, s.Revoke(t.Context(), clientText(m.id), "lost"))
}

// desk is a manager that notes what it is told.
type desk struct {
	works chan wire.Work

	mu   sync.Mutex
	asks []wire.Ask
	seen []wire.Row
	away error

	stopped bool // as the last work said
	results []wire.Result
	dropped []wire.Dropped
}

func newDesk() *desk { return &desk{works: make(chan wire.Work, 100)} }

func (d *desk) Work(ctx context.Context, ask wire.Ask) (wire.Work, error) {
	d.mu.Lock()
	d.asks = append(d.asks, ask)
	away := d.away
	d.mu.Unlock()
	if away != nil {
		return wire.Work{}, away
	}
	timer := time.NewTimer(50 * time.Second)
	defer timer.Stop()
	select {
	case work := <-d.works:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stopped = work.Stopped
		return work, nil
	case <-timer.C:
		d.mu.Lock()
		defer d.mu.Unlock()
		return wire.Work{Number: ask.Got, Stopped: d.stopped}, nil
	case <-ctx.Done():
		return wire.Work{}, ctx.Err()
	}
}

func (d *desk) Seen(_ context.Context, seen wire.Seen) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return d.away
	}
	d.seen = append(d.seen, seen.Rows...)
	return nil
}

func (d *desk) Results(_ context.Context, told wire.Results) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return d.away
	}
	d.results = append(d.results, told.Results...)
	d.dropped = append(d.dropped, told.Dropped...)
	return nil
}

func (d *desk) setAway(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = err
}

// rows are what it was told of a client.
func (d *desk) rows(id uuid.UUID) (rows []wire.Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range d.seen {
		if row.Client == id {
			rows = append(rows, row)
		}
	}
	return rows
}

// got are the numbers that its questions confirmed.
func (d *desk) got() (all []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ask := range d.asks {
		all = append(all, ask.Got)
	}
	return all
}

// messages are all that came with questions.
func (d *desk) messages() (all []wire.ComponentMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ask := range d.asks {
		all = append(all, ask.Messages...)
	}
	return all
}

// told are the strangers that were noted.
type notes struct {
	mu    sync.Mutex
	noted []identity.Stranger
	away  error
}

func (n *notes) Strangers(_ context.Context, list []identity.Stranger) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away == nil {
		n.noted = append(n.noted, list...)
	}
	return n.away
}

func (n *notes) setAway(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = err
}

// all are those that were noted.
func (n *notes) all() []identity.Stranger {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.noted)
}

// pipes is a listener whose connections are pipes: time can be made to pass while they are idle.
type pipes struct {
	conns  chan net.Conn
	broken chan error // what keeps it from taking the next one
	done   chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), broken: make(chan error), done: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case err := <-p.broken:
		return nil, err
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// bed is a server that runs, with its site.
type bed struct {
	*Server
	t        testing.TB
	site     *site
	desk     *desk
	notes    *notes
	pipes    *pipes // nil: it listens on loopback
	registry *prometheus.Registry
	stop     func()
	log      *lines
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type option func(*Config, *Deps)

// start runs a server. In a bubble it has no socket but pipes: time passes as it is made to.
func start(t testing.TB, site *site, inBubble bool, options ...option) *bed {
	t.Helper()
	b := &bed{t: t, site: site, desk: newDesk(), notes: &notes{}, registry: prometheus.NewRegistry(), log: &lines{}}
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	deps := Deps{Name: "push1", Spool: filepath.Join(site.dir, "spool"), Box: filepath.Join(site.dir, "bgb.box"),
		Certificate: site.own.Certificate, Callers: site.verifier, Strangers: b.notes, Manager: b.desk,
		Log: slog.New(slog.NewTextHandler(b.log, nil)), Registerer: b.registry}
	for _, change := range options {
		change(&cfg, &deps)
	}
	var err error
	b.Server, err = New(cfg, deps)
	check(t, err)
	if inBubble {
		b.pipes = newPipes()
		b.Server.listener = newListener(b.Server, b.pipes)
	} else {
		_, err = b.Listen()
		check(t, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// dial opens a connection without TLS.
func (b *bed) dial() net.Conn {
	b.t.Helper()
	if b.pipes != nil {
		return b.pipes.dial()
	}
	c, err := net.Dial("tcp", b.listener.Addr().String())
	check(b.t, err)
	return c
}

// peer is the other end of a connection.
type peer struct {
	t      testing.TB
	raw    net.Conn
	tls    *tls.Conn
	m      member
	frames chan frame // closed when the connection ends
	ended  error      // once frames is closed
}

type frame struct {
	kind    wire.Kind
	payload []byte
}

func clientTLS(m member) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{wire.ALPN}, Certificates: []tls.Certificate{m.pair}}
}

// connect opens a connection with the certificate of a member.
func (b *bed) connect(m member) *peer {
	b.t.Helper()
	return b.connectWith(m, clientTLS(m))
}

func (b *bed) connectWith(m member, config *tls.Config) *peer {
	b.t.Helper()
	p := &peer{t: b.t, raw: b.dial(), m: m, frames: make(chan frame, 1000)}
	p.tls = tls.Client(p.raw, config)
	check(b.t, p.tls.Handshake())
	done := make(chan struct{})
	go func() { defer close(done); p.read() }()
	b.t.Cleanup(func() { p.raw.Close(); <-done })
	return p
}

func (p *peer) read() {
	defer close(p.frames)
	for {
		kind, payload, err := wire.ReadFrame(p.tls, wire.MaxFrame)
		if err != nil {
			p.ended = err
			return
		}
		p.frames <- frame{kind, payload}
	}
}

func (p *peer) send(kind wire.Kind, payload []byte) {
	p.t.Helper()
	_, err := p.tls.Write(wire.AppendFrame(nil, kind, payload))
	check(p.t, err)
}

// next is the next frame; ok is false when the connection has ended.
func (p *peer) next() (f frame, ok bool) {
	p.t.Helper()
	select {
	case f, ok = <-p.frames:
		return f, ok
	case <-time.After(15 * time.Second):
		p.t.Fatal("nothing came for 15 seconds")
		return f, false
	}
}

func (p *peer) expect(kind wire.Kind) []byte {
	p.t.Helper()
	f, ok := p.next()
	if !ok || f.kind != kind {
		p.t.Fatalf("a frame of type %d came (%v, %v), not %d", f.kind, ok, p.ended, kind)
	}
	return f.payload
}

// closed expects the connection to end with a code; 0: without a word.
func (p *peer) closed(code wire.CloseCode) wire.CloseMessage {
	p.t.Helper()
	var got wire.CloseMessage
	for {
		f, ok := p.next()
		if !ok {
			break
		}
		if f.kind == wire.Close {
			var err error
			got, err = wire.DecodeClose(f.payload)
			check(p.t, err)
		}
	}
	if got.Code != code {
		p.t.Fatalf("closed with %d %q, not %d", got.Code, got.Text, code)
	}
	return got
}

// nothing expects that no frame has come and the connection is open.
func (p *peer) nothing() {
	p.t.Helper()
	select {
	case f, ok := <-p.frames:
		p.t.Fatalf("a frame of type %d came (open: %v, %v)", f.kind, ok, p.ended)
	default:
	}
}

func hello(m member, session uint64, change ...func(*wire.SignInMessage)) []byte {
	in := wire.SignInMessage{Time: time.Now(), Client: m.id, Version: "1", Session: session, Boot: "boot", Reason: "start"}
	for _, fn := range change {
		fn(&in)
	}
	return in.Encode()
}

func boot(name string) func(*wire.SignInMessage) {
	return func(m *wire.SignInMessage) { m.Boot = name }
}

// signIn signs in and returns the confirmation.
func (p *peer) signIn(session uint64, change ...func(*wire.SignInMessage)) wire.SignInConfirmMessage {
	p.t.Helper()
	p.send(wire.SignIn, hello(p.m, session, change...))
	m, err := wire.DecodeSignInConfirm(p.expect(wire.SignInConfirm))
	check(p.t, err)
	return m
}

// online connects and signs in.
func (b *bed) online(m member, session uint64, change ...func(*wire.SignInMessage)) *peer {
	b.t.Helper()
	p := b.connect(m)
	p.signIn(session, change...)
	return p
}

// relay starts a relay that passes the channel on, and returns the channel's URL there.
func (b *bed) relay(t testing.TB) string {
	t.Helper()
	in, err := inbox.Open(filepath.Join(t.TempDir(), "inbox"), nil)
	check(t, err)
	t.Cleanup(func() { in.Close() })
	cfg := relay.DefaultConfig()
	cfg.Listen, cfg.DiskReserve, cfg.InodeReserve = "127.0.0.1:0", 0, 0
	r, err := relay.New(cfg, relay.Deps{Inbox: in, Certificate: b.site.own.Certificate, Callers: b.site.verifier,
		Channel: b.Server})
	check(t, err)
	addr, err := r.Listen()
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() { cancel(); check(t, <-ended) })
	return "https://" + addr.String() + "/mp/channel"
}

// row is what the server says of a client.
func (b *bed) row(m member) wire.Row {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if c := b.hub.clients[m.id]; c != nil {
		return b.hub.fact(c)
	}
	return wire.Row{}
}

// is expects what the server says of a client.
func (b *bed) is(m member, online bool, reason string) wire.Row {
	b.t.Helper()
	row := b.row(m)
	if row.Online != online || row.Reason != reason {
		b.t.Fatalf("the client is online: %v for %q, not %v for %q", row.Online, row.Reason, online, reason)
	}
	return row
}

// until waits for something that comes by itself.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 seconds: %s", what)
		}
	}
}

// metric is the value of a metric with a label's value; "" takes the one without labels.
func (b *bed) metric(name, label string) float64 {
	b.t.Helper()
	families, err := b.registry.Gather()
	check(b.t, err)
	for _, family := range families {
		if family.GetName() != "statewire_channel_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			if label == "" || slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool {
				return l.GetValue() == label
			}) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// reports are the files in the box, by version and part; they are taken out.
func (b *bed) reports() (all []wire.Report) {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.deps.Box, "*.BOS"))
	check(b.t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		check(b.t, err)
		r, bad, err := wire.DecodeReport(text)
		check(b.t, err)
		if len(bad) > 0 {
			b.t.Fatalf("bad rows: %v", bad)
		}
		all = append(all, r)
		check(b.t, os.Remove(name))
	}
	slices.SortFunc(all, func(a, b wire.Report) int {
		return 1000*(int(a.Version)-int(b.Version)) + a.Part - b.Part
	})
	return all
}

var errAway = errors.New("away")

// enrollOnce is a member that was enrolled before.
func (s *site) enrollOnce(t testing.TB) member {
	if s.one == nil {
		m := s.enroll(t, "")
		s.one = &m
	}
	return *s.one
}

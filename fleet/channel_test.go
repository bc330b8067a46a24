package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/agenttest"
	callers "statewire/identity"
	"statewire/notifier"
	"statewire/notifier/wire"
)

// push is a real notifier of a site that gives certificates. It wakes whom it is told to.
type push struct {
	t       *testing.T
	site    *agenttest.Authority
	cert    tls.Certificate
	dir     string
	address string
	stop    func()
	work    chan wire.Work
	number  uint64
	results *ended // nil: nobody looks
}

// Verify implements notifier.Callers.
func (p *push) Verify(tls.ConnectionState) error { return nil }

// Refusal implements notifier.Callers.
func (p *push) Refusal(callers.Caller) error { return nil }

// Caller implements notifier.Callers.
func (p *push) Caller(state *tls.ConnectionState) (callers.Caller, error) {
	if len(state.PeerCertificates) == 0 || len(state.PeerCertificates[0].URIs) != 1 {
		return callers.Caller{}, errors.New("no client's certificate")
	}
	text := state.PeerCertificates[0].URIs[0].String()
	id, err := uuid.Parse(text[strings.LastIndex(text, ":")+1:])
	return callers.Caller{Client: id, Number: 1}, err
}

// Work is the manager's.
func (p *push) Work(ctx context.Context, _ wire.Ask) (wire.Work, error) {
	select {
	case w := <-p.work:
		return w, nil
	case <-ctx.Done():
		return wire.Work{}, ctx.Err()
	}
}

// Results is the manager's.
func (p *push) Results(ctx context.Context, r wire.Results) error {
	if p.results == nil {
		return nil
	}
	return p.results.Results(ctx, r)
}

// Seen is the manager's.
func (p *push) Seen(context.Context, wire.Seen) error { return nil }

func newPush(t *testing.T, site *agenttest.Authority) *push {
	t.Helper()
	p := &push{t: t, site: site, dir: t.TempDir(), work: make(chan wire.Work, 1)}
	p.cert = site.Certificate(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	p.begin("127.0.0.1:0")
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *push) begin(address string) {
	p.t.Helper()
	cfg := notifier.DefaultConfig()
	cfg.Listen = address
	server, err := notifier.New(cfg, notifier.Deps{Name: "push1", Spool: p.dir + "/spool", Box: p.dir + "/box", Callers: p,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &p.cert, nil }, Manager: p, Log: quiet})
	if err != nil {
		p.t.Fatal(err)
	}
	at, err := server.Listen()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	p.address = at.String()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("the notifier ended with %v", err)
		}
	})
}

// wake has the notifier wake all clients of a fleet.
func (p *push) wake(f *Fleet) {
	p.number++
	w := wire.Work{Number: p.number}
	for _, c := range f.clients {
		w.Wakes = append(w.Wakes, uuid.UUID(c.machine.id.Client))
	}
	p.work <- w
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// Clients with certificates are online, poll at once when they are woken, and come back after the site was away.
func TestAFleetIsOnline(t *testing.T) {
	authority, _, cfg := enrolling(t, 20)
	p := newPush(t, authority)
	token := authority.Token()
	cfg.Token, cfg.Notifier, cfg.For, cfg.Settle = &token, p.address, time.Hour, 0
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	want := cfg.Clients - f.silent
	within(t, time.Minute, "all online", func() bool { return f.Stats().OnlineTCP == want })
	if perClient := (runtime.NumGoroutine() - 100) / want; perClient > 6 { // three here, and the notifier's
		t.Errorf("%d goroutines for each client", perClient)
	}
	p.wake(f)
	within(t, time.Minute, "all poll", func() bool {
		s := f.Stats()
		return s.Wakes == int64(want) && s.Polls+s.PollsFailed == int64(want) // which they never do by themselves here
	})
	p.stop()
	within(t, time.Minute, "all offline", func() bool { return f.Stats().OnlineTCP == 0 })
	p.begin(p.address)
	for _, c := range f.clients {
		if c.channel != nil {
			c.channel.Reconnect("the test is in a hurry")
		}
	}
	within(t, time.Minute, "all online again", func() bool { return f.Stats().OnlineTCP == want })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if s := f.Stats(); s.OnlineTCP != want {
		t.Errorf("at its end %d were online, want %d", s.OnlineTCP, want)
	}
}

func TestAFleetWithoutCertificatesConnectsNowhere(t *testing.T) {
	_, _, cfg := enrolling(t, 5)
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.clients {
		if c.channel != nil {
			t.Fatal("a client without a certificate has a channel")
		}
	}
}

// A client that is woken while it works polls again afterwards: its poll may have gone out before.
func TestAWakeIsNeverLost(t *testing.T) {
	_, _, cfg := enrolling(t, 3)
	cfg.Silent = 0
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for _, c := range f.clients {
		c.sendDue, c.pollDue = never, never
	}
	f.clients[0].pollDue = time.Hour
	f.fill()
	f.clients[0].wake() // waits
	f.clients[1].wake() // is not on the agenda
	woken := map[int]bool{}
	for range 2 {
		c, _ := f.head(never)
		if c == nil {
			t.Fatal("a client that was woken is not due")
		}
		woken[c.index] = true
		c.pollDue = never
		if c.index == 0 {
			c.wake() // at work
		}
		f.mu.Lock()
		f.putBack(c)
		f.mu.Unlock()
	}
	if !woken[0] || !woken[1] {
		if c, _ := f.head(never); c == nil {
			t.Errorf("woken: %v", woken)
		}
	}
	again, _ := f.head(never)
	if again == nil || again.pollDue > time.Since(f.started) {
		t.Error("a wake that comes at work is lost")
	}
}

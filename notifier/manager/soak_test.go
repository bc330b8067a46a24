package manager_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/identity"
	"statewire/notifier"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
)

// soak says how much happens to how many clients, and for how long.
type soak struct {
	clients                 int
	lasts                   time.Duration
	eachEvent               time.Duration // between two events, of one client each
	eachRestart             time.Duration // of the server, and of the manager, in turns
	eachTask                time.Duration // between two tasks, of many clients each
	validity                time.Duration // of a task
	keepAlive, offlineAfter time.Duration
}

// slack is what the machine may need beyond what is promised: other tests run beside this one.
const slack = 15 * time.Second

// Clients lose their connections, fall asleep, stop and start, and so do the server and the manager. Whoever is
// connected is never told offline, and whoever is not never online, for longer than is promised; and at the end nothing
// is left of it all: no goroutine, no open file, no memory.
func TestPresenceIsTrueWhateverHappens(t *testing.T) {
	s := soak{clients: 60, lasts: 9 * time.Second, eachEvent: 40 * time.Millisecond, eachRestart: 3 * time.Second,
		eachTask: 300 * time.Millisecond, validity: time.Minute, keepAlive: time.Second, offlineAfter: 3 * time.Second}
	switch text := os.Getenv("STATEWIRE_TEST_SOAK"); {
	case text != "":
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("STATEWIRE_TEST_SOAK is %q, want a duration such as 1h", text)
		}
		s = soak{clients: 2000, lasts: d, eachEvent: 20 * time.Millisecond, eachRestart: time.Minute,
			eachTask: 15 * time.Second, validity: time.Minute, keepAlive: 45 * time.Second, offlineAfter: time.Minute}
	case testing.Short():
		t.Skip("it needs many connections")
	}
	world := newWorld(t, s)
	before := usageNow()
	world.run(t)
	world.stopAll(t)
	after := usageNow()
	t.Logf("%d clients, %v: %d drops, %d sleeps, %d stops, %d restarts of the server, %d of the manager, %d looks; the "+
		"longest that a client was shown online and was not: %v, offline and was not: %v; before %v, after %v",
		s.clients, s.lasts, world.drops, world.sleeps, world.stops, world.servers, world.managers, world.looks,
		world.worst[0].Round(time.Millisecond), world.worst[1].Round(time.Millisecond), before, after)
	if after.goroutines > before.goroutines+5 || after.files > before.files+5 {
		t.Errorf("left behind: before %v, after %v", before, after)
	}
	if after.heap > before.heap+32<<20 {
		t.Errorf("memory: before %v, after %v", before, after)
	}
}

// usage is what the process holds.
type usage struct {
	goroutines, files int
	heap              uint64
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d KiB", u.goroutines, u.files, u.heap>>10)
}

func usageNow() usage {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // none where there is no such folder
	return usage{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// world is a site and the machines around it.
type world struct {
	soak
	dir    string
	roots  *x509.CertPool
	cert   tls.Certificate
	random *mathrand.Rand
	ledger *ledger

	machines []*machine
	address  string

	// Owned by run.
	server  *running
	manager *running
	looked  *manager.Manager
	upSince time.Time // of both

	drops, sleeps, stops, servers, managers, looks int
	worst                                          [2]time.Duration
}

// running is a part of the site that can be stopped.
type running struct {
	stop context.CancelFunc
	over chan error
}

func start(run func(context.Context) error) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop, make(chan error, 1)}
	go func() { r.over <- run(ctx) }()
	return r
}

func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.over; err != nil {
		t.Error(err)
	}
}

func newWorld(t *testing.T, s soak) *world {
	t.Helper()
	ca := agenttest.NewCertAuthority(t)
	w := &world{soak: s, dir: t.TempDir(), roots: x509.NewCertPool(), random: mathrand.New(mathrand.NewPCG(1, 2))}
	w.roots.AddCert(ca.Cert)
	w.ledger = newLedger(t, w.dir)
	w.cert = issue(t, ca, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, SerialNumber: big.NewInt(1),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for i := range s.clients {
		m := &machine{world: w, id: uuid.New(), sessions: cache.NewMemory(0)}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 2)),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		template.Subject.CommonName = m.id.String()
		m.cert = issue(t, ca, template)
		w.machines = append(w.machines, m)
	}
	return w
}

func issue(t *testing.T, ca *agenttest.CertAuthority, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	return tls.Certificate{Certificate: [][]byte{ca.Sign(t, template, key.Public())}, PrivateKey: key}
}

// Verify implements notifier.Callers: the test's authority signed whoever comes.
func (w *world) Verify(cs tls.ConnectionState) error {
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: w.roots,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// Caller implements notifier.Callers.
func (w *world) Caller(cs *tls.ConnectionState) (identity.Caller, error) {
	id, err := uuid.Parse(cs.PeerCertificates[0].Subject.CommonName)
	return identity.Caller{Client: id, Number: cs.PeerCertificates[0].SerialNumber.Uint64()}, err
}

// Refusal implements notifier.Callers.
func (w *world) Refusal(identity.Caller) error { return nil }

func (w *world) startManager(t *testing.T) {
	t.Helper()
	m, err := manager.Open(manager.Config{Dir: filepath.Join(w.dir, "notifier"), Box: filepath.Join(w.dir, "bgb.box"),
		Server: "push1", ServerID: 1, PresenceInterval: 2 * time.Second,
		Live: manager.Live{Tasks: manager.DefaultTasksConfig()}}, w.ledger.deps())
	if err != nil {
		t.Fatal(err)
	}
	w.looked = m
	w.manager = start(func(ctx context.Context) error {
		err := m.Run(ctx)
		return errors.Join(err, m.Close())
	})
}

// toManager is the way from the server to the manager of this moment.
type toManager struct {
	now atomic.Pointer[manager.Manager]
}

func (m *toManager) Results(ctx context.Context, told wire.Results) error {
	return m.now.Load().Results(ctx, told)
}

func (m *toManager) Work(ctx context.Context, ask wire.Ask) (wire.Work, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // the manager may be another one by then
	defer cancel()
	return m.now.Load().Work(ctx, ask)
}

func (m *toManager) Seen(ctx context.Context, seen wire.Seen) error {
	return m.now.Load().Seen(ctx, seen)
}

func (w *world) startServer(t *testing.T, to *toManager) {
	t.Helper()
	cfg := notifier.DefaultConfig()
	cfg.Listen, cfg.KeepAlive, cfg.OfflineAfter, cfg.PresenceInterval = w.listen(), w.keepAlive, w.offlineAfter,
		2*time.Second
	server, err := notifier.New(cfg, notifier.Deps{Name: "push1", ServerID: 1, Spool: filepath.Join(w.dir, "spool"),
		Box: filepath.Join(w.dir, "bgb.box"), Callers: w, Manager: to, Log: slog.New(slog.DiscardHandler),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &w.cert, nil }})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if w.address == "" {
		w.address = addr.String() // before any client starts
	}
	w.server = start(server.Run)
}

// listen is the address of the first start, whenever the server starts again.
func (w *world) listen() string {
	if w.address == "" {
		return "127.0.0.1:0"
	}
	return w.address
}

// run has things happen, and looks again and again whether what is said of the clients is true.
func (w *world) run(t *testing.T) {
	to := &toManager{}
	w.startManager(t)
	to.now.Store(w.looked)
	w.startServer(t, to)
	w.upSince = time.Now()
	for _, m := range w.machines {
		m.startClient()
	}
	over := time.After(w.lasts)
	events, looks := time.NewTicker(w.eachEvent), time.NewTicker(200*time.Millisecond)
	restarts, tasks := time.NewTicker(w.eachRestart), time.NewTicker(w.eachTask)
	defer tasks.Stop()
	defer events.Stop()
	defer looks.Stop()
	defer restarts.Stop()
	for turn := 0; ; {
		select {
		case <-over:
			w.settle(t)
			w.balance(t)
			w.server.end(t)
			w.manager.end(t)
			return
		case <-events.C:
			w.event()
		case <-tasks.C:
			w.ask(t)
		case <-looks.C:
			w.look(t)
		case <-restarts.C:
			if turn++; turn%2 == 1 {
				w.server.end(t)
				w.startServer(t, to)
				w.servers++
			} else {
				w.manager.end(t)
				w.startManager(t)
				to.now.Store(w.looked)
				w.managers++
			}
			w.upSince = time.Now()
		}
	}
}

// event has something happen to one machine.
func (w *world) event() {
	m := w.machines[w.random.IntN(len(w.machines))]
	switch kind := w.random.IntN(10); {
	case m.stopped():
		m.startClient()
	case m.asleep():
		m.awake()
	case kind < 5:
		m.drop()
		w.drops++
	case kind < 8:
		m.sleep()
		w.sleeps++
	default:
		m.stopClient()
		w.stops++
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed = time.Now() // two of them may come between two looks
}

// look compares what the manager says of each machine with what is true.
func (w *world) look(t *testing.T) {
	w.looks++
	now := time.Now()
	for _, m := range w.machines {
		said, known := w.looked.Presence(m.id)
		online := known && said.Online
		reachable, since := m.truth()
		switch {
		case online == reachable:
			m.wrongSince = time.Time{}
			continue
		case m.wrongSince.IsZero():
			m.wrongSince = now
		}
		m.wrongSince = later(m.wrongSince, later(since, w.upSince))
		wrong := now.Sub(m.wrongSince)
		may, kind := slack, 1
		if online {
			may, kind = w.offlineAfter+w.offlineAfter/20+slack, 0
		}
		w.worst[kind] = max(w.worst[kind], wrong)
		if wrong > may {
			t.Fatalf("client %s is shown online %v for %v (at most %v): %+v; its own status: %+v", m.id, online, wrong, may,
				said, m.status())
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stopAll ends every client.
func (w *world) stopAll(t *testing.T) {
	t.Helper()
	var g errgroup.Group
	for _, m := range w.machines {
		g.Go(func() error {
			m.awake()
			m.stopClient()
			return nil
		})
	}
	_ = g.Wait()
}

package runner

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"statewire/agent/cache"
	"statewire/agent/runner/process"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/trust"
)

func TestMain(m *testing.M) {
	liveInChild()
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// site signs tasks.
type site struct {
	t    testing.TB
	id   uuid.UUID
	doc  *trust.Document
	key  string
	sign ed25519.PrivateKey
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, id: uuid.New()}
	keys, err := trust.OpenKeys(t.TempDir()+"/trust", trust.Options{Site: s.id.String()})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := keys.Document()
	if err != nil {
		t.Fatal(err)
	}
	if s.doc, err = trust.Read(envelope); err != nil {
		t.Fatal(err)
	}
	if s.key, s.sign, err = keys.TaskKey(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) envelope(kind string, payload []byte) []byte {
	s.t.Helper()
	e, err := trust.SignEnvelope(kind, payload, s.key, s.sign)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// machine is a client with its runner, on fake time.
type machine struct {
	*site
	client uuid.UUID
	store  Store
	boots  string
	own    Rules
	held   Packs
	folder string
	run    func(ctx context.Context, s process.Spec) (process.Result, error)
	work   func(ctx context.Context) (string, error) // of Scan
	logs   string

	r    *Runner
	stop func() error

	mu     sync.Mutex
	wall   time.Duration // by which its wall clock is off
	booted time.Time     // when it was started
	raised []cache.State
	polls  int
	sends  int
	sent   int // resends
}

func (m *machine) Raise(states ...cache.State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range states {
		if err := states[i].Check(); err != nil {
			return err
		}
	}
	m.raised = append(m.raised, states...)
	return nil
}
func (m *machine) SendNow()      { m.mu.Lock(); defer m.mu.Unlock(); m.sends++ }
func (m *machine) PollNow()      { m.mu.Lock(); defer m.mu.Unlock(); m.polls++ }
func (m *machine) Resend() error { m.mu.Lock(); defer m.mu.Unlock(); m.sent++; return nil }

// effects is how often anything was done.
func (m *machine) effects() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.raised) + m.polls + m.sends + m.sent
}

func (m *machine) deps() Deps {
	return Deps{Client: m.client, Site: m.id.String, Trust: func() *trust.Document { return m.doc }, Store: m.store,
		Packs: m.held, Agent: m, Rules: m.own, Log: quiet, Folder: m.folder, Process: m.run, Restarts: true,
		Scan: m.work, Logs: func(context.Context) ([]byte, error) { return []byte(m.logs), nil }, Version: "1.4.0",
		OS:    "linux",
		Clock: Clock{Wall: m.now, Boot: m.up, Run: func() string { return m.boots }}}
}

// now is what its wall clock shows, and up how long it is on.
func (m *machine) now() time.Time    { m.mu.Lock(); defer m.mu.Unlock(); return time.Now().Add(m.wall) }
func (m *machine) up() time.Duration { m.mu.Lock(); defer m.mu.Unlock(); return time.Since(m.booted) }

// turn puts its wall clock wrong, and sleep lets it sleep.
func (m *machine) turn(by time.Duration) { m.mu.Lock(); defer m.mu.Unlock(); m.wall = by }
func (m *machine) sleep(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.booted = m.booted.Add(-d)
}

// reboot starts the machine anew, and the runner on it.
func (m *machine) reboot() *machine {
	_ = m.stop()
	m.booted, m.boots = time.Now(), uuid.NewString()
	return m.start()
}

func newMachine(t testing.TB) *machine {
	m := &machine{site: newSite(t), client: uuid.New(), store: cache.NewMemory(0), boots: "a", booted: time.Now(),
		own: Rules{Tasks: Run, Allow: packs.Destructive}, folder: t.TempDir(),
		work: func(context.Context) (string, error) { return "nothing", nil },
		run:  func(context.Context, process.Spec) (process.Result, error) { return process.Result{}, nil }}
	t.Cleanup(func() { m.end() })
	return m
}

// start starts the runner over what is kept.
func (m *machine) start() *machine { m.t.Helper(); return m.startWith(m.deps()) }

func (m *machine) startWith(d Deps) *machine {
	m.t.Helper()
	var err error
	if m.r, err = New(d); err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.r.Run(ctx) }()
	var once sync.Once
	m.stop = func() (err error) {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	return m
}

func (m *machine) end() {
	if m.stop != nil {
		_ = m.stop()
	}
}

// bubble runs a test on fake time, on which a client has just connected.
func bubble(t *testing.T, test func(t *testing.T, m *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t).start()
		m.clock()
		test(t, m)
		m.end()
	})
}

// clock tells the client the time, signed.
func (m *machine) clock() {
	m.r.SignedTime(wire.SignTime(m.key, m.sign, m.id, time.Now()))
	m.r.SiteTime(time.Now())
	synctest.Wait()
}

// order is a request for a task of the built-in pack for one hour.
func (m *machine) order(name string, change ...func(*wire.RequestMessage)) wire.RequestMessage {
	own := packs.BuiltIn()
	r := wire.RequestMessage{TaskID: 13, Task: uuid.New(), Type: wire.TypePack, Site: m.id, Client: m.client,
		Issued: time.Now().UTC(), NotAfter: time.Now().Add(time.Hour).UTC(), Pack: own.ID, PackVersion: own.Version.String(),
		PackHash: own.Hash, Name: "Statewire.Utility." + name}
	for _, fn := range change {
		fn(&r)
	}
	return r
}

func (m *machine) signed(r wire.RequestMessage) []byte {
	return m.envelope(wire.RequestType, r.Encode())
}

// ask pushes a task and returns it.
func (m *machine) ask(name string, change ...func(*wire.RequestMessage)) wire.RequestMessage {
	r := m.order(name, change...)
	m.push(r)
	return r
}

func (m *machine) push(r wire.RequestMessage) {
	m.r.Request(9, m.signed(r))
	synctest.Wait()
}

// answers are all that the runner has to say.
func (m *machine) answers() (all []wire.ResponseMessage) {
	m.t.Helper()
	for {
		synctest.Wait()
		some := m.r.Take()
		if len(some) == 0 {
			return all
		}
		for _, a := range some {
			r, err := wire.DecodeResponse(a.Payload)
			if err != nil {
				m.t.Fatal(err)
			}
			if early := r.Step == wire.StepReceived || r.Step == wire.StepRunning; early != (a.Kind == wire.Received) {
				m.t.Errorf("step %s in a frame of type %d", r.Step, a.Kind)
			}
			all = append(all, r)
		}
	}
}

// steps are the steps in answers, with their codes.
func steps(all []wire.ResponseMessage) (out []string) {
	for _, r := range all {
		step := string(r.Step)
		if r.Code != "" {
			step += " " + r.Code
		}
		out = append(out, step)
	}
	return out
}

func (m *machine) expect(what string, want ...string) []wire.ResponseMessage {
	m.t.Helper()
	got := m.answers()
	if !slices.Equal(steps(got), want) {
		m.t.Errorf("%s: the site is told %q, want %q", what, steps(got), want)
	}
	return got
}

func (m *machine) kept() (n int) {
	m.t.Helper()
	if err := m.store.Tasks(func(cache.Task) { n++ }); err != nil {
		m.t.Fatal(err)
	}
	return n
}

// broken is a store that takes no writes while it is broken.
type broken struct {
	Store
	mu  sync.Mutex
	bad bool
}

var errBroken = errors.New("no space left on device")

func (b *broken) set(bad bool) { b.mu.Lock(); defer b.mu.Unlock(); b.bad = bad }

func (b *broken) PutTask(t cache.Task, pack string, version [4]uint32) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bad {
		return errBroken
	}
	return b.Store.PutTask(t, pack, version)
}

package manager_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/agent/cache"
	"statewire/agent/channel"
)

// machine is one client and the network it stands in.
type machine struct {
	world    *world
	id       uuid.UUID
	cert     tls.Certificate
	sessions *cache.Memory

	wrongSince time.Time // Owned by the world's run.

	mu      sync.Mutex
	client  *channel.Channel
	running *running
	sleeps  chan struct{} // closed when it wakes up; nil: it is awake
	conns   []net.Conn
	changed time.Time // of the truth, as the machine knows it
	was     bool
}

func (m *machine) startClient() {
	tasks, err := m.newRunner()
	if err != nil {
		panic(err) // it reads from memory
	}
	c := channel.New(channel.Deps{Tasks: tasks, Client: m.id, Version: "soak", Boot: uuid.NewString(),
		Sessions: m.sessions,
		Enrolled: func() bool { return true }, Wake: func() {}, Log: slog.New(slog.DiscardHandler), Quiet: true,
		Addresses: func() channel.Addresses {
			return channel.Addresses{Notifier: m.world.address, Relay: "https://127.0.0.1:1", Known: true}
		},
		Dial: m.dial, StartupJitter: time.Second,
		TLS: func(host string) *tls.Config {
			return &tls.Config{RootCAs: m.world.roots, ServerName: host, Certificates: []tls.Certificate{m.cert},
				MinVersion: tls.VersionTLS13}
		}})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client = c
	m.running = start(func(ctx context.Context) error {
		var g errgroup.Group
		g.Go(func() error { return tasks.Run(ctx) })
		g.Go(func() error { return c.Run(ctx) })
		return g.Wait()
	})
}

func (m *machine) stopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client == nil
}

func (m *machine) asleep() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sleeps != nil
}

func (m *machine) stopClient() {
	m.mu.Lock()
	r := m.running
	m.running = nil
	m.mu.Unlock()
	if r == nil {
		return
	}
	r.stop()
	<-r.over
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client, m.conns = nil, nil
}

// sleep has nothing pass between the machine and the world until it is awake.
func (m *machine) sleep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sleeps = make(chan struct{})
}

func (m *machine) awake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sleeps != nil {
		close(m.sleeps)
		m.sleeps = nil
	}
}

// drop resets the machine's connections.
func (m *machine) drop() {
	m.mu.Lock()
	conns := m.conns
	m.conns = nil
	m.mu.Unlock()
	for _, c := range conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}

func (m *machine) status() channel.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		return channel.Status{Waits: "stopped"}
	}
	return m.client.Status()
}

// truth says whether the machine can be reached, and since when.
func (m *machine) truth() (bool, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	is := m.client != nil && m.sleeps == nil && m.client.Status().Transport != ""
	if is != m.was {
		m.was, m.changed = is, time.Now()
	}
	return is, m.changed
}

// dial connects a machine that is awake.
func (m *machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := m.wait(ctx.Done()); err != nil {
		return nil, err
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(slices.DeleteFunc(m.conns, func(c net.Conn) bool { return closed(c) }), c)
	return &gated{Conn: c, m: m, gone: make(chan struct{})}, nil
}

func closed(c net.Conn) bool { return c.SetDeadline(time.Time{}) != nil }

// wait returns once the machine is awake, or with an error when gone is closed before.
func (m *machine) wait(gone <-chan struct{}) error {
	m.mu.Lock()
	sleeps := m.sleeps
	m.mu.Unlock()
	if sleeps == nil {
		return nil
	}
	select {
	case <-sleeps:
		return nil
	case <-gone:
		return net.ErrClosed
	}
}

// gated is a connection of a machine: nothing passes while that sleeps.
type gated struct {
	net.Conn
	m    *machine
	once sync.Once
	gone chan struct{}
}

func (g *gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if gate := g.m.wait(g.gone); gate != nil {
		return 0, gate
	}
	return n, err
}

func (g *gated) Write(b []byte) (int, error) {
	if err := g.m.wait(g.gone); err != nil {
		return 0, err
	}
	return g.Conn.Write(b)
}

func (g *gated) Close() error {
	g.once.Do(func() { close(g.gone) })
	return g.Conn.Close()
}

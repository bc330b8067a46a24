// Package notifier holds one connection per client and pushes tasks down it: a lost push costs a delay, never data.
// What it says of who is online is true: a client counts as online only while this server heard of it, and a client has
// at most one session.
package notifier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/notifier/wire"
)

// GCPercent is what a process that runs the notifier alone should give to debug.SetGCPercent. Nearly all that it holds
// is connections that live long, so that a collection which waits for as much garbage doubles the memory for nothing.
const GCPercent = 25

// Callers knows callers by their certificates; an *identity.Verifier. Its errors tell why a caller is not known: an
// *identity.Refusal says with which code.
type Callers interface {
	// Verify decides on a handshake, new or resumed.
	Verify(tls.ConnectionState) error
	// Caller says who is behind a connection that Verify let pass, as things are now.
	Caller(*tls.ConnectionState) (identity.Caller, error)
	// Refusal is why a caller who was let in would not be any more.
	Refusal(identity.Caller) error
}

// manager says what there is to do, and takes what is told of presence and of tasks. It may be away: the server goes
// on.
type manager interface {
	// Work waits for work, at most about 50 seconds. The same work comes again until the question says that it was got.
	Work(context.Context, wire.Ask) (wire.Work, error)
	// Seen takes changes of presence at once; the next report tells them again.
	Seen(context.Context, wire.Seen) error
	// Results takes at once how far clients are with their tasks; the next result file tells it again.
	Results(context.Context, wire.Results) error
}

// strangers takes note of callers that spoke for other clients.
type strangers interface {
	Strangers(context.Context, []identity.Stranger) error
}

// Deps is what a server is given beside its configuration.
type Deps struct {
	// Name is the server's, as reports say it. Empty: the machine's host name.
	Name string
	// ServerID is the server's number in its site. Zero: 1, the notifier of the data directory itself.
	ServerID uint32
	// Spool is the folder of what the server itself must not forget. It is made.
	Spool string
	// Box is the folder that presence reports are put into (bgb.box). It is made.
	Box string
	// Certificate yields the listener's certificate, as identity.Site and identity.Files do.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Callers knows the clients; an *identity.Verifier.
	Callers Callers
	// Strangers has a line written into the audit log about those who speak for others; an *identity.Service or a Remote.
	// Nil notes nobody.
	Strangers strangers
	// Manager has the work; a *manager.Manager, or a client of the one in another process. Nil: there is none.
	Manager manager
	// SelfTest is how the server tries its own listeners. Nil tries none.
	SelfTest *SelfTest
	// OtherFiles is how many open files the other roles of the process need.
	OtherFiles int
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is time.Now; for times that are told, never for intervals
}

// Server is the listener of the channel, and who is online there.
type Server struct {
	// Constant after New.
	deps     Deps
	log      *slog.Logger
	now      func() time.Time
	steady   *steady
	epoch    uint64
	metrics  *metrics
	hub      *hub
	queue    *queue
	results  *results
	spool    *spool
	presence *presence
	teller   *teller
	work     *work
	messages *messages
	told     *told
	stopping chan struct{} // closed when the server stops: no request waits any more
	parted   chan struct{} // closed when it has stopped, and the manager has been told

	cfg  atomic.Pointer[Config]
	http atomic.Int64 // requests of the HTTP side in hand
	time atomic.Pointer[signed]

	// Set by Listen, before Run serves.
	mu       sync.Mutex
	listener *listener
}

// New checks the configuration and what it was given, and counts the server's start; nothing runs before Run.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Certificate == nil || deps.Callers == nil || deps.Spool == "" || deps.Box == "" {
		return nil, errors.New("notifier: needs a certificate, callers, and the folders for its spool and its reports")
	}
	if err := complete(&deps); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(deps.Spool, 0o700); err != nil {
		return nil, fmt.Errorf("make the notifier's spool: %w", err)
	}
	epoch, err := nextEpoch(deps.Spool, deps.Clock())
	if err != nil {
		deps.Log.Error("this start of the notifier is not counted; its number is the time", "epoch", epoch, "err", err)
	}
	s := &Server{deps: deps, log: deps.Log, now: deps.Clock, steady: newSteady(), epoch: epoch,
		metrics: newMetrics(deps.Registerer), stopping: make(chan struct{}),
		parted: make(chan struct{})}
	s.cfg.Store(&cfg)
	s.messages = newMessages(s.now, s.steady)
	s.told = &told{to: deps.Strangers, log: s.log, steady: s.steady}
	s.hub = newHub(s)
	s.queue = newQueue(cfg.ThrottlePerSecond, s)
	s.results = newResults(s)
	s.spool = newSpool(s)
	s.presence = newPresence(s)
	s.teller = &teller{s: s, rows: map[uuid.UUID]wire.Row{}, more: make(chan struct{}, 1)}
	s.work = &work{s: s}
	s.spool.open()
	return s, nil
}

// complete fills in what was left to the server.
func complete(deps *Deps) (err error) {
	if deps.Name == "" {
		if deps.Name, err = os.Hostname(); err != nil {
			return err
		}
	}
	if deps.ServerID == 0 {
		deps.ServerID = 1
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	return nil
}

// Configure changes what may change while the server runs: all but the address, and the limit on connections.
func (s *Server) Configure(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	had := s.cfg.Load()
	cfg.Listen, cfg.MaxConnections = had.Listen, had.MaxConnections
	s.cfg.Store(&cfg)
	s.queue.throttle(cfg.ThrottlePerSecond)
	return nil
}

// Epoch is how often the server has started.
func (s *Server) Epoch() uint64 { return s.epoch }

// Listen opens the listener and returns its address, which tells the port when the configured one is 0. Run does it
// when nobody did.
func (s *Server) Listen() (net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		l, err := listen(s)
		if err != nil {
			return nil, err
		}
		s.listener = l
	}
	return s.listener.Addr(), nil
}

// Run serves until ctx is done, then says good-bye to the clients, writes a last report and returns nil.
func (s *Server) Run(ctx context.Context) error {
	addr, err := s.Listen()
	if err != nil {
		return err
	}
	s.log.Info("notifier listening", "addr", addr.String(), "server", s.deps.Name, "epoch", s.epoch)
	s.messages.say(wire.ServerStarted, "", "The notification server %s started, listening on %s.", s.deps.Name, addr)
	var group errgroup.Group
	group.Go(func() error { s.listener.run(); return nil })
	for _, run := range []func(context.Context){s.sweeps, s.presence.run, s.teller.run, s.queue.run, s.work.run,
		s.told.run, s.selfTests, s.results.run, s.results.files, s.spool.run} {
		group.Go(func() error { run(ctx); return nil })
	}
	<-ctx.Done()
	s.log.Info("notifier stopping")
	close(s.stopping)
	s.listener.stop()
	s.hub.stop()
	s.presence.last() // before the wait for clients that are slow to read their good-bye
	s.teller.last()
	s.results.last()
	close(s.parted)
	s.listener.wait()
	err = group.Wait()
	s.log.Info("notifier stopped")
	return err
}

// Parted is closed when a server that stops has told the manager so.
func (s *Server) Parted() <-chan struct{} { return s.parted }

// Ready says why what this server knows does not reach the site; nil when it does.
func (s *Server) Ready() error {
	return errors.Join(s.presence.ready(), s.results.ready(), s.spool.ready())
}

// Package site is a site as a library: which roles run and how they find each other. What listens first are the relay's
// reports: they are taken while the store opens, and even when it does not.
package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"statewire/collections"
	"statewire/configs"
	"statewire/identity"
	"statewire/inbox"
	"statewire/ingest"
	"statewire/internal/control"
	"statewire/notifier"
	"statewire/notifier/manager"
	"statewire/policies"
	"statewire/relay"
	"statewire/reports"
	"statewire/reports/explain"
	"statewire/reports/names"
	summaries "statewire/reports/summary"
	"statewire/resync"
	"statewire/store"
)

// Config is what a site is made of. What is not named may stay zero.
type Config struct {
	Data     string         // the data directory; it is made where it is missing
	Settings configs.Config // checked
	Roles    Roles
	Log      *slog.Logger
	Version  string // of the program, for the pages

	Notice  func() string   // stands on top of every page; nil: nothing does
	Pages   net.Listener    // of the reports; nil listens on reports.listen. The caller closes it
	Started func(Addresses) // called once everything listens
	// FirstSteps is told, by the first start of a site, the command that enrols a first client. It holds a secret. Nil
	// writes it into a file.
	FirstSteps func(text string)
	AgentLog   agentLogReader // what the agent of this machine knows of a message
	// Follow runs beside the stages, and puts the settings that changed into force.
	Follow func(ctx context.Context, apply func(configs.Config))

	RetentionNow bool          // a shorter retention does not wait for its day
	NewStore     bool          // a new store in a data directory that had one is welcome
	NeedsStore   bool          // the site ends when the store does not open, though it has a relay
	RepairRetry  time.Duration // the pause before a store that did not open is tried again; 0 is a minute
}

// agentLogReader says what an agent knows of one of its messages; nothing when it is another client's.
type agentLogReader = func(ctx context.Context, client uuid.UUID, serial uint64) ([]explain.AgentEvent, error)

// Site is the stages that this process runs, wired together.
type Site struct {
	// Constant after New.
	cfg      Config
	log      *slog.Logger
	registry *prometheus.Registry

	live atomic.Pointer[configs.Config] // the settings in force; only live keys differ from the configured ones

	// Filled while starting, in this order.
	inbox     *inbox.Dir // nil for a notifier alone
	identity  *Identity  // nil where the role does not run
	policies  policySource
	tokens    tokenSource
	names     nameSource
	manager   managerSource
	notifier  *notifier.Server                    // nil where the role does not run
	selfTest  *notifier.SelfTest                  // nil where it is not tried
	resync    atomic.Pointer[resync.Service]      // nil until the stage has started, and where it does not run
	sets      atomic.Pointer[collections.Service] // likewise
	summaries atomic.Pointer[summaries.Summarizer]
	store     atomic.Pointer[store.Store] // nil until it is open, and where no role needs it
	pages     net.Listener
	addresses Addresses
	relay     *relay.Relay // nil where the role does not run
	closers   []func() error
	renewals  []func(context.Context) error // of certificates that this process renews
}

// Addresses are where a running site can be reached.
type Addresses struct {
	Relay    string
	Notifier string // host and port
	Reports  string
	CAFile   string
}

// New prepares the data directory; nothing runs before Run. Nothing is made where the site's sockets could not be: the
// error is a control.ErrTooLong then.
func New(c Config) (*Site, error) {
	if err := SocketsFit(c.Data); err != nil {
		return nil, fmt.Errorf("the data directory: %w", err)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := store.Prepare(c.Data); err != nil {
		return nil, err
	}
	s := &Site{cfg: c, log: c.Log, pages: c.Pages, registry: prometheus.NewRegistry()}
	s.live.Store(&s.cfg.Settings)
	if !c.Roles.Has("resync") {
		s.policies.other = policies.Dial(ResyncSocket(c.Data))
		s.names.other = names.Dial(ResyncSocket(c.Data))
	}
	if !c.Roles.Has("ingest") {
		s.manager.other = manager.Dial(ManagerSocket(c.Data))
	}
	s.tokens.other = identity.DialAPITokens(IdentitySocket(c.Data))
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s, nil
}

// Run starts the stages and returns when ctx is done and all of them have stopped, or when one of them fails.
func (s *Site) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	s.boundMemory()
	if err := CheckSplit(s.cfg.Data, s.cfg.Roles); err != nil {
		return err
	}
	unlock, err := s.lockRoles(ctx)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, unlock)
	if err := checkSecrets(s.cfg.Data); err != nil {
		return err
	}
	warnSecrets(s.cfg.Settings, s.log)
	if s.cfg.Roles.needInbox() {
		if s.inbox, err = OpenInbox(s.cfg.Data, s.cfg.Settings, s.log); err != nil {
			return err
		}
		s.closers = append(s.closers, s.inbox.Close)
		s.registry.MustRegister(s.inbox.Collector(), s.noLoaderGauge())
	}
	stages, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(stages)
	if err = s.start(gctx, g); err != nil {
		stop() // what has started must not outlive the inbox
	}
	return errors.Join(unlessDone(ctx, err), g.Wait())
}

// boundMemory keeps a relay alone small whatever clients send, and the loader within its share. What connections of
// channels need comes on top: with too low a bound the collector would never rest.
func (s *Site) boundMemory() {
	var channels int64
	if s.cfg.Roles.Has("relay") {
		channels = int64(s.channelClients()) * waitingBytes
	}
	if s.cfg.Roles.Has("notifier") {
		channels += int64(min(s.cfg.Settings.Notifier.MaxConnections, openFiles())) * idleBytes
	}
	switch {
	case s.cfg.Roles.Has("ingest"):
		debug.SetMemoryLimit(ingest.MemoryLimit + channels)
	case s.cfg.Roles.needStore():
	case s.cfg.Roles.Has("relay"):
		debug.SetMemoryLimit(relay.MemoryLimit + channels)
	case s.cfg.Roles.Has("notifier"):
		debug.SetGCPercent(notifier.GCPercent)
	}
}

// start starts the stages in g. When one fails, those before it run.
func (s *Site) start(ctx context.Context, g *errgroup.Group) error {
	if s.cfg.Roles.Has("identity") {
		if err := s.startIdentity(ctx, g); err != nil {
			return err
		}
	}
	if s.cfg.Roles.Has("ingest") {
		if err := s.startManager(ctx, g); err != nil {
			return err
		}
	}
	if err := s.startListeners(ctx, g); err != nil {
		return err
	}
	if !s.cfg.Roles.Has("reports") {
		if err := s.startPeer(ctx, g); err != nil {
			return err
		}
	}
	if s.cfg.Follow != nil {
		g.Go(func() error { s.cfg.Follow(ctx, s.configure); return nil })
	}
	if s.cfg.Roles.needStore() {
		g.Go(func() error { return s.runStored(ctx) })
	} else if s.cfg.Started != nil {
		s.cfg.Started(s.addresses)
	}
	s.giveFirstSteps(ctx)
	return nil
}

func (s *Site) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// runStored runs the stages that need the store.
func (s *Site) runStored(ctx context.Context) error {
	db, err := s.openStoreBehindPages(ctx)
	if err != nil {
		return unlessDone(ctx, err)
	}
	s.store.Store(db)
	stages, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(stages)
	err = s.startOnceMade(gctx, g, db)
	if err != nil {
		stop() // what has started must not outlive the store
	} else if s.cfg.Started != nil {
		s.cfg.Started(s.addresses)
	}
	err = errors.Join(unlessDone(ctx, err), g.Wait())
	if ctx.Err() != nil {
		s.mirrorLast(db)
	}
	return errors.Join(err, db.Close())
}

// unlessDone is what stopped a start, unless it was a person.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (s *Site) startStored(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	if handler := db.ReadOnlyHandler(); handler != nil && s.cfg.Settings.Store.Listen != "" {
		if err := s.startStoreListener(ctx, g, handler); err != nil {
			return err
		}
	}
	if s.cfg.Roles.Has("reports") && s.cfg.Settings.Reports.Listen != "" {
		if err := s.startReports(ctx, g, db); err != nil {
			return err
		}
	}
	if s.cfg.Roles.Has("resync") {
		if err := s.startResync(ctx, g, db); err != nil {
			return err
		}
	}
	if s.cfg.Roles.Has("ingest") {
		return s.startIngest(ctx, g, db)
	}
	return nil
}

func (s *Site) startIngest(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	box, err := s.inbox.Loader(s.cfg.Settings.Ingest.LoaderChunkFiles, s.cfg.Settings.Ingest.MaxChunksFetched)
	if err != nil {
		return err
	}
	loader, err := ingest.New(s.cfg.Settings.Ingest, ingest.Deps{
		Inbox: box, Store: db, Refused: RefusedFile(s.cfg.Data), Log: s.log.With("stage", "ingest"), Registerer: s.registry,
	})
	if err != nil {
		return errors.Join(err, box.Close())
	}
	g.Go(func() error { return errors.Join(loader.Run(ctx), box.Close()) })
	if own := s.manager.own.Load(); own != nil {
		g.Go(func() error { return own.Mirror(ctx, db) })
	}
	g.Go(func() error { return db.Watch(ctx) })
	g.Go(func() error { return copyHeads(ctx, s.cfg.Data, db, s.log) })
	g.Go(func() error { return db.KeepHistory(ctx, s.cfg.RetentionNow) })
	zone, err := reports.ParseZone(s.cfg.Settings.Reports.Timezone)
	if err != nil {
		return errors.Join(fmt.Errorf("reports.timezone: it has to be %w", err), box.Close())
	}
	summarizer := summaries.New(s.cfg.Settings.Reports.SummaryInterval, summaries.Deps{
		Store: db, InFlight: loader.InFlight, Orphans: orphans(db), Stale: s.cfg.Settings.Reports.StaleAfter,
		Waiting: waitingClients{s.inbox}, Zone: zone, Collections: collections.New(db, s.log.With("stage", "reports"), time.Now),
		Log: s.log.With("stage", "reports"), Registerer: s.registry,
	})
	s.summaries.Store(summarizer)
	g.Go(func() error { return summarizer.Run(ctx) })
	return nil
}

// orphans is how long inserts of a process that died may go on in an engine that did not die with it.
func orphans(db *store.Store) time.Duration {
	if db.Embedded() {
		return 0
	}
	return 15 * time.Minute
}

// startSocket lets other processes of the site use the store, and nobody else: the socket is the owner's alone.
func (s *Site) startSocket(ctx context.Context, g *errgroup.Group, handler http.Handler) error {
	served, err := storeCalls(handler).handler(s.cfg.Data)
	if err != nil {
		return err
	}
	ln, err := control.Listen(filepath.Join(s.cfg.Data, "statewire.sock"))
	if err != nil {
		return err
	}
	serveHTTP(ctx, g, ln, served)
	return nil
}

// storeCalls is what the store's socket serves.
func storeCalls(handler http.Handler) *calls {
	served := newCalls(identity.AtStore)
	served.Handle(store.SocketPath+"/", http.StripPrefix(store.SocketPath, handler))
	return served
}

// startStoreListener answers any ClickHouse client on this machine, read-only.
func (s *Site) startStoreListener(ctx context.Context, g *errgroup.Group, handler http.Handler) error {
	ln, err := net.Listen("tcp", s.cfg.Settings.Store.Listen)
	if err != nil {
		return fmt.Errorf("listen for ClickHouse clients: %w; set store.listen to a free address", err)
	}
	s.log.Info("store answers read-only", "address", "http://"+reachable(ln.Addr()))
	serveHTTP(ctx, g, ln, handler)
	return nil
}

// serveHTTP serves until ctx is done, then gives the answers in hand a few seconds.
func serveHTTP(ctx context.Context, g *errgroup.Group, ln net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ConnContext: control.ConnContext}
	g.Go(func() error {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(stop) != nil {
			return server.Close()
		}
		return nil
	})
}

// reachable writes a listener's address as somebody on this machine would use it.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

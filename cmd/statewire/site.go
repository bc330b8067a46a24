package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"statewire/configs"
	"statewire/identity"
	"statewire/inbox"
	"statewire/ingest"
	"statewire/internal/control"
	"statewire/relay"
	"statewire/reports"
	summaries "statewire/reports/summary"
	"statewire/resync"
	"statewire/store"
)

// site is the stages that this process runs, wired together.
type site struct {
	// Constant after newSite.
	data         string
	cfg          configs.Config
	roles        roles
	log          *slog.Logger
	registry     *prometheus.Registry
	inbox        *inbox.Dir
	policies     policySource
	pages        net.Listener    // of the reports; nil before the start listens on reports.listen
	notice       string          // stands on top of every page
	started      func(addresses) // called once everything listens; nil is not called
	reload       *reloader       // follows the configuration file; nil does not
	files        []string        // the files it follows
	retentionNow bool            // a shorter retention does not wait for its day
	newStore     bool            // a new store in a data directory that had one is welcome
	needsStore   bool            // it ends when the store does not open, though it has a relay
	repairRetry  time.Duration   // 0 is repairRetry

	live atomic.Pointer[configs.Config] // the settings in force; only live keys differ from cfg

	// Filled while starting, in this order.
	addresses addresses
	ready     func(context.Context) error // what /readyz asks besides the store; nil without a relay
	closers   []func() error
}

// addresses are where a running site can be reached.
type addresses struct {
	relay   string
	reports string
	caFile  string
}

// newSite prepares the data directory; nothing runs before run. Nothing is made where the site's sockets could not be.
func newSite(data string, cfg configs.Config, r roles, log *slog.Logger) (*site, error) {
	if err := socketsFit(data); err != nil {
		return nil, usageError{fmt.Errorf("the data directory: %w", err)}
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := store.Prepare(data); err != nil {
		return nil, err
	}
	s := &site{data: data, cfg: cfg, roles: r, log: log, registry: prometheus.NewRegistry()}
	s.live.Store(&cfg)
	if !r.has("resync") {
		s.policies.other = resync.Dial(resyncSocket(data))
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s, nil
}

// openInbox opens the inbox of a data directory as every stage and every command that changes it sees it; it makes its folders.
func openInbox(data string, cfg configs.Config, log *slog.Logger) (*inbox.Dir, error) {
	return inboxConfig(cfg).Open(inboxRoot(data), log)
}

// lookInbox is openInbox for a command that only reads: it changes nothing there.
func lookInbox(data string, cfg configs.Config, log *slog.Logger) (*inbox.Dir, error) {
	dir, err := inboxConfig(cfg).Look(inboxRoot(data), log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the inbox is not whole, start the site again to mend it: %w", err)
	}
	return dir, err
}

func inboxConfig(cfg configs.Config) inbox.Config {
	c := inbox.DefaultConfig()
	c.PollInterval = cfg.Ingest.InboxPollingInterval
	return c
}

// inboxRoot is where a data directory has its inbox.
func inboxRoot(data string) string { return filepath.Join(data, "inboxes", "auth", "statesys.box") }

// run starts the stages and returns when ctx is done and all of them have stopped, or when one of them fails.
func (s *site) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	switch {
	case !s.roles.needStore():
		debug.SetMemoryLimit(relay.MemoryLimit) // a relay alone stays small whatever clients send
	case s.roles.has("ingest"):
		debug.SetMemoryLimit(ingest.MemoryLimit)
	}
	unlock, err := s.lockRoles(ctx)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, unlock)
	if s.inbox, err = openInbox(s.data, s.cfg, s.log); err != nil {
		return err
	}
	s.closers = append(s.closers, s.inbox.Close)
	s.registry.MustRegister(s.inbox.Collector(), s.noLoaderGauge())
	stages, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(stages)
	if err = s.start(gctx, g); err != nil {
		stop() // what has started must not outlive the inbox
	}
	return errors.Join(unlessDone(ctx, err), g.Wait())
}

// start starts the stages in g. When one fails, those before it run.
func (s *site) start(ctx context.Context, g *errgroup.Group) error {
	if s.roles.has("relay") {
		if err := s.startRelay(ctx, g); err != nil {
			return err
		}
	}
	if !s.roles.has("reports") {
		if err := s.startPeer(ctx, g); err != nil {
			return err
		}
	}
	if s.reload != nil {
		g.Go(func() error { s.reload.run(ctx, s.files); return nil })
	}
	if s.roles.needStore() {
		g.Go(func() error { return s.runStored(ctx) })
	} else if s.started != nil {
		s.started(s.addresses)
	}
	return nil
}

func (s *site) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// startRelay listens before anything else: reports are taken while the store opens, and even when it does not.
func (s *site) startRelay(ctx context.Context, g *errgroup.Group) error {
	certificate, err := s.certificate()
	if err != nil {
		return err
	}
	r, err := relay.New(s.cfg.Relay, relay.Deps{
		Inbox: s.inbox, Certificate: certificate, Policies: &s.policies, Refused: refusedFile(s.data),
		Log: s.log.With("stage", "relay"), Registerer: s.registry,
	})
	if err != nil {
		return err
	}
	addr, err := r.Listen()
	if err != nil {
		return err
	}
	s.addresses.relay = "https://" + reachable(addr)
	s.ready = func(context.Context) error { return r.Ready() }
	g.Go(func() error { return r.Run(ctx) })
	return nil
}

// certificate is the configured one, or the site's own.
func (s *site) certificate() (certificateSource, error) {
	if s.cfg.Relay.TLSCert != "" {
		files, err := identity.OpenFiles(s.cfg.Relay.TLSCert, s.cfg.Relay.TLSKey, identity.Options{Log: s.log})
		if err != nil {
			return nil, err
		}
		return files.Certificate, nil
	}
	own, err := identity.Open(filepath.Join(s.data, "identity"), identity.Options{Log: s.log})
	if err != nil {
		return nil, err
	}
	s.addresses.caFile = own.CAFile()
	return own.Certificate, nil
}

// runStored runs the stages that need the store.
func (s *site) runStored(ctx context.Context) error {
	db, err := s.openStoreBehindPages(ctx)
	if err != nil {
		return unlessDone(ctx, err)
	}
	stages, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(stages)
	err = s.startOnceMade(gctx, g, db)
	if err != nil {
		stop() // what has started must not outlive the store
	} else if s.started != nil {
		s.started(s.addresses)
	}
	return errors.Join(unlessDone(ctx, err), g.Wait(), db.Close())
}

// unlessDone is what stopped a start, unless it was a person.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (s *site) startStored(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	if handler := db.ReadOnlyHandler(); handler != nil && s.cfg.Store.Listen != "" {
		if err := s.startStoreListener(ctx, g, handler); err != nil {
			return err
		}
	}
	if s.roles.has("reports") && s.cfg.Reports.Listen != "" {
		if err := s.startReports(ctx, g, db); err != nil {
			return err
		}
	}
	if s.roles.has("resync") {
		if err := s.startResync(ctx, g, db); err != nil {
			return err
		}
	}
	if s.roles.has("ingest") {
		return s.startIngest(ctx, g, db)
	}
	return nil
}

func (s *site) startIngest(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	box, err := s.inbox.Loader(s.cfg.Ingest.LoaderChunkFiles, s.cfg.Ingest.MaxChunksFetched)
	if err != nil {
		return err
	}
	loader, err := ingest.New(s.cfg.Ingest, ingest.Deps{
		Inbox: box, Store: db, Refused: refusedFile(s.data), Log: s.log.With("stage", "ingest"), Registerer: s.registry,
	})
	if err != nil {
		return errors.Join(err, box.Close())
	}
	g.Go(func() error { return errors.Join(loader.Run(ctx), box.Close()) })
	g.Go(func() error { return db.Watch(ctx) })
	g.Go(func() error { return db.KeepHistory(ctx, s.retentionNow) })
	summarizer := summaries.New(s.cfg.Reports.SummaryInterval, summaries.Deps{
		Store: db, InFlight: loader.InFlight, Orphans: orphans(db), Log: s.log.With("stage", "reports"), Registerer: s.registry,
	})
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

func (s *site) startReports(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	state := &storeState{db: db}
	server, err := newReports(s.cfg.Reports, db, reports.Deps{
		Backlog: backlog(s.inbox), Holding: heldReports(s.inbox, s.data), Schedule: s.schedule, AgentLog: agentLog(s.data),
		Log: s.log.With("stage", "reports"), Registerer: s.registry, Version: version, Notice: s.notice, Ready: s.ready, Alarm: s.alarm(state),
		Metrics: promhttp.HandlerFor(peers{s.registry, runDir(s.data)}, promhttp.HandlerOpts{}),
	})
	if err != nil {
		return err
	}
	s.addresses.reports = "http://" + reachable(s.pages.Addr())
	g.Go(func() error { return server.Serve(ctx, s.pages) })
	return nil
}

// startSocket lets other processes of the site use the store, and nobody else: the socket is the owner's alone.
func (s *site) startSocket(ctx context.Context, g *errgroup.Group, handler http.Handler) error {
	ln, err := control.Listen(filepath.Join(s.data, "statewire.sock"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(store.SocketPath+"/", http.StripPrefix(store.SocketPath, handler))
	serveHTTP(ctx, g, ln, mux)
	return nil
}

// startStoreListener answers any ClickHouse client on this machine, read-only.
func (s *site) startStoreListener(ctx context.Context, g *errgroup.Group, handler http.Handler) error {
	ln, err := net.Listen("tcp", s.cfg.Store.Listen)
	if err != nil {
		return fmt.Errorf("listen for ClickHouse clients: %w; set store.listen to a free address", err)
	}
	s.log.Info("store answers read-only", "address", "http://"+reachable(ln.Addr()))
	serveHTTP(ctx, g, ln, handler)
	return nil
}

// serveHTTP serves until ctx is done, then gives the answers in hand a few seconds.
func serveHTTP(ctx context.Context, g *errgroup.Group, ln net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
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

package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/store"
)

// serverID is the notifier of the data directory itself.
const serverID = 1

// errNoManager is what the other stages meet while the notification manager is still starting.
var errNoManager = errors.New("the notification manager has not started yet")

// managerSource is the notification manager as the other stages see it: that of this process, or of the process with
// the ingest role.
type managerSource struct {
	other *manager.Client // nil when this process runs it

	own atomic.Pointer[manager.Manager] // nil until it has started
}

// manages is the part of a manager that other stages call.
type manages interface {
	Work(context.Context, wire.Ask) (wire.Work, error)
	Seen(context.Context, wire.Seen) error
	Results(context.Context, wire.Results) error
	Wake(context.Context, []uuid.UUID) error
	Forget(context.Context, []uuid.UUID) error
	Lasting(context.Context, uuid.UUID) ([][]byte, error)
	tasksOf
}

func (m *managerSource) now() (manages, error) {
	if own := m.own.Load(); own != nil {
		return own, nil
	}
	if m.other == nil {
		return nil, errNoManager
	}
	return m.other, nil
}

// Work is what a server is to do.
func (m *managerSource) Work(ctx context.Context, ask wire.Ask) (wire.Work, error) {
	to, err := m.now()
	if err != nil {
		return wire.Work{}, err
	}
	return to.Work(ctx, ask)
}

// Seen takes changes of presence.
func (m *managerSource) Seen(ctx context.Context, seen wire.Seen) error {
	to, err := m.now()
	if err != nil {
		return err
	}
	return to.Seen(ctx, seen)
}

// Results takes how far clients are with their tasks.
func (m *managerSource) Results(ctx context.Context, told wire.Results) error {
	to, err := m.now()
	if err != nil {
		return err
	}
	return to.Results(ctx, told)
}

// Wake has clients ask for their policy.
func (m *managerSource) Wake(ctx context.Context, clients []uuid.UUID) error {
	to, err := m.now()
	if err != nil {
		return err
	}
	return to.Wake(ctx, clients)
}

// Forget drops what is known of clients that were erased.
func (m *managerSource) Forget(ctx context.Context, clients []uuid.UUID) error {
	to, err := m.now()
	if err != nil {
		return err
	}
	return to.Forget(ctx, clients)
}

// Lasting are the lasting tasks that wait for a client.
func (m *managerSource) Lasting(ctx context.Context, client uuid.UUID) ([][]byte, error) {
	to, err := m.now()
	if err != nil {
		return nil, err
	}
	return to.Lasting(ctx, client)
}

// startManager runs the notification manager. It needs no store, and starts before it: who is online is known, and
// clients are woken, while the store opens and when it does not.
func (s *Site) startManager(ctx context.Context, g *errgroup.Group) error {
	own, err := s.openManager(s.registry)
	if err == nil {
		s.manager.own.Store(own)
		s.closers = append(s.closers, own.Close)
		return s.serveManager(ctx, g, own)
	}
	if !s.cfg.Roles.Has("relay") {
		return err
	}
	s.log.Error("the notification manager does not start; reports are taken, nobody learns who is online, and clients "+
		"ask for their policy by themselves", "retry_in", s.retry(), "err", err)
	g.Go(func() error { return s.retryManager(ctx) })
	return nil
}

func (s *Site) openManager(reg prometheus.Registerer) (*manager.Manager, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for this machine's name: %w", err)
	}
	if err := os.MkdirAll(PresenceBox(s.cfg.Data), 0o700); err != nil {
		return nil, fmt.Errorf("make the box of presence files: %w", err)
	}
	cfg := s.cfg.Settings.Notifier
	own, err := manager.Open(manager.Config{Dir: NotifierDir(s.cfg.Data), Box: PresenceBox(s.cfg.Data), Server: name,
		ServerID: serverID, PresenceInterval: cfg.PresenceInterval, History: cfg.History, Live: liveManager(*s.live.Load())},
		s.managerDeps(reg))
	if err != nil {
		return nil, fmt.Errorf("start the notification manager: %w", err)
	}
	return own, nil
}

// retryManager tries to start the manager until it starts, and then runs it.
func (s *Site) retryManager(ctx context.Context) error {
	for {
		if backoff.Sleep(ctx, s.retry()) != nil {
			return nil
		}
		own, err := s.openManager(nil)
		if err != nil {
			s.log.Warn("the notification manager does not start yet", "retry_in", s.retry(), "err", err)
			continue
		}
		g, gctx := errgroup.WithContext(ctx)
		if err = s.serveManager(gctx, g, own); err == nil {
			s.log.Info("the notification manager has started")
			s.manager.own.Store(own)
			g.Go(func() error { return s.mirrorOnceOpen(gctx, own) })
		} else {
			g.Go(func() error { return err }) // it ends what has started
		}
		return errors.Join(g.Wait(), own.Close())
	}
}

// serveManager runs the manager and answers the site's other processes.
func (s *Site) serveManager(ctx context.Context, g *errgroup.Group, own *manager.Manager) error {
	served := newCalls(identity.AtManager)
	own.Handle(served)
	control.Handle(served, lagPath, func(context.Context, struct{}, *control.Teller) (time.Duration, error) {
		return own.Lag(), nil
	})
	control.Handle(served, rebuildPath, s.rebuildSummaries)
	handler, err := served.handler(s.cfg.Data)
	if err != nil {
		return err
	}
	ln, err := control.Listen(ManagerSocket(s.cfg.Data))
	if err != nil {
		return err
	}
	serveHTTP(ctx, g, ln, until(ctx, handler))
	g.Go(func() error { return own.Run(ctx) })
	return nil
}

// lagPath is where the manager's socket tells how far the tables are behind.
const lagPath = "/manager/lag"

// Presence is what the notification manager of a running site says of it.
type Presence struct {
	Servers []manager.ServerStatus
	Stop    manager.StopStatus   // of tasks
	Tasks   []manager.TaskStatus // that have not ended, the latest first
	Lag     time.Duration        // for how long the tables have lacked something
}

// openTasks is of how many open tasks a status tells.
const openTasks = 1000

// AskPresence asks the site that runs on a data directory. Nobody is there to ask where no process has the ingest role.
func AskPresence(ctx context.Context, data string) (p Presence, running bool, err error) {
	if Holder(data, "ingest") == 0 {
		return p, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	client := manager.Dial(ManagerSocket(data))
	defer client.Close()
	caller := control.NewCaller(ManagerSocket(data), "manager")
	defer caller.Close()
	if p.Servers, err = client.Servers(ctx); err != nil {
		return p, true, err
	}
	if p.Stop, err = client.Stopping(ctx); err != nil {
		return p, true, err
	}
	if p.Tasks, err = client.List(ctx, manager.By{}, manager.ListOptions{Open: true, Limit: openTasks}); err != nil {
		return p, true, err
	}
	p.Lag, err = control.Call[time.Duration](ctx, caller, "lag", struct{}{}, control.Listener{})
	return p, true, err
}

// mirrorOnceOpen mirrors the manager's state in the store, once that is open.
func (s *Site) mirrorOnceOpen(ctx context.Context, own *manager.Manager) error {
	for {
		if db := s.store.Load(); db != nil {
			return own.Mirror(ctx, db)
		}
		if backoff.Sleep(ctx, commandLook) != nil {
			return nil
		}
	}
}

// partWithin is how long a stop waits for what is known of the clients to be in the tables.
const partWithin = 5 * time.Second

// mirrorLast has the tables of a site that stops say so: once the notifier has parted with its clients, and before the
// store closes. What does not get there, the next start writes.
func (s *Site) mirrorLast(db *store.Store) {
	own := s.manager.own.Load()
	if own == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), partWithin)
	defer cancel()
	if s.notifier != nil {
		select {
		case <-s.notifier.Parted():
		case <-ctx.Done():
		}
	}
	if err := own.MirrorLast(ctx, db); err != nil {
		s.log.Warn("the tables learn with the next start who was online when this one stopped", "err", err)
	}
}

// until ends the requests of a handler with ctx: those that are held would keep a stop waiting.
func until(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		within, cancel := context.WithCancel(req.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		handler.ServeHTTP(w, req.WithContext(within))
	})
}

// Package manager knows which clients are connected to which notification server. What a server told counts once it is
// on the disk, and a file of a server is removed only then: what is lost, doubled or late never makes a client appear
// what it is not for longer than the next full report. The tables of the store are a mirror, which it never reads back
// but to find what is missing there.
package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/internal/control"
	"statewire/notifier/wire"
	"statewire/store"
)

// Manager is the notification manager.
type Manager struct {
	// Constant after Open.
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	db      *bbolt.DB
	metrics *metrics
	allowed map[uint32]string // servers by id: whose files and calls are taken

	maxWakes int // clients that are not connected, and are to be woken
	deps     Deps
	settings atomic.Pointer[Live]

	writing sync.Mutex // held over a change, from its first look to its end in memory

	mu          sync.RWMutex
	counter     uint64                 // Guarded by mu, as all below.
	mirrored    uint64                 // clients up to this version are in the table
	clients     map[uuid.UUID]*client  // replaced, never changed
	servers     map[uint32]*server     // replaced, never changed
	unmirrored  map[uuid.UUID]struct{} // clients of which the table lacks the latest
	seen        map[uuid.UUID]atOnce   // clients told of at once, and by no file yet
	told        map[string]time.Time   // status messages: when they were last told
	wakes       map[uuid.UUID]uint64   // clients to be woken, and with which wake
	forgotten   map[uuid.UUID]uint64   // clients that were erased, with the certificate that is no good any more
	wakeNumber  uint64
	queues      map[uint32]*queue    // what is to be done by each server
	running     time.Time            // since when this process looks without a break
	heard       map[uint32]time.Time // when a file of a server was last there
	behindSince time.Time            // the oldest change that is not in the tables

	tasks      map[uint64]*live // by number: those that are open
	taskIDs    map[uuid.UUID]uint64
	open       map[uuid.UUID]*open // the open steps of each client
	openSteps  int
	missed     map[*open]struct{} // a connection that goes on did not take them
	strangers  map[uuid.UUID]int  // results that nobody asked for and that are kept, by client
	strange    int                // those of all clients
	stop       Stop
	taskNumber uint64 // of the last task
	push       uint64 // number of the last push
	pushesTo   uint64 // those up to here may be used: that is in the file

	signing  sync.Mutex
	signs    *signer // Guarded by signing, as signTold.
	signTold string  // the last complaint

	history atomic.Int64                // times of being connected that wait for their table
	mirror  chan struct{}               // something is to be mirrored
	tables  atomic.Pointer[store.Store] // nil before Mirror

	box   *box      // Owned by Run.
	swept time.Time // Owned by Run: when it was last looked whose time is over.

	forgot time.Time // Owned by Run: when it was last looked for steps that are kept no longer.
}

// atOnce is what was told at once of a client that no file of the server has named since.
type atOnce struct {
	server  uint32
	doubted bool // a full report did not name it: that may be older than what was told, and the next one decides
}

// Open opens what is known, or begins anew. Nothing runs before Run.
func Open(cfg Config, deps Deps) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	deps = deps.withDefaults()
	db, err := openState(cfg.Dir)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, log: deps.Log, now: deps.Clock, db: db,
		maxWakes:   maxWakes,
		allowed:    map[uint32]string{cfg.ServerID: cfg.Server},
		clients:    map[uuid.UUID]*client{},
		servers:    map[uint32]*server{},
		unmirrored: map[uuid.UUID]struct{}{},
		seen:       map[uuid.UUID]atOnce{},
		told:       map[string]time.Time{},
		wakes:      map[uuid.UUID]uint64{},
		forgotten:  map[uuid.UUID]uint64{},
		queues:     map[uint32]*queue{},
		heard:      map[uint32]time.Time{},
		mirror:     make(chan struct{}, 1),
		deps:       deps,
		tasks:      map[uint64]*live{},
		taskIDs:    map[uuid.UUID]uint64{},
		open:       map[uuid.UUID]*open{},
		missed:     map[*open]struct{}{},
		strangers:  map[uuid.UUID]int{},
	}
	m.Configure(cfg.Live)
	m.metrics = newMetrics(deps.Registerer, m)
	if err := guarded(m.load); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w; move the file away, and presence is learned anew", stateFile, err),
			guarded(db.Close))
	}
	for id, n := range m.wakes {
		m.route(id, n)
	}
	for _, l := range m.tasks {
		m.offerAll(l)
	}
	m.box = newBox(m)
	return m, nil
}

// Close gives the state file back, once Run and Mirror have ended.
func (m *Manager) Close() error { return m.db.Close() }

// Run loads the files of the servers and notices which of them are silent, until ctx is done. It needs no store, and
// whatever goes wrong is a log line and tried again.
func (m *Manager) Run(ctx context.Context) error {
	hints := watchBox(m.cfg.Box, m.log)
	defer hints.close()
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	for {
		m.step()
		select {
		case <-ctx.Done():
			return nil
		case <-hints.events():
		case <-poll.C:
			hints.again()
		}
	}
}

// step loads what is there, and only then looks who is silent: files may have waited while this process did not run.
func (m *Manager) step() {
	now := m.now()
	m.resumed(now)
	m.start(now)
	looked, err := m.box.load(now)
	if looked {
		err = errors.Join(err, m.silence(now), m.sweep(now), m.forgetOld(now))
	}
	if err != nil {
		m.box.complain(err, now)
	}
}

// start says once that the manager runs.
func (m *Manager) start(now time.Time) {
	if m.box.started {
		return
	}
	err := errors.Join(os.MkdirAll(m.box.bad, 0o700), m.tell(wire.ComponentMessage{Component: wire.ManagerComponent,
		ID: wire.ManagerStarted, Time: now, Text: "The notification manager started."}))
	if err != nil {
		m.box.complain(err, now)
		return
	}
	m.box.started = true
}

// mine refuses a server that is not the manager's.
func (m *Manager) mine(name string, id uint32) error {
	if have, ok := m.allowed[id]; !ok || have != name {
		return control.Invalid("notification server %.40q with id %d is none of this site", name, id)
	}
	return nil
}

// Servers are the notification servers, with how many clients each holds.
func (m *Manager) Servers(context.Context) ([]ServerStatus, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.serverStatus(), nil
}

// Presence is what is known of a client; false where nothing is.
func (m *Manager) Presence(id uuid.UUID) (Presence, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := m.clients[id]
	if c == nil {
		return Presence{}, false
	}
	reason, at := c.why()
	return Presence{Client: id, Server: c.Server, Online: c.online(), Channel: c.Channel, Session: c.Session, Seq: c.Seq,
		Since: fromMicro(c.Since), Last: fromMicro(c.Last), At: fromMicro(at), Address: c.Address, Reason: reason}, true
}

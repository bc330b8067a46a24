package site

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/audit"
	"statewire/collections"
	"statewire/configs"
	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/policies"
	"statewire/relay"
	"statewire/reports/names"
	"statewire/resync"
	"statewire/smx"
	"statewire/store"
)

const (
	// commandWait is how long a start waits for a command that has the resync role.
	commandWait = 15 * time.Second
	// commandLook is how often it looks whether the command is done.
	commandLook = 200 * time.Millisecond
)

// errNoPolicies is what a poll meets while the resync stage is still starting.
var errNoPolicies = errors.New("the resync stage has not started yet")

// policySource yields clients' policies to the relay: from this process's resync stage, or from the process that runs
// it.
type policySource struct {
	other *policies.Client // nil when this process runs the role

	own atomic.Pointer[policies.Service] // nil until the stage has started
}

func (p *policySource) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	if own := p.own.Load(); own != nil {
		return own.Policy(ctx, poll)
	}
	if p.other == nil {
		return nil, "", errNoPolicies
	}
	return p.other.Policy(ctx, poll)
}

// lockRoles takes the locks of the site's roles, and says how to give them back.
func (s *Site) lockRoles(ctx context.Context) (func() error, error) {
	if !s.cfg.Roles.Has("resync") {
		return s.cfg.Roles.Lock(s.cfg.Data)
	}
	unlock, err := s.awaitResync(ctx)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Clone(s.cfg.Roles), func(role string) bool { return role == "resync" })
	unlockOthers, err := others.Lock(s.cfg.Data)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	return func() error { return errors.Join(unlockOthers(), unlock()) }, nil
}

// awaitResync takes the resync role's lock. A command that has it, to change something without a running site, is
// waited for; a site that runs the role is not.
func (s *Site) awaitResync(ctx context.Context) (func() error, error) {
	deadline := time.Now().Add(commandWait)
	for waits := false; ; waits = true {
		unlock, err := Roles{"resync"}.Lock(s.cfg.Data)
		var held HeldError
		if !errors.As(err, &held) || time.Now().After(deadline) || Listens(ResyncSocket(s.cfg.Data)) {
			return unlock, err
		}
		if !waits {
			s.log.Info("waiting for a command that has the resync role", "process", held.Process, "at_most", commandWait)
		}
		if err := backoff.Sleep(ctx, commandLook); err != nil {
			return nil, err
		}
	}
}

// startResync runs the gap checks, and answers other processes of the site on the role's socket.
func (s *Site) startResync(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	role, err := NewResyncRole(s.live.Load().Resync, resync.Deps{
		Store: db, Unread: Unread(s.inbox), Denier: s.denier(), Waker: &s.manager, Log: s.log.With("stage", "resync"),
		Registerer: s.registry,
	}, s.auditLog(), &s.manager)
	if err != nil {
		return err
	}
	handler, err := s.resyncCalls(role).handler(s.cfg.Data)
	if err != nil {
		return err
	}
	ln, err := control.Listen(ResyncSocket(s.cfg.Data))
	if err != nil {
		return err
	}
	serveHTTP(ctx, g, ln, handler)
	role.Collections.Configure(s.live.Load().Clients)
	s.resync.Store(role.Resync)
	s.sets.Store(role.Collections)
	s.names.own.Store(role.Names)
	s.policies.own.Store(role.Policies)
	if s.cfg.Settings.Relay.Auth == relay.AuthMTLS {
		g.Go(func() error { s.tellTrust(ctx, role.Policies); return nil })
	}
	g.Go(func() error { s.tellNotifier(ctx, role.Policies); return nil })
	g.Go(func() error { return role.Resync.Run(ctx) })
	g.Go(func() error { return role.Policies.Run(ctx) })
	return nil
}

// resyncCalls is what the socket of the resync role serves.
func (s *Site) resyncCalls(role ResyncRole) *calls {
	served := newCalls(identity.AtResync)
	role.Resync.Handle(served)
	role.Collections.Handle(served)
	role.Policies.Handle(served)
	role.Names.Handle(served)
	served.HandleFunc("GET "+schedulePath, s.serveSchedule)
	return served
}

// denier refuses certificates: this process, or the one with the identity role.
func (s *Site) denier() resync.Denier {
	if s.identity != nil {
		return forgetting{s.identity, &s.manager}
	}
	return forgetting{identity.Dial(IdentitySocket(s.cfg.Data)), &s.manager}
}

// forgetting refuses the certificates of a client that is erased, and has the notification manager forget it: the
// tables, of which it is about to be removed, are the mirror of what the manager knows.
type forgetting struct {
	resync.Denier
	manager *managerSource
}

// Deny implements resync.Denier.
func (f forgetting) Deny(ctx context.Context, client uuid.UUID) error {
	if err := f.Denier.Deny(ctx, client); err != nil {
		return err
	}
	if err := f.manager.Forget(ctx, []uuid.UUID{client}); err != nil {
		return fmt.Errorf("have the notification manager forget it: %w", err)
	}
	return nil
}

// lasting yields the lasting tasks that wait for a client.
type lasting interface {
	Lasting(ctx context.Context, client uuid.UUID) (envelopes [][]byte, err error)
}

// ResyncRole is what the process with the resync role keeps in memory.
type ResyncRole struct {
	Resync      *resync.Service
	Collections *collections.Service
	Policies    *policies.Service
	Names       *names.Service
}

// NewResyncRole makes them and lets them know each other, and what people do to them is in log first; deps needs
// no collections. Tasks travel with policies where lasting yields some; nil yields none.
func NewResyncRole(cfg resync.Config, deps resync.Deps, log auditLog, lasting lasting) (ResyncRole, error) {
	sets := collections.New(deps.Store, deps.Log, time.Now)
	sets.Record(log)
	deps.Recorder = audit.Recorder(log)
	deps.Collections = sets
	service, err := resync.New(cfg, deps)
	if err != nil {
		return ResyncRole{}, err
	}
	told := policies.New(policies.Deps{Store: deps.Store, Collections: sets, Resyncs: service, Log: deps.Log,
		Registerer: deps.Registerer, Recorder: deps.Recorder, Waker: deps.Waker, Tasks: lasting})
	service.Follow(told)
	titles := names.New(deps.Store, deps.Log, time.Now, deps.Recorder)
	return ResyncRole{Resync: service, Collections: sets, Policies: told, Names: titles}, nil
}

// configure puts the settings in force that may change while the site runs.
func (s *Site) configure(cfg configs.Config) {
	s.live.Store(&cfg)
	if service := s.resync.Load(); service != nil {
		service.Configure(cfg.Resync)
	}
	if sets := s.sets.Load(); sets != nil {
		sets.Configure(cfg.Clients)
	}
	if own := s.manager.own.Load(); own != nil {
		own.Configure(liveManager(cfg))
	}
	if s.notifier != nil {
		if err := s.notifier.Configure(liveNotifier(s.cfg.Settings.Notifier, cfg.Notifier)); err != nil {
			s.log.Error("notifier settings not taken, those in force stay", "err", err)
		}
	}
}

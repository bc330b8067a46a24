package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"statewire/configs"
	"statewire/reports"
	"statewire/resync"
	"statewire/smx"
	"statewire/store"
)

// errNoPolicies is what a poll meets while the resync stage is still starting.
var errNoPolicies = errors.New("the resync stage has not started yet")

// resyncSocket is where the process that runs the resync role answers the site's other processes and commands.
func resyncSocket(data string) string { return filepath.Join(data, "run", "resync.sock") }

// policySource yields clients' policies to the relay: from this process's resync stage, or from the process that runs it.
type policySource struct {
	other *resync.Client // nil when this process runs the role

	own atomic.Pointer[resync.Service] // nil until the stage has started
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

// startResync runs the gap checks, and answers other processes of the site on the role's socket.
func (s *site) startResync(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	service, err := resync.New(s.live.Load().Resync, resync.Deps{
		Store: db, Unread: unreadReports(s.inbox), Log: s.log.With("stage", "resync"), Registerer: s.registry,
	})
	if err != nil {
		return err
	}
	path := resyncSocket(s.data)
	if err := removeSocket(path); err != nil {
		return err
	}
	ln, err := listenPrivate(path)
	if err != nil {
		return err
	}
	serveHTTP(ctx, g, ln, service.Handler())
	s.policies.own.Store(service)
	g.Go(func() error { return service.Run(ctx) })
	return nil
}

// configure puts the settings in force that may change while the site runs.
func (s *site) configure(cfg configs.Config) {
	s.live.Store(&cfg)
	if service := s.policies.own.Load(); service != nil {
		service.Configure(cfg.Resync)
	}
}

// schedule tells the reports when the site looks for gaps, as its settings are now.
func (s *site) schedule() reports.Schedule { return scheduleOf(*s.live.Load()) }

func scheduleOf(cfg configs.Config) reports.Schedule {
	return reports.Schedule{
		CheckInterval: cfg.Resync.CheckInterval, MinMissingAge: cfg.Resync.MinMissingMessageAge,
		MergeInterval: cfg.Resync.MergeInterval, MaxOutstanding: cfg.Resync.MaxOutstanding,
		PolicyInterval: cfg.Agent.PolicyInterval, SendInterval: cfg.Agent.SendInterval,
		PollInterval: cfg.Ingest.InboxPollingInterval,
	}
}

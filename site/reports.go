package site

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"statewire/collections"
	"statewire/console"
	"statewire/console/web"
	"statewire/inbox"
	"statewire/relay"
	"statewire/reports"
	"statewire/reports/explain"
	"statewire/store"
)

// NewRunner answers the named questions, the built-in ones and those of the configured folder, from a store.
func NewRunner(cfg reports.Config, db *store.Store, deps reports.Deps) (*reports.Runner, error) {
	catalog, err := reports.LoadCatalog(cfg.Dir)
	if err != nil {
		return nil, err
	}
	deps.Conn = db.ReadOnly()
	return reports.NewRunner(cfg, catalog, deps)
}

// backlog shows the inbox to the reports stage.
func backlog(dir *inbox.Dir) func(context.Context) ([]reports.Box, error) {
	return func(context.Context) ([]reports.Box, error) {
		stats, err := dir.Stats()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		box := func(name string, b inbox.Box) reports.Box {
			return reports.Box{Name: name, Files: b.Files, Bytes: b.Bytes, Oldest: b.Age(now)}
		}
		return []reports.Box{box("high", stats.High), box("normal", stats.Normal), box("low", stats.Low),
			box("process", stats.Process), box("corrupt", stats.Corrupt)}, nil
	}
}

func (s *Site) startReports(ctx context.Context, g *errgroup.Group, db *store.Store) error {
	state := &storeState{db: db}
	log := s.log.With("stage", "reports")
	cfg := s.cfg.Settings.Reports
	runner, err := NewRunner(cfg, db, reports.Deps{Backlog: backlog(s.inbox), Log: log, Registerer: s.registry})
	if err != nil {
		return err
	}
	for _, problem := range runner.Catalog().Problems() {
		log.Warn("report left out", "err", problem)
	}
	explainer := explain.New(runner, explain.Deps{
		Holding: Held(s.inbox, s.cfg.Data), Schedule: s.schedule, AgentLog: s.cfg.AgentLog,
		Certificate: s.certificates(), Tasks: s.manager.Waiting, Log: log,
	})
	pages, err := console.New(cfg, runner, explainer, console.Deps{
		Ready: s.readiness(), Alarm: s.alarm(state), Log: log, Version: s.cfg.Version, Notice: s.cfg.Notice,
		FirstSteps: s.firstSteps(), Tokens: &s.tokens, Members: collections.New(db, log, time.Now),
		Tasks:   &s.manager,
		Names:   &s.names,
		Metrics: promhttp.HandlerFor(peers{s.registry, runDir(s.cfg.Data)}, promhttp.HandlerOpts{}),
	})
	if err != nil {
		return err
	}
	s.addresses.Reports = "http://" + reachable(s.pages.Addr())
	g.Go(func() error { return pages.Serve(ctx, s.pages) })
	return nil
}

// firstSteps are how a first client comes to report.
func (s *Site) firstSteps() []web.Step {
	relayAddress := relayURL(cmp.Or(s.addresses.Relay, "https://localhost:8443"))
	agent := []web.Step{{Where: "On the client's machine, to start it:", Command: "statewire agent run"}}
	if s.cfg.Settings.Relay.Auth != relay.AuthMTLS {
		agent[0].Command += " --set agent.relay=" + relayAddress + " --set agent.ca_file=" + s.addresses.CAFile
		return agent
	}
	return append([]web.Step{
		{Where: "On this machine, as the site's user, to make a token:",
			Command: "statewire --data " + s.cfg.Data + " enroll token create > token"},
		{Where: "On the client's machine, with that file, to get its certificate:",
			Command: "statewire agent enroll --relay " + relayAddress + " --token-file token"},
	}, agent...)
}

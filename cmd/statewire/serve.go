package main

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/configs"
	"statewire/inbox"
	"statewire/reports"
	"statewire/store"
)

// certificateSource yields the certificate of a TLS listener.
type certificateSource = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

func serveCommand(g *globals) *cobra.Command {
	var list string
	var retentionNow, newStore bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run a whole site, or some of its roles",
		Long: "Runs a site until SIGINT or SIGTERM. With --roles the site can be split into processes on one data directory;\n" +
			"the first that needs the embedded engine opens it and serves the others. The one with the ingest role makes and migrates the store.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := parseRoles(list)
			if err != nil {
				return err
			}
			if retentionNow && !r.has("ingest") {
				return usageError{errors.New("--retention-now is for the process with the ingest role")}
			}
			hangup := hangups()
			cfg, values, err := g.config(nil)
			if err != nil {
				return err
			}
			log := g.logger(os.Stderr)
			s, err := newSite(g.data, cfg, r, log)
			if err != nil {
				return err
			}
			s.started = func(a addresses) {
				log.Info("site started", "roles", strings.Join(r, ","), "relay", a.relay, "reports", a.reports, "data", g.data)
			}
			s.retentionNow, s.newStore = retentionNow, newStore
			s.files = configs.Source{File: g.configFile}.Paths()
			s.reload = &reloader{
				load:  func() (configs.Config, []configs.Value, error) { return g.config(nil) },
				apply: s.configure, log: log, hangup: hangup, live: liveKeys(), values: values,
			}
			err = s.run(cmd.Context())
			log.Info("site stopped")
			return err
		},
	}
	cmd.Flags().StringVar(&list, "roles", strings.Join(built, ","), "the roles to run: "+strings.Join(allRoles, ", "))
	cmd.Flags().BoolVar(&newStore, "new-store", false, "begin with a new store, or another one, in a data directory that had one; for one start")
	cmd.Flags().BoolVar(&retentionNow, "retention-now", false, "apply a shorter store.retention now, and not a day after it was first seen")
	return cmd
}

// newReports wires the reports stage to a store.
func newReports(cfg reports.Config, db *store.Store, deps reports.Deps) (*reports.Server, error) {
	runner, err := newRunner(cfg, db, deps)
	if err != nil {
		return nil, err
	}
	for _, problem := range runner.Catalog().Problems() {
		deps.Log.Warn("report left out", "err", problem)
	}
	return reports.NewServer(runner, deps)
}

func newRunner(cfg reports.Config, db *store.Store, deps reports.Deps) (*reports.Runner, error) {
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

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/cmd/statewire/client"
	"statewire/configs"
	"statewire/site"
)

// firstSteps shows the command that enrols a first client, with its secret, to a person who watches: not to a log.
func firstSteps() func(string) {
	if !cli.IsTerminal(os.Stderr) {
		return nil
	}
	return func(text string) {
		fmt.Fprintf(os.Stderr, "\nEnrol a first client with this line, on its machine, within a day:\n\n  %s\n\n", text)
	}
}

func serveCommand(g *globals) *cobra.Command {
	var list string
	var retentionNow, newStore bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run a whole site, or some of its roles",
		Long: "Runs a site until SIGINT or SIGTERM. With --roles the site can be split into processes on one data " +
			"directory;\n" +
			"the first that needs the embedded engine opens it and serves the others. The one with the ingest role makes and " +
			"migrates the store.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := site.ParseRoles(list)
			if err != nil {
				return cli.Usage(err)
			}
			if retentionNow && !r.Has("ingest") {
				return cli.Usage(errors.New("--retention-now is for the process with the ingest role"))
			}
			hangup := cli.Hangups()
			cfg, values, err := g.Config(nil)
			if err != nil {
				return err
			}
			log := g.Logger(os.Stderr)
			changes := &cli.Reloader{
				Load: func() (configs.Config, []configs.Value, error) { return g.Config(nil) },
				Log:  log, Hangup: hangup, Live: cli.LiveKeys(), Values: values,
			}
			s, err := site.New(site.Config{
				Data: g.Data, Settings: cfg, Roles: r, Log: log, Version: cli.Version(), AgentLog: client.Log(g.Data),
				RetentionNow: retentionNow, NewStore: newStore, FirstSteps: firstSteps(),
				Started: func(a site.Addresses) {
					log.Info("site started", "roles", strings.Join(r, ","), "relay", a.Relay, "notifier", a.Notifier,
						"reports", a.Reports, "data", g.Data)
				},
				Follow: func(ctx context.Context, apply func(configs.Config)) {
					changes.Apply = apply
					changes.Run(ctx, configs.Source{File: g.ConfigFile}.Paths())
				},
			})
			if err != nil {
				return cli.DataUsage(err)
			}
			err = s.Run(cmd.Context())
			log.Info("site stopped")
			return err
		},
	}
	cmd.Flags().StringVar(&list, "roles", strings.Join(site.Built, ","), "the roles to run: "+
		strings.Join(site.AllRoles, ", "))
	cmd.Flags().BoolVar(&newStore, "new-store", false,
		"begin with a new store, or another one, in a data directory that had one; for one start")
	cmd.Flags().BoolVar(&retentionNow, "retention-now", false,
		"apply a shorter store.retention now, and not a day after it was first seen")
	return cmd
}

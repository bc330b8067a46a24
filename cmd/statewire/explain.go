package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/cmd/statewire/client"
	"statewire/reports"
	"statewire/reports/explain"
	"statewire/site"
)

func explainCommand(g *globals) *cobra.Command {
	var topic string
	cmd := &cobra.Command{
		Use:   "explain CLIENT",
		Short: "why a client is unknown, stale or incomplete, and what happens next",
		Long: "Says in plain sentences what the site knows of a client, what it lacks and why, and what happens next and " +
			"when.\n" +
			"CLIENT is a client id, with or without GUID:, or a computer name.",
		Args: oneClientArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			var about *explain.Topic
			if cmd.Flags().Changed("topic") {
				var err error
				if about, err = explain.ParseTopic(topic); err != nil {
					return cli.Usage(fmt.Errorf("--%w", err))
				}
			}
			return g.withExplainer(cmd, func(x *explain.Explainer) error {
				return asUsage(x.WriteExplain(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), args[0], about))
			})
		},
	}
	cmd.Flags().StringVar(&topic, "topic", "", "what the client's state is on one topic and why, as TYPE/ID")
	return cmd
}

// withExplainer opens the store and reads the inbox beside it, for the length of f.
func (g *globals) withExplainer(cmd *cobra.Command, f func(*explain.Explainer) error) (err error) {
	db, cfg, err := commandStore(cmd.Context(), g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	schedule, err := site.ScheduleInForce(cmd.Context(), g.Data, cfg)
	if err != nil {
		return err
	}
	deps := explain.Deps{Log: g.Quiet(), AgentLog: client.Log(g.Data),
		Schedule: func() explain.Schedule { return schedule }, Certificate: site.CertificatesInForce(g.Data),
		Tasks: site.TasksInForce(g.Data)}
	// Opening an inbox makes its folders: where there is none, as beside a store elsewhere, there shall be none
	// afterwards.
	if _, missing := os.Stat(site.InboxRoot(g.Data)); missing == nil {
		box, failed := site.LookInbox(g.Data, cfg, g.Quiet())
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, box.Close()) }()
		deps.Holding = site.Held(box, g.Data)
	}
	runner, err := site.NewRunner(cfg.Reports, db, reports.Deps{Log: deps.Log})
	if err != nil {
		return err
	}
	return f(explain.New(runner, deps))
}

func traceCommand(g *globals) *cobra.Command {
	var serial uint64
	cmd := &cobra.Command{
		Use:   "trace CLIENT --serial N",
		Short: "one message's way: client, relay, file, loader, store, with times",
		Long: "Follows one message from the client to the store, or says what is known of one that never arrived.\n" +
			"CLIENT is a client id, with or without GUID:, or a computer name.",
		Args: oneClientArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("serial") {
				return cli.Usage(errors.New("name the message: --serial N"))
			}
			return g.withExplainer(cmd, func(x *explain.Explainer) error {
				err := x.WriteTrace(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), args[0], serial)
				if errors.Is(err, explain.ErrSerial) {
					return cli.Usage(err)
				}
				return asUsage(err)
			})
		},
	}
	cmd.Flags().Uint64Var(&serial, "serial", 0, "serial number of the message")
	return cmd
}

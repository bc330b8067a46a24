package main

import (
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/site"
)

func summaryCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "summary",
		Short: "what a site keeps ready: counts of subjects, machines and clients",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "rebuild",
		Short: "have the running site make it all anew",
		Long: "Makes the counts of every subject, and what is kept of every machine and client, anew from what is stored.\n" +
			"Nothing is lost by it, and nothing need be: a site does the same by itself where something changed. Titles, and\n" +
			"when the site first heard of a subject, stay. A million clients take a minute or so.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := g.Config(nil)
			if err != nil {
				return err
			}
			if err := g.needSite(cfg); err != nil {
				return err
			}
			took, err := site.RebuildSummaries(cmd.Context(), g.Data)
			if err != nil {
				return err
			}
			return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"seconds", json3(took.Seconds())}})
		},
	})
	return cmd
}

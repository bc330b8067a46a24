package main

import (
	"fmt"

	"statewire/cmd/statewire/cli"

	"github.com/spf13/cobra"
)

func configCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "look at the effective configuration", Args: cli.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check",
			Short: "check the configuration; exit code 2 when it is wrong",
			Args:  cli.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, values, err := g.Config(nil)
				if err != nil {
					return err
				}
				changed := 0
				for _, v := range values {
					if v.Origin != "default" {
						changed++
					}
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "configuration is good: %d keys, %d of them set\n", len(values), changed)
				return err
			},
		},
		&cobra.Command{
			Use:   "show",
			Short: "show every key with its value and where that came from",
			Args:  cli.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, values, err := g.Config(nil)
				if err != nil {
					return err
				}
				rows := make([][]any, len(values))
				for i, v := range values {
					rows[i] = []any{v.Key, v.Value, v.Origin}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"key", "value", "origin"}, rows)
			},
		})
	return cmd
}

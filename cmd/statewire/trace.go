package main

import (
	"errors"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/reports"
	"statewire/reports/explain"
)

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
				err := x.WriteTraceOf(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), args[0], serial)
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

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/parse"
)

func clientDeleteCommand(g *globals) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "delete GUID --reason TEXT",
		Short: "erase a client: its certificates are refused, and every row of it is removed",
		Long: "Refuses the certificates of a client, and removes it from every table and title. There is no way back. What " +
			"stays is the audit\n" +
			"log, and the greatest serial under a hash of the id: a client that enrols with it again goes on behind. Reports " +
			"that wait in the\n" +
			"inbox are removed when they are loaded. Needs a running site. To keep what is known, retire the client instead.",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, name, err := parse.Client(args[0])
			switch {
			case err != nil:
				return cli.Usage(err)
			case name != "":
				return cli.Usage(fmt.Errorf("%.60q is no client id; name the client by its id: names repeat", args[0]))
			case reason == "":
				return cli.Usage(errors.New("--reason is missing; say why, for whoever asks later"))
			}
			return g.withResync(cmd, true, func(r resyncRole) error {
				out, err := r.Erase(cmd.Context(), uuid.UUID(client), reason)
				if err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"rows_removed", out.Rows},
					{"last_serial", out.LastSerial}, {"reports_wait", out.Waiting},
					{"named_by_collections", strings.Join(out.Collections, " ")}})
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	return cmd
}

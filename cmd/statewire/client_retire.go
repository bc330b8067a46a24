package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/collections"
	"statewire/smx"
)

func clientRetireCommand(g *globals) *cobra.Command {
	var o collections.RetireOptions
	cmd := &cobra.Command{
		Use:   "retire CLIENT…",
		Short: "take clients out of every count; the next report of one brings it back",
		Long: "A retired client is in no population, completeness or alert. What is stored of it stays, and its next report " +
			"brings it back.\n" +
			"`statewire report retired-clients` lists who is retired. CLIENT is an id (GUID:… or its UUID) or a computer name.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.changeClients(cmd, args, func(ctx context.Context, s collectionStore,
				clients []smx.ClientID) (collections.RetireResult, error) {
				return s.Retire(ctx, clients, collections.RetireOptions{By: caller(), Reason: o.Reason})
			}, "retired")
		},
	}
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why; it is kept")
	return cmd
}

func clientUnretireCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "unretire CLIENT…",
		Short: "let retired clients count again, without waiting for a report",
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.changeClients(cmd, args, func(ctx context.Context, s collectionStore,
				clients []smx.ClientID) (collections.RetireResult, error) {
				return s.Unretire(ctx, clients, collections.RetireOptions{By: caller()})
			}, "unretired")
		},
	}
}

// changeClients does something to the clients that a person named, and says of how many it was done.
func (g *globals) changeClients(cmd *cobra.Command, args []string, do func(context.Context, collectionStore,
	[]smx.ClientID) (collections.RetireResult, error), done string) error {
	clients, err := g.clientsNamedBy(cmd.Context(), args)
	if err != nil {
		return err
	}
	return g.withResync(cmd, true, func(r resyncRole) error {
		out, err := do(cmd.Context(), r.collections, clients)
		if err != nil {
			return err
		}
		if out.Clients+out.Same == 0 {
			return fmt.Errorf("this site has never heard of %s", nameUnknown(out.Unknown, len(out.Unknown)))
		}
		return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{done, out.Clients},
			{"already_" + done, out.Same}, {"unknown", len(out.Unknown)}})
	})
}

// clientsNamedBy are the clients that arguments name, by id or computer name.
func (g *globals) clientsNamedBy(ctx context.Context, args []string) ([]smx.ClientID, error) {
	if len(args) == 0 {
		return nil, cli.Usage(errors.New("name the clients, by id or computer name"))
	}
	list, err := (&targetFlags{clients: args}).list(nil)
	if err != nil {
		return nil, err
	}
	return g.clientsOf(ctx, list)
}

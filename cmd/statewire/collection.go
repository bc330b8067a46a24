package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/collections"
	"statewire/internal/tabular"
)

func collectionCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collection",
		Short: "named lists or saved queries of clients",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(collectionCreateCommand(g), collectionListCommand(g), collectionShowCommand(g),
		collectionDeleteCommand(g))
	return cmd
}

func collectionCreateCommand(g *globals) *cobra.Command {
	var targets targetFlags
	var spec collections.Spec
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "make a collection of listed clients, or of those that a query yields",
		Long: "Makes a collection from --client and --file, or from --query: a SELECT with a column client_id of type " +
			"UUID. The query is kept\n" +
			"and runs, read-only, whenever the collection is used; a policy's members follow it with every gap check.",
		Example: "  statewire collection create old --query \"SELECT client_id FROM clients WHERE client_version < " +
			"'5.00.9000'\"\n" +
			"  statewire collection create pilot --file pilot.txt",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := targets.list(g.OpenFile)
			if err != nil {
				return err
			}
			if len(list) == 0 && spec.Query == "" {
				return cli.Usage(errors.New("name the clients by --client or --file, or by --query"))
			}
			spec.Name = args[0]
			if spec.Clients, err = g.clientsOf(cmd.Context(), list); err != nil {
				return err
			}
			return g.withResync(cmd, true, func(r resyncRole) error {
				c, err := r.collections.Create(cmd.Context(), spec)
				if err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"name", c.Name}, {"kind", c.Kind},
					{"clients", c.Clients}})
			})
		},
	}
	targets.registerClients(cmd)
	cmd.Flags().StringVar(&spec.Query, "query", "", "a SELECT that yields client_id")
	cmd.Flags().BoolVar(&spec.Replace, "replace", false, "replace the collection of this name")
	g.registerCreate(cmd)
	return cmd
}

func collectionListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the collections",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withResync(cmd, false, func(r resyncRole) error {
				list, err := r.collections.List(cmd.Context())
				if err != nil {
					return err
				}
				rows := make([][]any, len(list))
				for i, c := range list {
					rows[i] = []any{c.Name, c.Kind, members(c), c.Query, cli.Moment(c.Changed)}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"name", "kind", "clients", "query", "changed_time"},
					rows)
			})
		},
	}
}

// members is a collection's number of clients; of a query only `show` knows it.
func members(c collections.Collection) any {
	if c.Kind == "list" {
		return c.Clients
	}
	return nil
}

func collectionShowCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "list the clients of a collection as of now",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withResync(cmd, false, func(r resyncRole) error {
				c, clients, err := r.collections.Show(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if g.Format == "table" {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of %s\n", tabular.TerminalSafe(c.Name), c.Kind,
						cli.FmtCount(len(clients), "client"))
					if c.Query != "" {
						fmt.Fprintln(cmd.OutOrStdout(), tabular.TerminalSafe(c.Query))
					}
				}
				rows := make([][]any, len(clients))
				for i, client := range clients {
					rows[i] = []any{client.UUID()}
				}
				return g.writeCapped(cmd.OutOrStdout(), []string{"client_id"}, rows)
			})
		},
	}
}

func collectionDeleteCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "delete a collection and its policy; the clients stay",
		Long: "Deletes a collection and its policy; the clients stay. A collection that is the target of an update, a\n" +
			"deployment or a baseline stays: `target set` or `target clear` comes first.",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withResync(cmd, true, func(r resyncRole) error { return r.collections.Delete(cmd.Context(), args[0]) })
		},
	}
}

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
)

func clientCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "the clients of a site: their certificates, and who still counts",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(clientListCommand(g), clientShowCommand(g), clientRevokeCommand(g), clientRetireCommand(g),
		clientUnretireCommand(g), clientDeleteCommand(g))
	return cmd
}

func clientListCommand(g *globals) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list who has, or had, a certificate of this site",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				list, err := i.Clients(ctx)
				if err != nil {
					return err
				}
				rows := [][]any{}
				for _, c := range list {
					if state == "" || c.State == state {
						rows = append(rows, []any{c.ID, c.Name, c.State, cli.Moment(c.Enrolled), cli.Moment(c.NotAfter), c.Number})
					}
				}
				return g.writeCapped(cmd.OutOrStdout(), []string{"client_id", "netbios_name", "state", "enrolled", "not_after",
					"certificate"}, rows)
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only these: enrolled, expired, revoked or shared")
	return cmd
}

func clientShowCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show GUID",
		Short: "show a client's certificate: until when, and whether it is revoked or shared",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := identity.KeyOf(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				c, err := i.Client(ctx, key)
				if err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"client_id", c.ID}, {"netbios_name", c.Name},
					{"client_version", c.Version}, {"state", c.State}, {"enrolled", cli.Moment(c.Enrolled)},
					{"not_after", cli.Moment(c.NotAfter)}, {"certificate", c.Number}, {"certificate_seen", c.Used},
					{"denied_below", c.Below}, {"shared", cli.Moment(c.Shared)}, {"revoked", cli.Moment(c.Revoked)},
					{"revoked_by", c.By}, {"reason", c.Reason}})
			})
		},
	}
}

func clientRevokeCommand(g *globals) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke GUID --reason TEXT",
		Short: "refuse all certificates of a client, on new and on open connections",
		Long: "Refuses all certificates of a client, or of a role (role:KIND:NAME). When the command returns, the list that " +
			"relays read is on\n" +
			"disk; they take it within seconds. To let the client come back: statewire enroll token create --client GUID.",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := identity.KeyOf(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			if reason == "" {
				return cli.Usage(errors.New("--reason is missing; say why, for whoever asks later"))
			}
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error { return i.Revoke(ctx, key, reason) })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	return cmd
}

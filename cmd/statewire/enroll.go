package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
	"statewire/internal/parse"
)

func enrollCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "how clients get their certificates: tokens, approvals, a pause",
		Long: "A client gets its certificate with a token: `statewire enroll token create` here, and `statewire agent " +
			"enroll` on its machine.",
		Args: cli.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	token := &cobra.Command{
		Use:   "token",
		Short: "enrolment tokens: make, list, revoke",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	token.AddCommand(enrollTokenCreateCommand(g), enrollTokenListCommand(g), enrollTokenRevokeCommand(g))
	cmd.AddCommand(token, enrollPauseCommand(g, true), enrollPauseCommand(g, false), enrollPendingCommand(g),
		enrollDecideCommand(g, true), enrollDecideCommand(g, false))
	return cmd
}

func enrollTokenCreateCommand(g *globals) *cobra.Command {
	spec := identity.TokenSpec{Uses: 1, Expires: time.Hour}
	var client string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "make an enrolment token and print it, once",
		Long: "Makes a token with which clients enrol. It is shown once; the site keeps only its hash. Whoever has it may " +
			"enrol as a new client,\n" +
			"as often as --uses says. It names this site's authority and roots: an agent refuses every other site.",
		Example: "  statewire enroll token create > token\n" +
			"  statewire enroll token create --client GUID:9C0F8D1E-3B44-4E71-8F5A-0D2B6A7C1E33\n" +
			"  statewire enroll token create --uses 500 --expires 24h --adopt",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if client != "" {
				id, err := parse.ClientID(client)
				if err != nil || id == uuid.Nil {
					return cli.Usage(fmt.Errorf("--client is %.80q; a client id is GUID: and a UUID", client))
				}
				spec.Client = id
			}
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				made, err := i.CreateToken(ctx, spec)
				if err != nil {
					return err
				}
				if g.Format == "table" {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Text)
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"id", made.ID}, {"token", made.Text},
					{"uses", made.Uses}, {"expires", cli.Moment(made.Expires)}})
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&spec.Uses, "uses", spec.Uses, "how many clients may enrol with it")
	cli.DurationVar(f, &spec.Expires, "expires", "how long it can be used; above 24h needs --uses 1 or --approval")
	f.StringVar(&client, "client", "", "only this client may use it: also to enrol again, or after a revocation")
	f.BoolVar(&spec.Adopt, "adopt", false, "clients that reported before they enrolled keep their ids")
	f.StringVar(&spec.Collection, "collection", "", "put its clients into this collection")
	f.BoolVar(&spec.Approval, "approval", false, "somebody approves each client: statewire enroll pending")
	f.StringVar(&spec.Role, "role", "", "it is for a process of the site on another machine: relay, notifier, fsp, site")
	return cmd
}

func enrollTokenListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the enrolment tokens, without their secrets",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				list, err := i.Tokens(ctx)
				if err != nil {
					return err
				}
				rows := make([][]any, len(list))
				for n, t := range list {
					rows[n] = []any{t.ID, t.State, t.Used, t.Uses, cli.Moment(t.Expires), t.For(), t.Creator,
						cli.Moment(t.Created)}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"id", "state", "used", "uses", "expires", "for",
					"creator", "created"}, rows)
			})
		},
	}
}

func enrollTokenRevokeCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "end a token: nobody enrols with it any more, who has enrolled stays so",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error { return i.RevokeToken(ctx, args[0]) })
		},
	}
}

func enrollPauseCommand(g *globals, pause bool) *cobra.Command {
	use, short := "resume", "take enrolments again"
	if pause {
		use, short = "pause", "take no enrolments; clients wait and ask again, who is enrolled goes on"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error { return i.Pause(ctx, pause) })
		},
	}
}

func enrollPendingCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "pending",
		Short: "list the enrolments that wait for somebody's approval, or were denied",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				list, err := i.PendingList(ctx)
				if err != nil {
					return err
				}
				rows := make([][]any, len(list))
				for n, p := range list {
					rows[n] = []any{p.ID, p.Decision, p.Name, p.Client, p.From, cli.Moment(p.Asked), p.Token, p.By}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"id", "decision", "netbios_name", "client_id",
					"from", "asked", "token", "by"}, rows)
			})
		},
	}
}

func enrollDecideCommand(g *globals, approve bool) *cobra.Command {
	use, short := "deny ID", "refuse an enrolment that waits"
	if approve {
		use, short = "approve ID", "approve an enrolment that waits: the client gets its certificate when it asks again"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error { return i.Decide(ctx, args[0], approve) })
		},
	}
}

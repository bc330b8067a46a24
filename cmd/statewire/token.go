package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
	"statewire/site"
)

// apiTokens is what keeps the API's tokens: the running site, or the command itself.
type apiTokens interface {
	Create(context.Context, identity.Wanted) (identity.MadeAPIToken, error)
	List(context.Context) ([]identity.APIToken, error)
	Revoke(ctx context.Context, id string) (identity.APIToken, error)
}

// ownTokens are those that the command has open, for whoever runs it.
type ownTokens struct{ *identity.APITokens }

func (o ownTokens) Create(ctx context.Context, want identity.Wanted) (identity.MadeAPIToken, error) {
	return o.APITokens.Create(ctx, identity.Local(ctx), want)
}

func (o ownTokens) List(ctx context.Context) ([]identity.APIToken, error) {
	return o.APITokens.List(ctx, identity.Local(ctx))
}

func (o ownTokens) Revoke(ctx context.Context, id string) (identity.APIToken, error) {
	return o.APITokens.Revoke(ctx, identity.Local(ctx), id)
}

// withTokens hands f the tokens of the running site, or opens them for the length of f.
func (g *globals) withTokens(cmd *cobra.Command, f func(context.Context, apiTokens) error) error {
	return g.onIdentity(cmd,
		func(ctx context.Context, socket string) error { return f(ctx, identity.DialAPITokens(socket)) },
		func(ctx context.Context, own *site.Identity) error { return f(ctx, ownTokens{own.APITokens}) })
}

func tokenCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "access to the API: tokens with a role",
		Long: "People and scripts call the API with a token: `curl -H \"Authorization: Bearer $TOKEN\" " +
			"http://127.0.0.1:8080/api/v1/reports`.\n" +
			"Clients enrol with other tokens: `statewire enroll token`.",
		Args: cli.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenCreateCommand(g), tokenListCommand(g), tokenRevokeCommand(g))
	return cmd
}

func tokenCreateCommand(g *globals) *cobra.Command {
	want := identity.Wanted{Life: 90 * 24 * time.Hour}
	var role string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "make a token and print it, once",
		Long: "Makes a token for the API and prints it once; the site keeps only its hash. A viewer reads, an operator also " +
			"asks clients and sets\nwhat they are told, an admin may do everything. With --collections the token is for the " +
			"clients of these only.",
		Example: "  statewire token create --role viewer --name grafana > token\n" +
			"  statewire token create --role viewer --collections pilot,berlin --expires 30d",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if want.Role = identity.Role(role); role == "" {
				return cli.Usage(errors.New("say what the token may do: --role viewer, --role operator or --role admin"))
			}
			return g.withTokens(cmd, func(ctx context.Context, tokens apiTokens) error {
				made, err := tokens.Create(ctx, want)
				if err != nil {
					return err
				}
				if g.Format == "table" {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Token)
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"id", made.ID}, {"token", made.Token},
					{"role", string(made.Role)}, {"collections", list(made.Collections)}, {"expires", cli.Moment(made.Expires)}})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "viewer, operator or admin")
	f.StringSliceVar(&want.Collections, "collections", nil, "only the clients of these collections; left out: all")
	cli.DurationVar(f, &want.Life, "expires", "how long it can be used, at most 366d")
	f.StringVar(&want.Name, "name", "", "what it is for, for those who read the list")
	return cmd
}

// list is an empty list where there is none.
func list(names []string) []string { return append([]string{}, names...) }

func tokenListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the tokens, without their secrets",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withTokens(cmd, func(ctx context.Context, tokens apiTokens) error {
				all, err := tokens.List(ctx)
				if err != nil {
					return err
				}
				rows := make([][]any, len(all))
				for n, t := range all {
					rows[n] = []any{t.ID, t.Name, string(t.Role), list(t.Collections), t.State(time.Now()), cli.Moment(t.Expires),
						t.Creator, cli.Moment(t.Created)}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"id", "name", "role", "collections", "state",
					"expires", "creator", "created"}, rows)
			})
		},
	}
}

func tokenRevokeCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "end a token: it is refused within ten seconds",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withTokens(cmd, func(ctx context.Context, tokens apiTokens) error {
				_, err := tokens.Revoke(ctx, args[0])
				return err
			})
		},
	}
}

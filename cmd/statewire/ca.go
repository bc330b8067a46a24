package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
)

func caCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "go over to another certificate authority, in two steps",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(caStageCommand(g), caSwitchCommand(g))
	return cmd
}

func caStageCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "stage",
		Short: "make the next authority: clients learn it with their next policy poll",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				staged, err := i.StageCA(ctx)
				if err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"staged", cli.Moment(staged.Since)},
					{"not_after", cli.Moment(staged.NotAfter)}})
			})
		},
	}
}

func caSwitchCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "switch",
		Short: "go over to the staged authority",
		Long: "Goes over to the staged authority. Clients that have not polled since it was staged do not know it: they " +
			"refuse the relay and have\n" +
			"to enrol anew. Unused enrolment tokens are void, because they name the former authority.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				staged, err := i.SwitchCA(ctx)
				if err != nil {
					return err
				}
				if g.Format != "table" {
					return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"staged", cli.Moment(staged.Since)},
						{"not_after", cli.Moment(staged.NotAfter)}})
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The new authority is in force. Clients that have not polled since %s "+
					"(%s ago) are locked out until they enrol anew.\n", cli.Stamp(staged.Since),
					cli.Duration(time.Since(staged.Since).Truncate(time.Second)))
				return err
			})
		},
	}
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
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
	var dry bool
	cmd := &cobra.Command{
		Use:   "switch",
		Short: "go over to the staged authority",
		Long: "Goes over to the staged authority, and says first how many enrolled clients have not polled since it was " +
			"staged. Those do not know it:\n" +
			"they refuse the relay and have to enrol anew. Unused enrolment tokens are void, because they name the former " +
			"authority.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				staged, err := i.Staged(ctx)
				if err != nil {
					return err
				}
				if staged != nil && g.Format == "table" {
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), lockedOut(*staged)); err != nil {
						return err
					}
				}
				if !dry || staged == nil {
					if _, err := i.SwitchCA(ctx); err != nil {
						return err
					}
				}
				switch {
				case g.Format != "table":
					return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"staged", cli.Moment(staged.Since)},
						{"not_after", cli.Moment(staged.NotAfter)}, {"clients", staged.Clients}, {"not_polled", count(staged.NotPolled)},
						{"switched", !dry}})
				case !dry:
					_, err = fmt.Fprintln(cmd.OutOrStdout(), "The new authority is in force.")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say how many clients would be locked out")
	return cmd
}

// lockedOut says whom a change of the authority locks out.
func lockedOut(s identity.Staged) string {
	ago := max(time.Since(s.Since).Truncate(time.Second), time.Second)
	since := fmt.Sprintf("%s (%s ago)", cli.Stamp(s.Since), cli.Duration(ago))
	if s.NotPolled == nil {
		return fmt.Sprintf("How many of %d clients have not polled since %s is not known: the site does not answer. Those are "+
			"locked out until they enrol anew.", s.Clients, since)
	}
	return fmt.Sprintf("%d of %d clients have not polled since %s. Those are locked out until they enrol anew.", *s.NotPolled,
		s.Clients, since)
}

// count is a number that may be unknown.
func count(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

package client

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/agent/credentials"
	"statewire/cmd/statewire/cli"
)

// roleKinds are the roles that have certificates of their own.
var roleKinds = []string{"relay", "notifier", "fsp", "site"}

// RoleCommand is the command "role": certificates for a process of the site on another machine.
func RoleCommand(globals *cli.Globals) *cobra.Command {
	g := &commands{globals}
	cmd := &cobra.Command{
		Use:   "role",
		Short: "a certificate for a relay, notifier, fsp or child site on another machine",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// It works in a folder of its caller's.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.PrepareAsCaller(cmd) },
	}
	cmd.AddCommand(roleEnrollCommand(g), roleRenewCommand(g))
	return cmd
}

func roleEnrollCommand(g *commands) *cobra.Command {
	var role credentials.Role
	var file, out string
	wait := 2 * time.Minute
	cmd := &cobra.Command{
		Use:   "enroll --relay URL --token-file FILE --kind KIND --name NAME --out FOLDER",
		Short: "get a role's first certificate, with a token made with --role KIND",
		Long: "Gets a role its certificate. The key is made in FOLDER and stays there: FOLDER/role.pem is the certificate " +
			"and the key, for its\n" +
			"owner alone to read, FOLDER/ca.pem the authorities to believe. relay.tls_cert and relay.tls_key both take role.pem.",
		Example: "  statewire role enroll --relay https://mp.example:8443 --token-file token --kind relay --name berlin " +
			"--host relay.berlin.example --out /etc/statewire/role",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, value := range map[string]string{"relay": role.Relay, "token-file": file, "name": role.Name, "out": out} {
				if value == "" {
					return cli.Usage(fmt.Errorf("--%s is missing", flag))
				}
			}
			if !slices.Contains(roleKinds, role.Kind) {
				return cli.Usage(fmt.Errorf("--kind is %q; allowed are %s", role.Kind, strings.Join(roleKinds, ", ")))
			}
			if wait <= 0 {
				return cli.Usage(fmt.Errorf("--wait is %v; it has to be more than 0", wait))
			}
			token, err := g.ReadToken(cmd, "token-file", file)
			if err != nil {
				return err
			}
			if role.Relay, err = relayFor(role.Relay, ""); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			role, err := credentials.EnrollRole(ctx, out, role, token, tellProgress(cmd))
			if err != nil {
				return err
			}
			return showRole(cmd, g, out, role, true)
		},
	}
	f := cmd.Flags()
	f.StringVar(&role.Relay, "relay", "", "address of a relay of the site, such as https://mp.example:8443")
	f.StringVar(&file, "token-file", "",
		"`FILE` with the token that statewire enroll token create --role KIND printed; - "+
			"reads standard input")
	f.StringVar(&role.Kind, "kind", "", "which role: "+strings.Join(roleKinds, ", "))
	f.StringVar(&role.Name, "name", "", "what it is called: letters, digits, dots, dashes, underscores")
	f.StringArrayVar(&role.Hosts, "host", nil, "a name or address that clients call it by; may be repeated")
	f.StringVar(&out, "out", "", "the folder for its key and certificate")
	cli.DurationVar(f, &wait, "wait", "how long to try, and to wait for an approval")
	return cmd
}

func roleRenewCommand(g *commands) *cobra.Command {
	var out string
	var now bool
	cmd := &cobra.Command{
		Use:   "renew --out FOLDER",
		Short: "renew a role's certificate when two thirds of its life are over; for a timer, once a day",
		Long: "Renews the certificate that `statewire role enroll` put into FOLDER, with a new key. One that is not due " +
			"is left " +
			"alone. A relay\n" +
			"takes the renewed one within a minute, without a restart.",
		Example: "  statewire role renew --out /etc/statewire/role",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return cli.Usage(errors.New("--out is missing; name the folder that `statewire role enroll` filled"))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Minute)
			defer cancel()
			role, renewed, err := credentials.RenewRole(ctx, out, now, time.Now, tellProgress(cmd))
			if err != nil {
				return err
			}
			return showRole(cmd, g, out, role, renewed)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the `FOLDER` that statewire role enroll filled")
	cmd.Flags().BoolVar(&now, "now", false, "renew one that is not due, too")
	return cmd
}

func tellProgress(cmd *cobra.Command) func(credentials.Progress) {
	return func(p credentials.Progress) { fmt.Fprintln(cmd.ErrOrStderr(), progress(p)) }
}

func showRole(cmd *cobra.Command, g *commands, out string, r credentials.Role, renewed bool) error {
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"role", r.Kind + ":" + r.Name},
		{"file", filepath.Join(out, credentials.RolePairFile)}, {"ca", filepath.Join(out, credentials.RoleCAFile)},
		{"valid_until", whenever(r.NotAfter)}, {"renew_at", whenever(r.RenewAt)}, {"renewed", renewed}})
}

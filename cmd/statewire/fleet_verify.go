package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/cmd/statewire/simulate"
	"statewire/fleet"
)

// mostDifferences bounds the table of differences; the other formats have them all.
const mostDifferences = 50

func fleetVerifyCommand(g *globals) *cobra.Command {
	var path, client string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "compare what every client of the fleet holds with what the site says",
		Long: "Compares every topic that a client of the fleet's store file holds with the site's current states, lists " +
			"topics that only\n" +
			"the site holds and does not mark as unconfirmed, and ranges of serials that are missing. Exit code 0 when all " +
			"is equal,\n" +
			"1 when not. The fleet must not run meanwhile.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.verifyFleet(cmd, path, client) },
	}
	cmd.Flags().StringVar(&path, "store", "", "the fleet's store file (default: "+simulate.StoreName+
		" in the data directory)")
	cmd.Flags().StringVar(&client, "client", "", "compare this client only")
	return cmd
}

func (g *globals) verifyFleet(cmd *cobra.Command, path, client string) (err error) {
	only := ""
	if client != "" {
		id, err := g.oneClient(cmd.Context(), client)
		if err != nil {
			return err
		}
		only = id.UUID()
	}
	if path == "" {
		path = filepath.Join(g.Data, simulate.StoreName)
	}
	fs, err := fleet.ReadStore(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fs.Close()) }()
	db, _, err := commandStore(cmd.Context(), g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	v, err := newVerifier(cmd.OutOrStdout(), g.Format)
	if err != nil {
		return err
	}
	if err := v.run(cmd.Context(), db, fs, only); err != nil {
		return err
	}
	if err := v.end(); err != nil {
		return err
	}
	if v.verdict.Differences > 0 {
		return &cli.ExitStatus{Code: cli.ExitFailed}
	}
	return nil
}

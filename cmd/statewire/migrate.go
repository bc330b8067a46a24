package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/site"
	"statewire/store"
)

func storeCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "the store of a site",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "migrate",
		Short: "lead the store's schema to this version, where no site runs",
		Long: "Applies the steps that the schema of the store lacks, as the start of a site does. An earlier version of the program cannot\n" +
			"open the store afterwards.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.migrate(cmd) },
	})
	cmd.AddCommand(acceptLossCommand(g))
	return cmd
}

func (g *globals) migrate(cmd *cobra.Command) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	if err := g.needSite(cfg); err != nil {
		return err
	}
	unlock, err := site.StoreRoles.Lock(g.Data) // no site starts meanwhile, and none of an earlier version runs
	var held site.HeldError
	if errors.As(err, &held) {
		return fmt.Errorf("process %d of the site runs on %s; stop the site, or restart it with this version: its start migrates the store", held.Process, g.Data)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	db, err := g.openStore(cmd.Context(), cfg, store.Own, g.Logger(os.Stderr))
	if err != nil {
		return errors.Join(err, unlock())
	}
	schema := db.SchemaAtOpen()
	if err := errors.Join(db.Close(), unlock()); err != nil {
		return err
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"schema_before", schema.Found}, {"schema", schema.Known}, {"seconds", json3(time.Since(began).Seconds())},
	})
}

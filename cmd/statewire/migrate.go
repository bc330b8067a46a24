package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/control"
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
		Long: "Applies the steps that the schema of the store lacks, as the start of a site does. An earlier version of " +
			"the program cannot\n" +
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
		return fmt.Errorf("process %d of the site runs on %s; stop the site, or restart it with this version: its start "+
			"migrates the store", held.Process, g.Data)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	var schema store.Schema
	err = control.Recorded(cmd.Context(), g.recorder(), control.Act{Name: "store.migrate", Object: "store"}, func() error {
		db, err := g.openStore(cmd.Context(), cfg, store.Own, g.Logger(os.Stderr))
		if err != nil {
			return err
		}
		schema = db.SchemaAtOpen()
		return db.Close()
	})
	if err := errors.Join(err, unlock()); err != nil {
		return err
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"schema_before", schema.Found}, {"schema", schema.Known}, {"seconds", json3(time.Since(began).Seconds())},
	})
}

func acceptLossCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "accept-loss",
		Short: "end the alarm about lost parts, once you know what was in them",
		Long: "Ends the critical state of a store that lost rows. They stay lost. Parts that the engine set aside are " +
			"moved to the folder\n" +
			"store.lost of the data directory; nothing is deleted. \"When the store is damaged\" in docs/store.md says what " +
			"to do before and after.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.acceptLoss(cmd) },
	}
}

func (g *globals) acceptLoss(cmd *cobra.Command) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	if err := g.needData(cfg); err != nil {
		return err
	}
	db, err := g.openStoreWith(cmd.Context(), cfg, store.Options{
		Access: store.Write, Log: g.Quiet(),
		Keep: site.Holder(g.Data, "ingest") == 0, // else the running site does
	})
	if err != nil {
		return err
	}
	var was store.Condition
	act := control.Act{Name: "store.accept-loss", Object: "store"}
	err = control.Recorded(cmd.Context(), g.recorder(), act, func() (err error) {
		was, err = db.AcceptLoss(cmd.Context())
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("accept what is lost: %w", err)
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"lost_parts", was.LostParts}, {"lost_rows", was.LostRows}, {"moved_parts", len(was.Detached)},
	})
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/site"
	"statewire/store"
)

// storeChecks are the lines of `status` about what happened to the store.
func storeChecks(ctx context.Context, db *store.Store) []check {
	c, err := db.Condition(ctx)
	if err != nil {
		return []check{{"parts", cli.HealthUnknown, err.Error()}}
	}
	parts := check{"parts", cli.HealthOK, "no part of the store is damaged or lost"}
	if text := c.Lost(); text != "" {
		parts = check{"parts", cli.HealthCritical, text}
	}
	if text := c.Warning(); text != "" {
		return []check{parts, {"restored", cli.HealthWarning, text}}
	}
	return []check{parts}
}

func acceptLossCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "accept-loss",
		Short: "end the alarm about lost parts, once you know what was in them",
		Long: "Ends the critical state of a store that lost rows. They stay lost. Parts that the engine set aside are moved to the folder\n" +
			"store.lost of the data directory; nothing is deleted. \"When the store is damaged\" in docs/store.md says what to do before and after.",
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
	was, err := db.AcceptLoss(cmd.Context())
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("accept what is lost: %w", err)
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"lost_parts", was.LostParts}, {"lost_rows", was.LostRows}, {"moved_parts", len(was.Detached)},
	})
}

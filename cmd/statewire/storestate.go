package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"statewire/site"
	"statewire/store"
)

// storeChecks are the lines of `status` about what happened to the store.
func storeChecks(ctx context.Context, db *store.Store) []check {
	c, err := db.Condition(ctx)
	if err != nil {
		return []check{{"parts", healthUnknown, err.Error()}}
	}
	parts := check{"parts", healthOK, "no part of the store is damaged or lost"}
	if text := c.Lost(); text != "" {
		parts = check{"parts", healthCritical, text}
	}
	if text := c.Warning(); text != "" {
		return []check{parts, {"restored", healthWarning, text}}
	}
	return []check{parts}
}

func acceptLossCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "accept-loss",
		Short: "end the alarm about lost parts, once you know what was in them",
		Long: "Ends the critical state of a store that lost rows. They stay lost. Parts that the engine set aside are moved to the folder\n" +
			"store.lost of the data directory; nothing is deleted. \"When the store is damaged\" in docs/store.md says what to do before and after.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.acceptLoss(cmd) },
	}
}

func (g *globals) acceptLoss(cmd *cobra.Command) error {
	cfg, _, err := g.config(nil)
	if err != nil {
		return err
	}
	if err := g.needData(cfg); err != nil {
		return err
	}
	db, err := g.openStoreWith(cmd.Context(), cfg, store.Options{
		Access: store.Write, Log: g.quiet(),
		Keep: site.Holder(g.data, "ingest") == 0, // else the running site does
	})
	if err != nil {
		return err
	}
	was, err := db.AcceptLoss(cmd.Context())
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("accept what is lost: %w", err)
	}
	return writeRecord(cmd.OutOrStdout(), g.format, []field{
		{"lost_parts", was.LostParts}, {"lost_rows", was.LostRows}, {"moved_parts", len(was.Detached)},
	})
}

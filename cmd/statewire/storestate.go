package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"statewire/reports"
	"statewire/store"
)

// conditionAge is how long pages and /readyz go on with one answer of the store.
const conditionAge = 10 * time.Second

// storeState tells pages and /readyz what is wrong with the store.
type storeState struct {
	db *store.Store

	mu    sync.Mutex
	asked time.Time       // Guarded by mu, as the rest.
	last  store.Condition // of the last answer
}

// condition is at most conditionAge old, or the last that could be had: a store that does not answer is not asked by every page.
func (s *storeState) condition(ctx context.Context) store.Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < conditionAge {
		return s.last
	}
	c, err := s.db.Condition(ctx)
	if err == nil {
		s.last = c
	}
	if err == nil || ctx.Err() == nil { // whoever asked may have left
		s.asked = time.Now()
	}
	return s.last
}

// alarm stands on top of every page; rows that are lost keep /readyz from being ready.
func (s *storeState) alarm(ctx context.Context) reports.Alarm {
	c := s.condition(ctx)
	if text := c.Lost(); text != "" {
		return reports.Alarm{Text: "The store is damaged: " + text, Critical: true}
	}
	if text := c.Warning(); text != "" {
		return reports.Alarm{Text: "The site was restored: " + text}
	}
	return reports.Alarm{}
}

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
		Keep: roleHolder(roleLock(g.data, "ingest")) == 0, // else the running site does
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

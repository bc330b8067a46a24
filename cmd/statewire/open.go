package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/store"
)

// busyWait is how long a command waits for another one to give the embedded engine back.
const busyWait = 15 * time.Second

// openStore opens the store for a command: through the running site when there is one, else by itself.
func (g *globals) openStore(ctx context.Context, cfg configs.Config, access store.Access,
	log *slog.Logger) (*store.Store, error) {
	return g.openStoreWith(ctx, cfg, store.Options{Access: access, Log: log})
}

// openStoreWith is openStore with options of the command's own.
func (g *globals) openStoreWith(ctx context.Context, cfg configs.Config, opt store.Options) (*store.Store, error) {
	opt.Dir, opt.Catalog, opt.ReadFile = g.Data, configs.StateCatalog, g.ReadFile
	var err error
	if opt.Classes, err = cfg.StateClasses(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(busyWait)
	for {
		db, err := store.Open(ctx, cfg.Store, opt)
		switch {
		case err == nil:
			g.warnOlder(cfg, db.SchemaAtOpen(), opt.Access)
		case errors.Is(err, store.ErrEmpty) && opt.Access == store.Read && g.needInbox() == nil:
			return g.openEmpty(ctx, cfg, opt)
		case errors.Is(err, store.ErrEmpty) && len(cfg.Store.Addr) == 0 && g.needInbox() != nil:
			return nil, g.needInbox()
		case errors.Is(err, store.ErrEmpty):
			err = fmt.Errorf("the site on %s has no store yet; name its data directory with --data, or start the process "+
				"with the ingest role, as `statewire serve` has: %w",
				g.Data, err)
		}
		if !errors.Is(err, store.ErrInUse) || time.Now().After(deadline) {
			return db, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// openEmpty answers for a site that has an inbox and no store yet: nothing was stored, and a command that reads makes
// no store.
func (g *globals) openEmpty(ctx context.Context, cfg configs.Config, opt store.Options) (*store.Store, error) {
	fmt.Fprintf(os.Stderr,
		"statewire: the site on %s has no store yet, so nothing is stored; `statewire serve` or `statewire ingest --once` "+
			"makes it\n", g.Data)
	return store.OpenEmpty(ctx, cfg.Store, opt)
}

// warnOlder says once that an earlier version of the program made the store that a command reads.
func (g *globals) warnOlder(cfg configs.Config, schema store.Schema, access store.Access) {
	if !schema.Older() || access >= store.Create || g.older != nil {
		return
	}
	next := "restart the site"
	if len(cfg.Store.Addr) == 0 && g.checkRoles().health != cli.HealthOK {
		next = "start the site, or run `statewire store migrate`"
	}
	g.older = fmt.Errorf("the site's store has schema %d, this program knows %d: %s", schema.Found, schema.Known, next)
	fmt.Fprintln(os.Stderr, "statewire:", g.older)
}

// explainOlder answers in place of the engine when a command asked an older store for what only a newer one has.
// Whoever wrote the SQL gets the engine's own words.
func (g *globals) explainOlder(err error) error {
	var e *clickhouse.Exception
	if g.older == nil || g.ownSQL || !errors.As(err, &e) ||
		!slices.Contains([]int32{codeNoColumn, codeUnknownIdentifier, codeUnknownTable}, e.Code) {
		return err
	}
	return fmt.Errorf("this command needs what the older store does not have yet: %w", g.older)
}

// The engine's codes for names that it does not know.
const (
	codeNoColumn          = 16
	codeUnknownIdentifier = 47
	codeUnknownTable      = 60
)

// commandStore opens the store for a command that only reads: it changes nothing there.
func commandStore(ctx context.Context, g *globals) (*store.Store, configs.Config, error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return nil, cfg, err
	}
	if err := g.needData(cfg); err != nil {
		return nil, cfg, err
	}
	db, err := g.openStore(ctx, cfg, store.Read, g.Quiet())
	return db, cfg, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"statewire/configs"
	"statewire/store"
)

// busyWait is how long a command waits for another one to give the embedded engine back.
const busyWait = 15 * time.Second

// openStore opens the store for a command: through the running site when there is one, else by itself.
func openStore(ctx context.Context, g *globals, cfg configs.Config, log *slog.Logger) (*store.Store, error) {
	deadline := time.Now().Add(busyWait)
	for {
		db, err := store.Open(ctx, cfg.Store, store.Options{Dir: g.data, Catalog: configs.StateCatalog, Log: log})
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

// commandStore opens the store for a command that only reads, and refuses a data directory that is not there: most likely
// the command was started in the wrong folder.
func commandStore(ctx context.Context, g *globals) (*store.Store, configs.Config, error) {
	cfg, _, err := g.config(nil)
	if err != nil {
		return nil, cfg, err
	}
	if err := g.needData(cfg); err != nil {
		return nil, cfg, err
	}
	db, err := openStore(ctx, g, cfg, g.quiet())
	return db, cfg, err
}

// needData says which directory is missing and what to do.
func (g *globals) needData(cfg configs.Config) error {
	if _, err := os.Stat(g.data); errors.Is(err, fs.ErrNotExist) && len(cfg.Store.Addr) == 0 {
		return fmt.Errorf("no data directory at %s; name the site's with --data, or start one with `statewire serve`", g.data)
	}
	return nil
}

// quiet logs warnings and errors only, to standard error: the output of a command is its result.
func (g *globals) quiet() *slog.Logger {
	level, _ := g.level()
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: max(level, slog.LevelWarn)}))
}

// isTerminal says whether w is a terminal, where a progress bar makes sense.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

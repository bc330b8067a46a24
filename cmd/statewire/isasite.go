package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"statewire/configs"
	"statewire/site"
	"statewire/store"
)

// A data directory is a site when it has an inbox. Its store is the folder store, or a server named in the
// configuration. The first process that stores a report makes it.

// needData says which directory is missing and what to do: most likely the command was started in the wrong folder.
func (g *globals) needData(cfg configs.Config) error {
	if _, err := os.Stat(g.Data); errors.Is(err, fs.ErrNotExist) && len(cfg.Store.Addr) == 0 {
		return fmt.Errorf("no data directory at %s; name the site's with --data, or start one with `statewire serve`", g.Data)
	}
	return nil
}

// needLoadable refuses a data directory that is no site to a command that loads, unless it is to make one.
func (g *globals) needLoadable(cfg configs.Config) error {
	if len(cfg.Store.Addr) == 0 {
		if err := store.Expect(g.Data); err != nil {
			return err
		}
	}
	if !g.create {
		return g.needInbox()
	}
	if err := os.MkdirAll(g.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	return nil
}

// needSite refuses a data directory that is no site, or whose store is not made yet, to a command that changes what is
// stored, unless it is to make both.
func (g *globals) needSite(cfg configs.Config) error {
	if err := g.needLoadable(cfg); err != nil || g.create {
		return err
	}
	if len(cfg.Store.Addr) > 0 || site.Holder(g.Data, "ingest") != 0 {
		return nil
	}
	if there, err := isThere(filepath.Join(g.Data, "store")); there || err != nil {
		return err
	}
	return fmt.Errorf("the site on %s has no store yet; `statewire serve` or `statewire ingest --once` makes it", g.Data)
}

// needInbox refuses a data directory that is no site.
func (g *globals) needInbox() error {
	if there, err := isThere(filepath.Join(site.InboxRoot(g.Data), "incoming")); there || err != nil {
		return err
	}
	make := "start one there with `statewire serve`"
	if g.Creates {
		make = "make a site there with --create"
	}
	return fmt.Errorf("%s is no site, it has no inbox; name the site's data directory with --data, or %s", g.Data, make)
}

// isThere looks for a folder of the site.
func isThere(path string) (bool, error) {
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return false, fmt.Errorf("look for the site: %w; %s", err, giveBack)
	case err != nil:
		return false, fmt.Errorf("look for the site: %w", err)
	}
	return true, nil
}

// giveBack is what to do about files of a site that its user may not open.
const giveBack = "give everything below the data directory to the user that runs the site (chown -R)"

// registerCreate is for commands that write.
func (g *globals) registerCreate(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&g.create, "create", false, "make a site on a data directory that is none")
}

// writing is what a command that writes may do to the store.
func (g *globals) writing() store.Access {
	if g.create {
		return store.Create
	}
	return store.Write
}

// loading is what a command that loads may do to the store: the first one of a site makes it.
func (g *globals) loading() store.Access {
	if there, _ := isThere(filepath.Join(g.Data, "store")); !there {
		return store.Create
	}
	return g.writing()
}

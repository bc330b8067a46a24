package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"statewire/configs"
	"statewire/store"
)

// A data directory is a site when it has an inbox and a store: the folder store, or a server named in the configuration. While
// the process with the ingest role starts, it is one, too.

// needData says which directory is missing and what to do: most likely the command was started in the wrong folder.
func (g *globals) needData(cfg configs.Config) error {
	if _, err := os.Stat(g.data); errors.Is(err, fs.ErrNotExist) && len(cfg.Store.Addr) == 0 {
		return fmt.Errorf("no data directory at %s; name the site's with --data, or start one with `statewire serve`", g.data)
	}
	return nil
}

// needSite refuses a data directory that is no site to a command that writes, unless it is to make one.
func (g *globals) needSite(cfg configs.Config) error {
	if len(cfg.Store.Addr) == 0 {
		if err := store.Expect(g.data); err != nil {
			return err
		}
	}
	if g.create {
		if err := os.MkdirAll(g.data, 0o700); err != nil {
			return fmt.Errorf("make the data directory: %w", err)
		}
		return nil
	}
	needs := []struct{ what, path string }{{"inbox", filepath.Join(inboxRoot(g.data), "incoming")}}
	if len(cfg.Store.Addr) == 0 && roleHolder(roleLock(g.data, "ingest")) == 0 {
		needs = append(needs, struct{ what, path string }{"store", filepath.Join(g.data, "store")})
	}
	for _, need := range needs {
		_, err := os.Stat(need.path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is no site, it has no %s; name the site's data directory with --data, or make a site there with --create", g.data, need.what)
		}
		if err != nil {
			return fmt.Errorf("look for the site's %s: %w", need.what, err)
		}
	}
	return nil
}

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

// roleLock is held by the process that runs a role.
func roleLock(data, role string) string { return filepath.Join(data, "run", role+".lock") }

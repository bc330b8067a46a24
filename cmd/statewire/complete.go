package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/reports"
	"statewire/site"
)

// completeWait is how long a shell waits for the names that a site knows.
const completeWait = 2 * time.Second

// completeParam offers a parameter's values to a shell: those that are allowed, or what the site has of its kind.
func (g *globals) completeParam(p reports.Param) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(p.Allowed) > 0:
			return slices.DeleteFunc(slices.Clone(p.Allowed), func(s string) bool { return s == "" }),
				cobra.ShellCompDirectiveNoFileComp
		case slices.Contains(reports.KnownKinds, p.Name):
			return g.known(cmd, p.Name, begun), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// known asks a running site for names that begin as a word does. It is silent: without a site there are none.
func (g *globals) known(cmd *cobra.Command, kind, begun string) (names []string) {
	if g.Prepare(cmd, nil) != nil {
		return nil
	}
	cfg, _, err := g.Config(nil)
	if err != nil || len(cfg.Store.Addr) == 0 && site.Holder(g.Data, "ingest") == 0 {
		return nil
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeWait)
	defer cancel()
	cmd.SetContext(ctx)
	stderr := os.Stderr
	if quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = quiet
		defer func() { os.Stderr = stderr; _ = quiet.Close() }()
	}
	_ = g.withRunner(cmd, func(r *reports.Runner) error { // without an answer there are no names
		names, err = r.Known(ctx, kind, begun)
		return err
	})
	return names
}

// completeSubject offers the subjects of the site for an argument.
func (g *globals) completeSubject(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || strings.HasPrefix(begun, "-") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return g.known(cmd, "subject", begun), cobra.ShellCompDirectiveNoFileComp
}

package main

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/ingest"
	"statewire/site"
)

// copiers is how many files are copied at once: each waits for its own sync.
const copiers = 16

// siteLook is how often a command looks whether the running site is done.
const siteLook = 200 * time.Millisecond

func loadCommand(g *globals) *cobra.Command {
	var found *reportSources // by root, before it became another user
	cmd := &cobra.Command{
		Use:   "load PATH…",
		Short: "copy report or SMX files, or folders of them, into the inbox and load them",
		Long: "Copies files into the inbox and loads it. In a folder, and below it, files named *.SMX, *.SMW or *.xml " +
			"count, in any\n" +
			"letter case; a file named on the command line counts whatever its name. The originals stay where they are.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usage(fmt.Errorf("load needs at least one file or folder; see `%s --help`", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return g.load(cmd, args, found) },
	}
	cmd.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		return g.Prepare(cmd, func() (err error) {
			found, err = openReports(args, cli.MostOpen())
			return err
		})
	}
	g.registerCreate(cmd)
	return cmd
}

func (g *globals) load(cmd *cobra.Command, args []string, found *reportSources) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	if err := g.needLoadable(cfg); err != nil {
		return err
	}
	if found == nil {
		if found, err = findReports(args); err != nil {
			return err
		}
	}
	w := given{began: time.Now(), names: map[string]string{}, all: true}
	files, bar := make([]inbox.LaneFile, len(found.files)), newBar(io.Discard, 0, "", "")
	fill := func() error {
		names, err := g.copyIn(cmd, found.files)
		for i, name := range names {
			w.names[name], files[i] = found.files[i].path, inbox.LaneFile{Lane: inbox.Normal, Name: name}
		}
		bar = newBar(cmd.ErrOrStderr(), len(files), "load", "files")
		return err
	}
	skipped := cli.Field{"skipped_files", found.skipped}
	summary, err := g.drain(cmd.Context(), untold(g.Quiet()), fill,
		func(t ingest.Totals) { _ = bar.Set(min(t.Files, len(files))) })
	if lockedBySite(err) {
		if err := fill(); err != nil {
			return err
		}
		w.all = false
		return g.awaitSite(cmd, cfg, w, files, func(left int) { _ = bar.Set(len(files) - left) }, skipped)
	}
	if err != nil {
		return err
	}
	_ = bar.Finish()
	return g.told(cmd, cfg, w, summary, skipped)
}

// copyIn copies files into the inbox and returns their names there.
func (g *globals) copyIn(cmd *cobra.Command, files []reportSource) (names []string, err error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return nil, err
	}
	dir, err := site.OpenInbox(g.Data, cfg, g.Quiet())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	bar := newBar(cmd.ErrOrStderr(), len(files), "copy", "files")
	names = make([]string, len(files))
	var next atomic.Int64
	workers, ctx := errgroup.WithContext(cmd.Context())
	for range min(copiers, len(files)) {
		workers.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(files) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				name, err := files[i].copyTo(ctx, dir)
				if err != nil {
					return err
				}
				names[i] = name
				_ = bar.Add(1)
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	_ = bar.Finish()
	return names, cmd.Context().Err()
}

// newBar is a progress bar on a terminal, counting units with their rate, and nothing elsewhere. Without units it
// counts, and has no rate.
func newBar(w io.Writer, total int, what, units string) *progressbar.ProgressBar {
	if !cli.IsTerminal(w) {
		w = io.Discard
	}
	options := []progressbar.Option{progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) })}
	if units == "" {
		options = append(options, progressbar.OptionSetPredictTime(false))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(units))
	}
	return progressbar.NewOptions(total, options...)
}

// lockedBySite says that a running process loads the inbox.
func lockedBySite(err error) bool { return errors.Is(err, inbox.ErrLocked) }

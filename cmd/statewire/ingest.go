package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/inbox"
	"statewire/ingest"
	"statewire/store"
)

func ingestCommand(g *globals) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "ingest --once",
		Short: "load what waits in the inbox, then exit",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !once {
				return usageError{errors.New("ingest needs --once; `statewire serve --roles ingest` loads all the time")}
			}
			if err := g.plainFormat(); err != nil {
				return err
			}
			summary, err := g.drain(cmd.Context(), g.logger(os.Stderr), nil)
			if lockedBySite(err) {
				return g.awaitSite(cmd)
			}
			if err != nil {
				return err
			}
			return writeRecord(cmd.OutOrStdout(), g.format, summary.fields())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "drain the inbox and exit")
	g.registerCreate(cmd)
	return cmd
}

// awaitSite lets the running site do the work: it waits until what waited at the call has been taken.
func (g *globals) awaitSite(cmd *cobra.Command) error {
	began := time.Now()
	waiting, err := g.waitingFiles()
	if err != nil {
		return err
	}
	left := waiting
	for len(left) > 0 {
		if err := sleep(cmd.Context(), siteLook); err != nil {
			return fmt.Errorf("stopped waiting with %s in the inbox; the running site goes on loading them", fmtCount(len(left), "file"))
		}
		left = stillThere(left)
	}
	return writeRecord(cmd.OutOrStdout(), g.format, []field{
		{"files", len(waiting)}, {"seconds", json3(time.Since(began).Seconds())}, {"loaded_by", "the running site"},
	})
}

// waitingFiles lists the files in the lanes by path.
func (g *globals) waitingFiles() ([]string, error) {
	var paths []string
	for _, lane := range []string{"high", "", "low"} {
		dir := filepath.Join(inboxRoot(g.data), "incoming", lane)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("list the inbox: %w", err)
		}
		for _, entry := range entries {
			if entry.Type().IsRegular() && isSMXName(entry.Name()) {
				paths = append(paths, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return paths, nil
}

// isSMXName says whether the loader takes a file of this name.
func isSMXName(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return !strings.HasPrefix(name, ".") && (ext == ".smx" || ext == ".smw")
}

// summary is what one drain did.
type summary struct {
	ingest.Totals
	took time.Duration
}

func (s summary) fields() []field {
	return []field{
		{"files", s.Files}, {"messages", s.Messages}, {"invalid_records", s.InvalidRecords}, {"bad_files", s.BadFiles},
		{"duplicates", s.Duplicates}, {"conflicts", s.Conflicts},
		{"seconds", json3(s.took.Seconds())},
	}
}

// json3 is a number of seconds with milliseconds.
type json3 float64

func (j json3) String() string { return strconv.FormatFloat(float64(j), 'f', 3, 64) }

// MarshalJSON writes the number.
func (j json3) MarshalJSON() ([]byte, error) { return []byte(j.String()), nil }

// drain loads the inbox of the data directory until it is empty. A site that loads it already is an error: it does the work.
func (g *globals) drain(ctx context.Context, log *slog.Logger, progress func(ingest.Totals)) (_ summary, err error) {
	cfg, _, err := g.config(nil)
	if err != nil {
		return summary{}, err
	}
	if err := g.needSite(cfg); err != nil {
		return summary{}, err
	}
	if pid := roleHolder(roleLock(g.data, "ingest")); pid != 0 { // it may be starting, and not have the inbox yet
		return summary{}, &inbox.LockedError{Path: roleLock(g.data, "ingest"), PID: pid}
	}
	if err := store.Prepare(g.data); err != nil {
		return summary{}, err
	}
	debug.SetMemoryLimit(ingest.MemoryLimit)
	began := time.Now()
	dir, err := openInbox(g.data, cfg, log)
	if err != nil {
		return summary{}, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	box, err := dir.Loader(cfg.Ingest.LoaderChunkFiles, cfg.Ingest.MaxChunksFetched)
	if err != nil {
		return summary{}, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	db, err := g.openStoreWith(ctx, cfg, store.Options{Access: g.writing(), Log: log, Keep: true})
	if err != nil {
		return summary{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	loader, err := ingest.New(cfg.Ingest, ingest.Deps{Inbox: box, Store: db, Log: log, Progress: progress})
	if err != nil {
		return summary{}, err
	}
	totals, err := loader.Drain(ctx)
	if err == nil {
		err = ctx.Err()
	}
	return summary{totals, time.Since(began)}, err
}

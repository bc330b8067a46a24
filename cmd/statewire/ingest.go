package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/ingest"
	"statewire/site"
	"statewire/store"
)

func ingestCommand(g *globals) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "ingest --once",
		Short: "load what waits in the inbox, then exit",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !once {
				return cli.Usage(errors.New("ingest needs --once; `statewire serve --roles ingest` loads all the time"))
			}
			return g.ingestOnce(cmd)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "drain the inbox and exit")
	g.registerCreate(cmd)
	return cmd
}

// ingestOnce drains the inbox, or lets the running site load what waits.
func (g *globals) ingestOnce(cmd *cobra.Command) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	w := given{began: time.Now(), all: true}
	summary, err := g.drain(cmd.Context(), g.Logger(os.Stderr), nil, nil)
	if !lockedBySite(err) {
		if err != nil {
			return err
		}
		return g.told(cmd, cfg, w, summary)
	}
	dir, err := site.LookInbox(g.Data, cfg, g.Quiet())
	if err != nil {
		return err
	}
	files, err := dir.Waiting()
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	w.all, w.names = false, make(map[string]string, len(files))
	for _, f := range files {
		w.names[f.Name] = f.Name
	}
	return g.awaitSite(cmd, cfg, w, files, func(int) {})
}

// summary is what one drain did.
type summary struct {
	ingest.Totals
	took time.Duration
}

func (s summary) fields() []cli.Field {
	return []cli.Field{
		{"files", s.Files}, {"messages", s.Messages}, {"invalid_records", s.InvalidRecords}, {"bad_files", s.BadFiles},
		{"bad_reports", s.BadReports}, {"duplicates", s.Duplicates}, {"conflicts", s.Conflicts},
		{"seconds", json3(s.took.Seconds())},
	}
}

// refused says that anything was set aside.
func (s summary) refused() bool { return s.BadFiles+s.BadReports+s.InvalidRecords > 0 }

// json3 is a number of seconds with milliseconds.
func json3(seconds float64) json.Number { return json.Number(strconv.FormatFloat(seconds, 'f', 3, 64)) }

// nothing fills the inbox with nothing.
func nothing() error { return nil }

// drain loads the inbox of the data directory until it is empty. Once the store is open, and not before, it calls fill:
// what the store refuses stays where it is. Without fill, what waits is read while the store opens. A site that loads
// the inbox already is an error: it does the work, and fill was not called.
func (g *globals) drain(ctx context.Context, log *slog.Logger, fill func() error,
	progress func(ingest.Totals)) (_ summary, err error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return summary{}, err
	}
	if err := g.needLoadable(cfg); err != nil {
		return summary{}, err
	}
	if pid := site.Holder(g.Data, "ingest"); pid != 0 { // it may be starting, and not have the inbox yet
		return summary{}, &inbox.LockedError{Path: site.RoleLock(g.Data, "ingest"), PID: pid}
	}
	if err := store.Prepare(g.Data); err != nil {
		return summary{}, err
	}
	debug.SetMemoryLimit(ingest.MemoryLimit)
	began := time.Now()
	dir, err := site.OpenInbox(g.Data, cfg, log)
	if err != nil {
		return summary{}, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	box, err := dir.Loader(cfg.Ingest.LoaderChunkFiles, cfg.Ingest.MaxChunksFetched)
	if err != nil {
		return summary{}, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	var db lateStore
	defer func() { err = errors.Join(err, db.close()) }()
	open := func() (err error) {
		db.Store, err = g.openStoreWith(ctx, cfg, store.Options{Access: g.loading(), Log: log, Keep: true})
		return err
	}
	if fill != nil {
		if err := open(); err != nil {
			return summary{}, err
		}
		open = nil
		if err := fill(); err != nil {
			return summary{}, err
		}
	}
	loader, err := ingest.New(cfg.Ingest,
		ingest.Deps{Inbox: box, Store: &db, Open: open, Refused: site.RefusedFile(g.Data), Log: log, Progress: progress})
	if err != nil {
		return summary{}, err
	}
	totals, err := loader.Drain(ctx)
	if err == nil {
		err = ctx.Err()
	}
	return summary{totals, time.Since(began)}, err
}

// lateStore is the store that a drain fills; empty until it is open.
type lateStore struct{ *store.Store }

func (d *lateStore) close() error {
	if d.Store == nil {
		return nil
	}
	return d.Store.Close()
}

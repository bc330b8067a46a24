package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"statewire/ingest"
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
			summary, err := g.drain(cmd.Context(), g.logger(os.Stderr), nil)
			if err != nil {
				return err
			}
			return writeRecord(cmd.OutOrStdout(), g.format, summary.fields())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "drain the inbox and exit")
	return cmd
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
	if err := g.needData(cfg); err != nil {
		return summary{}, err
	}
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
	db, err := openStore(ctx, g, cfg, log)
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

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/inbox"
	"statewire/ingest"
	"statewire/internal/backoff"
	"statewire/internal/tabular"
	"statewire/site"
	"statewire/store"
)

const (
	// mostRefused is how many lines say what was set aside.
	mostRefused = 20
	// filesPerQuery is how many files one question to the store is about.
	filesPerQuery = 1000
)

// given is what a command was given to load.
type given struct {
	began time.Time
	names map[string]string // by the name in the inbox, what the user calls the file
	all   bool              // what else was loaded counts too, by its name in the inbox
}

// refused is what was set aside of it.
type refused struct {
	lines                   []string
	files, reports, records int
}

// refused reads what lies in corrupt since the command began.
func (w given) refused(dir *inbox.Dir) (r refused, err error) {
	for b, err := range dir.BadFiles() {
		if err != nil {
			return r, err
		}
		if b.Reason.Time.Before(w.began) {
			continue
		}
		if name, ours := w.names[b.Reason.File]; ours {
			r.add(name, b)
		} else if w.all {
			r.add(b.Reason.File, b)
		}
	}
	slices.Sort(r.lines)
	return r, nil
}

// add notes a file of corrupt, with a line for it or for each of its records.
func (r *refused) add(file string, b inbox.BadFile) {
	line := func(where string, line, column int, why string) {
		r.lines = append(r.lines, tabular.TerminalSafe(file)+": "+where+tabular.TerminalSafe(placed(line, column, why)))
	}
	switch why := b.Reason; {
	case !b.Record && why.Report > 0:
		r.reports++
		line(fmt.Sprintf("report %d: ", why.Report), why.Line, why.Column, why.Reason)
		return
	case !b.Record:
		r.files++
		line("", why.Line, why.Column, why.Reason)
		return
	}
	r.records += b.Number
	for _, bad := range b.Reason.Records {
		line(fmt.Sprintf("report %d, record %d: ", b.Reason.Report, bad.Record), bad.Line, bad.Column, bad.Reason)
	}
}

// placed is a reason with its place, which most reasons name.
func placed(line, column int, why string) string {
	place := fmt.Sprintf("line %d, column %d", line, column)
	if line == 0 || strings.Contains(why, place) {
		return why
	}
	return place + ": " + why
}

// write prints a line for each, up to a bound. With anything set aside the command ends with 1.
func (r refused) write(w io.Writer, counted bool) error {
	for _, line := range r.lines[:min(mostRefused, len(r.lines))] {
		fmt.Fprintln(w, line)
	}
	if more := len(r.lines) - mostRefused; more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	if counted || len(r.lines) > 0 {
		return &cli.ExitStatus{Code: cli.ExitFailed,
			Err: errors.New("some of it was set aside: `statewire dead list` shows it, `statewire dead replay NAME --file " +
				"MENDED` loads a mended copy")}
	}
	return nil
}

// told prints what a drain did, and what was set aside.
func (g *globals) told(cmd *cobra.Command, cfg configs.Config, w given, done summary, more ...cli.Field) error {
	dir, err := site.LookInbox(g.Data, cfg, g.Quiet())
	if err != nil {
		return err
	}
	defer dir.Close()
	r, err := w.refused(dir)
	if err != nil {
		return err
	}
	if err := cli.WriteRecord(cmd.OutOrStdout(), g.Format, append(done.fields(), more...)); err != nil {
		return err
	}
	return r.write(cmd.ErrOrStderr(), done.refused())
}

// awaitSite lets the running site load files, and says what it did with them: from what is durable of exactly these.
func (g *globals) awaitSite(cmd *cobra.Command, cfg configs.Config, w given, files []inbox.LaneFile,
	progress func(left int), more ...cli.Field) error {
	dir, err := site.LookInbox(g.Data, cfg, g.Quiet())
	if err != nil {
		return err
	}
	defer dir.Close()
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	if err := await(cmd.Context(), dir, files, progress); err != nil {
		return err
	}
	r, err := w.refused(dir)
	if err != nil {
		return err
	}
	done, err := g.stored(cmd.Context(), cfg, names, w.began)
	if err != nil {
		return err
	}
	done.Files, done.BadFiles, done.BadReports = len(names), r.files, r.reports
	fields := append(append(done.fields(), more...), cli.Field{"loaded_by", "the running site"})
	if err := cli.WriteRecord(cmd.OutOrStdout(), g.Format, fields); err != nil {
		return err
	}
	return r.write(cmd.ErrOrStderr(), done.refused())
}

// await waits until none of the files waits any more.
func await(ctx context.Context, dir *inbox.Dir, files []inbox.LaneFile, progress func(left int)) error {
	left, err := dir.Left(slices.Clone(files))
	for err == nil && len(left) > 0 {
		progress(len(left))
		if backoff.Sleep(ctx, siteLook) != nil {
			return fmt.Errorf("stopped waiting with %s in the inbox; the running site goes on loading them",
				cli.FmtCount(len(left), "file"))
		}
		left, err = dir.Left(left)
	}
	return err
}

//go:embed loaded_files.sql
var loadedFilesSQL string

// stored asks the store what it has of the files since a time.
func (g *globals) stored(ctx context.Context, cfg configs.Config, names []string, since time.Time) (done summary,
	err error) {
	db, err := g.openStore(ctx, cfg, store.Read, g.Quiet())
	if err != nil {
		return summary{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for some := range slices.Chunk(names, filesPerQuery) {
		list, err := json.Marshal(some)
		if err != nil {
			return summary{}, err
		}
		var messages, setAside, stored, conflicts uint64
		row := db.ReadOnly().QueryRow(ctx, loadedFilesSQL, clickhouse.Named("names", string(list)),
			clickhouse.Named("since", since.UnixMilli()))
		if err := row.Scan(&messages, &setAside, &stored, &conflicts); err != nil {
			return summary{}, fmt.Errorf("ask the store what it has of the files: %w", err)
		}
		done.Totals = plus(done.Totals, ingest.Totals{Messages: int(messages), InvalidRecords: int(setAside),
			Duplicates: int(messages-setAside) - int(stored), Conflicts: int(conflicts)})
	}
	done.took = time.Since(since)
	return done, nil
}

func plus(a, b ingest.Totals) ingest.Totals {
	a.Messages, a.InvalidRecords = a.Messages+b.Messages, a.InvalidRecords+b.InvalidRecords
	a.Duplicates, a.Conflicts = a.Duplicates+b.Duplicates, a.Conflicts+b.Conflicts
	return a
}

// untold leaves out what the command says itself at its end: what was set aside.
func untold(log *slog.Logger) *slog.Logger { return slog.New(untoldHandler{log.Handler()}) }

type untoldHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h untoldHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn && strings.Contains(r.Message, "set aside") {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h untoldHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return untoldHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h untoldHandler) WithGroup(name string) slog.Handler {
	return untoldHandler{h.Handler.WithGroup(name)}
}

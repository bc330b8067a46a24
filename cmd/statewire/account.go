package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/spf13/cobra"

	"statewire/inbox"
	"statewire/reports"
	"statewire/smx"
	"statewire/store"
)

func accountCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "account",
		Short: "every message that arrived, by what became of it",
		Long: "Says what became of every message that arrived: arrived = stored + duplicate + set aside + dropped + waiting, all of it read\n" +
			"from the store and the inbox. What is in files that nobody can read is not known; those are counted as files.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := g.plainFormat(); err != nil {
				return err
			}
			return g.account(cmd)
		},
	}
}

func (g *globals) account(cmd *cobra.Command) (err error) {
	// What waits is counted first: a file that is stored meanwhile is left out again.
	files, err := g.waitingMessages()
	if err != nil {
		return err
	}
	db, cfg, err := commandStore(cmd.Context(), g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if files, err = unloaded(cmd.Context(), db, files); err != nil {
		return err
	}
	runner, err := newRunner(cfg.Reports, db, reports.Deps{Log: g.quiet()})
	if err != nil {
		return err
	}
	loaded, err := accountOf(cmd.Context(), runner)
	if err != nil {
		return err
	}
	waiting, unread := int64(0), 0
	for _, f := range files {
		waiting += f.messages
		if !f.readable {
			unread++
		}
	}
	return writeRecord(cmd.OutOrStdout(), g.format, []field{
		{"arrived", loaded["loaded"] + waiting}, {"stored", loaded["stored"]}, {"duplicate", loaded["duplicate"]},
		{"set_aside", loaded["set_aside"]}, {"dropped", loaded["dropped"]}, {"waiting", waiting},
		{"bad_files", loaded["bad_files"]}, {"waiting_files", len(files)}, {"waiting_files_unread", unread},
	})
}

// accountOf is the report of that name, by column.
func accountOf(ctx context.Context, runner *reports.Runner) (map[string]int64, error) {
	rows, err := runner.Run(ctx, "account", nil, reports.Page{})
	if err != nil {
		return nil, err
	}
	loaded := map[string]int64{}
	row := rows.Next()
	for i, c := range rows.Columns {
		switch v := row[i].(type) {
		case int64:
			loaded[c.Name] = v
		case uint64:
			loaded[c.Name] = int64(v)
		}
	}
	return loaded, errors.Join(rows.Err(), rows.Close())
}

// waitingFile is what is known of a file that waits.
type waitingFile struct {
	name     string
	messages int64
	readable bool
}

// waitingMessages reads what waits in the inbox.
func (g *globals) waitingMessages() (files []waitingFile, err error) {
	paths, err := g.waitingFiles()
	if err != nil {
		return nil, err
	}
	decoder := smx.NewDecoder()
	for _, path := range paths {
		data, err := readWaiting(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // loaded meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read what waits: %w", err)
		}
		var batch smx.Batch
		f := waitingFile{name: filepath.Base(path), readable: decoder.Decode(data, &batch) == nil}
		if f.readable {
			f.messages = int64(batch.Len() + len(batch.Bad))
		}
		files = append(files, f)
	}
	return files, nil
}

// readWaiting reads a file as far as the loader would: one that is larger is no report.
func readWaiting(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, inbox.DefaultConfig().MaxFileBytes+1))
	return data, errors.Join(err, file.Close())
}

//go:embed loaded_names.sql
var loadedNamesSQL string

// unloaded leaves out the relay's files that are loaded and only not deleted yet.
func unloaded(ctx context.Context, db *store.Store, files []waitingFile) ([]waitingFile, error) {
	var names []string
	for _, f := range files {
		if inbox.IsPutName(f.name) {
			names = append(names, f.name)
		}
	}
	loaded := map[string]bool{}
	for some := range slices.Chunk(names, filesPerQuery) {
		if err := namesLoaded(ctx, db, some, loaded); err != nil {
			return nil, fmt.Errorf("ask which waiting files are loaded: %w", err)
		}
	}
	return slices.DeleteFunc(files, func(f waitingFile) bool { return loaded[f.name] }), nil
}

// namesLoaded adds those of the names that the store has reports of.
func namesLoaded(ctx context.Context, db *store.Store, names []string, loaded map[string]bool) error {
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	rows, err := db.ReadOnly().Query(ctx, loadedNamesSQL, clickhouse.Named("names", string(list)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		loaded[name] = true
	}
	return rows.Err()
}

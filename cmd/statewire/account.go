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

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/reports"
	"statewire/site"
	"statewire/smx"
	"statewire/store"
)

func accountCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "account",
		Short: "every message that arrived, by what became of it",
		Long: "Says what became of every message that arrived: arrived = stored + duplicate + set aside + dropped + " +
			"waiting, all of it read\n" +
			"from the store and the inbox. What is in files that nobody can read is not known; those are counted as files.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.account(cmd)
		},
	}
}

func (g *globals) account(cmd *cobra.Command) (err error) {
	if err := g.needInbox(); err != nil { // opening an inbox makes one
		return err
	}
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
	files, again, err := unloaded(cmd.Context(), db, files)
	if err != nil {
		return err
	}
	runner, err := site.NewRunner(cfg.Reports, db, reports.Deps{Log: g.Quiet()})
	if err != nil {
		return err
	}
	loaded, err := accountOf(cmd.Context(), runner)
	if err != nil {
		return err
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, accountFields(loaded, again, files))
}

// accountFields adds what waits to what was loaded. Records that a loaded file tried again still count as set aside in
// the store; their messages are counted where they went.
func accountFields(loaded map[string]int64, again int64, files []waitingFile) []cli.Field {
	waiting, unread := int64(0), 0
	for _, f := range files {
		waiting += f.messages
		if !f.readable {
			unread++
		}
	}
	return []cli.Field{
		{"arrived", loaded["loaded"] - again + waiting}, {"stored", loaded["stored"]}, {"duplicate", loaded["duplicate"]},
		{"set_aside", loaded["set_aside"] - again}, {"dropped", loaded["dropped"]}, {"waiting", waiting},
		{"bad_files", loaded["bad_files"]}, {"waiting_files", len(files)}, {"waiting_files_unread", unread},
	}
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
	messages int64 // beyond again
	again    int64 // set-aside records that it tries again
	readable bool
}

// waitingMessages reads what waits in the inbox.
func (g *globals) waitingMessages() (files []waitingFile, err error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return nil, err
	}
	if len(cfg.Store.Addr) > 0 && g.needInbox() != nil {
		return nil, nil // a store elsewhere, and no inbox here
	}
	dir, err := site.LookInbox(g.Data, cfg, g.Quiet())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	waiting, err := dir.Waiting()
	if err != nil {
		return nil, err
	}
	decoder := smx.NewDecoder()
	for _, f := range waiting {
		w, err := waitingIn(dir, f, decoder)
		if errors.Is(err, fs.ErrNotExist) {
			continue // loaded meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read what waits: %w", err)
		}
		files = append(files, w)
	}
	return files, nil
}

// waitingIn counts the messages of one file. Those of set-aside records that it tries again are counted as set aside.
func waitingIn(dir *inbox.Dir, f inbox.LaneFile, decoder *smx.Decoder) (w waitingFile, err error) {
	data, err := readWaiting(filepath.Join(dir.Root(), f.Path()))
	if err != nil {
		return w, err
	}
	var batch smx.Batch
	w = waitingFile{name: f.Name, readable: decoder.Decode(data, &batch) == nil}
	if !w.readable {
		return w, nil
	}
	w.messages = int64(batch.Len() + len(batch.Bad))
	b, replay, err := dir.Replayed(f.Name)
	if replay && err == nil {
		w.again = min(w.messages, int64(b.Number))
		w.messages -= w.again
	}
	return w, err
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

// unloaded leaves out the files that are loaded and only not deleted yet, of those whose names no other file has: the
// relay's and replays. again is how many set-aside records such replays have brought that still count as set aside.
func unloaded(ctx context.Context, db *store.Store, files []waitingFile) (left []waitingFile, again int64, err error) {
	var names []string
	for _, f := range files {
		if inbox.IsPutName(f.name) || inbox.IsReplayName(f.name) {
			names = append(names, f.name)
		}
	}
	ended := map[string]bool{}
	for some := range slices.Chunk(names, filesPerQuery) {
		if err := namesLoaded(ctx, db, some, ended); err != nil {
			return nil, 0, fmt.Errorf("ask which waiting files are loaded: %w", err)
		}
	}
	left = slices.DeleteFunc(files, func(f waitingFile) bool {
		end, loaded := ended[f.name]
		if loaded && !end {
			again += f.again
		}
		return loaded
	})
	return left, again, nil
}

// namesLoaded adds those of the names that the store has reports of, and whether it knows what ended with them.
func namesLoaded(ctx context.Context, db *store.Store, names []string, ended map[string]bool) error {
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
		var end uint8
		if err := rows.Scan(&name, &end); err != nil {
			return err
		}
		ended[name] = end != 0
	}
	return rows.Err()
}

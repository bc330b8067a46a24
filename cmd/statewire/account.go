package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

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
	if err := leaveOutLoaded(cmd.Context(), db, files); err != nil {
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
	messages int64
	readable bool
}

// waitingMessages reads what waits in the inbox, by the files' names.
func (g *globals) waitingMessages() (map[string]waitingFile, error) {
	paths, err := g.waitingFiles()
	if err != nil {
		return nil, err
	}
	decoder := smx.NewDecoder()
	files := map[string]waitingFile{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // loaded meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read what waits: %w", err)
		}
		var batch smx.Batch
		f := waitingFile{readable: decoder.Decode(data, &batch) == nil}
		if f.readable {
			f.messages = int64(batch.Len() + len(batch.Bad))
		}
		files[filepath.Base(path)] = f
	}
	return files, nil
}

// leaveOutLoaded leaves out the relay's files that are loaded and only not deleted yet. No other file has such a name.
func leaveOutLoaded(ctx context.Context, db *store.Store, files map[string]waitingFile) error {
	var names []string
	for name := range files {
		if relayName.MatchString(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	rows, err := db.ReadOnly().Query(ctx, "SELECT DISTINCT source_file FROM client_reports WHERE source_file IN ($1)", names)
	if err != nil {
		return fmt.Errorf("ask which waiting files are loaded: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("ask which waiting files are loaded: %w", err)
		}
		delete(files, name)
	}
	return rows.Err()
}

// relayName is the form of the names that the relay gives: a time and a hash.
var relayName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{64}\.SMX$`)

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/ingest"
	"statewire/internal/control"
	"statewire/smx"
)

func deadReplayCommand(g *globals) *cobra.Command {
	var choice deadChoice
	var file string
	cmd := &cobra.Command{
		Use:   "replay [NAME…]",
		Short: "load set-aside files again, as they are or mended; what is stored then leaves the list",
		Long: "Puts set-aside files into the inbox again and loads it. Mend a file where it lies, in the inbox's folder\n" +
			"corrupt, or mend a copy (`dead show NAME --raw`) and name it with --file. A file stays on the list until its\n" +
			"messages are stored; records that are still bad stay there under the same name. The time at which a report " +
			"first arrived is kept.",
		Args: choice.some,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" && len(choice.names) != 1 {
				return cli.Usage(errors.New("--file is the mended copy of one file; name that one"))
			}
			return g.replay(cmd, choice, file)
		},
	}
	choice.filters(cmd)
	cmd.Flags().BoolVar(&choice.all, "all", false, "everything that was set aside")
	cmd.Flags().StringVar(&file, "file", "", "load this mended copy instead of the file in corrupt")
	return cmd
}

// tried is one file that is tried again.
type tried struct {
	before inbox.BadFile
	as     string // its name in the inbox; empty when it was not put there
	why    error  // why not
}

func (g *globals) replay(cmd *cobra.Command, choice deadChoice, file string) (err error) {
	var mended []byte
	if file != "" {
		if mended, err = g.ReadFile(file); err != nil {
			return fmt.Errorf("read the mended copy: %w", err)
		}
	}
	dir, err := g.deadInbox()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	files, err := choice.of(dir)
	if err != nil {
		return err
	}
	all, names := make([]tried, len(files)), make([]string, len(files))
	for i, b := range files {
		all[i].before, names[i] = b, b.Name
	}
	act := control.Act{Name: "dead.replay", Object: setAside(names), Params: names}
	err = control.Recorded(cmd.Context(), g.recorder(), act, func() error {
		return g.tryAgain(cmd.Context(), dir, all, mended)
	})
	if err != nil {
		return err
	}
	return g.replayed(cmd, dir, all)
}

// tryAgain puts files into the inbox, those that can be, and has it loaded.
func (g *globals) tryAgain(ctx context.Context, dir *inbox.Dir, all []tried, mended []byte) error {
	var waiting []inbox.LaneFile
	for i, t := range all {
		if all[i].as, all[i].why = ingest.Replay(dir, t.before.Name, mended); all[i].why == nil {
			waiting = append(waiting, inbox.LaneFile{Lane: inbox.Normal, Name: all[i].as})
		}
	}
	return g.loadAgain(ctx, dir, waiting)
}

// loadAgain has the inbox loaded, by this process or by the site that runs, until none of the files waits.
func (g *globals) loadAgain(ctx context.Context, dir *inbox.Dir, waiting []inbox.LaneFile) error {
	if len(waiting) == 0 {
		return nil
	}
	if _, err := g.drain(ctx, untold(g.Quiet()), nothing, nil); !lockedBySite(err) {
		return err
	}
	return await(ctx, dir, waiting, func(int) {})
}

// replayed says what became of each file, and fails when one is still bad.
func (g *globals) replayed(cmd *cobra.Command, dir *inbox.Dir, all []tried) error {
	bad := 0
	rows := make([][]any, len(all))
	for i, t := range all {
		result, detail := t.result(dir)
		if result != "stored" {
			bad++
		}
		rows[i] = []any{t.before.Name, result, detail}
	}
	if err := cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"name", "result", "detail"}, rows); err != nil ||
		bad == 0 {
		return err
	}
	return fmt.Errorf("%s still set aside; mend a copy (`statewire dead show NAME --raw`) and name it with --file",
		cli.FmtCount(bad, "file"))
}

func (t tried) result(dir *inbox.Dir) (result, detail string) {
	var fault *smx.Error
	switch {
	case errors.As(t.why, &fault):
		return "still bad", fault.Code + ": " + fault.Detail
	case t.why != nil:
		return "not tried", t.why.Error()
	}
	now, err := dir.Bad(t.before.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "stored", ""
	case err != nil:
		return "unknown", err.Error()
	case now.Record:
		return "still bad", fmt.Sprintf("%s: %s", cli.FmtCount(now.Number, "record"), now.Reason.Reason)
	}
	return "still bad", now.Reason.Code + ": " + now.Reason.Reason
}

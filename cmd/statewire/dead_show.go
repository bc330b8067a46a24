package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/inbox"
)

// shownBytes is how much of a bad file `dead show` quotes.
const shownBytes = 160

func deadShowCommand(g *globals) *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "show one set-aside file: why, each of its records, and how it begins",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := g.plainFormat(); err != nil {
				return err
			}
			dir, err := g.deadFolder()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, dir.Close()) }()
			b, err := dir.Bad(args[0])
			if err != nil {
				return deadMissing(args[0], err)
			}
			data, err := dir.ReadBad(args[0])
			if err != nil {
				return err
			}
			if raw {
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			return g.showDead(cmd, b, data)
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write the file itself, byte for byte")
	return cmd
}

// showDead writes a file's reason; of records, a row for each, in JSON within the file's object.
func (g *globals) showDead(cmd *cobra.Command, b inbox.BadFile, data []byte) error {
	begins := fmt.Sprintf("%+q", data[:min(len(data), shownBytes)])
	if g.format == "json" || g.format == "jsonl" {
		return writeJSON(cmd.OutOrStdout(), []field{{"name", b.Name}, {"kind", deadKind(b)}, {"bytes", b.Size},
			{"reason", b.Reason}, {"records", b.Number}, {"begins", begins}})
	}
	rows := [][]any{{"name", b.Name}, {"kind", deadKind(b)}, {"bytes", fmt.Sprint(b.Size)},
		{"set_aside", b.Until().UTC().Format(time.RFC3339)}, {"code", b.Reason.Code}, {"line", fmt.Sprint(b.Reason.Line)},
		{"column", fmt.Sprint(b.Reason.Column)}, {"reason", b.Reason.Reason}}
	for _, known := range [][]any{{"client", b.Reason.Client}, {"file", b.Reason.File}, {"receipt", b.Reason.Receipt}} {
		if known[1] != "" {
			rows = append(rows, known)
		}
	}
	if !b.Reason.Received.IsZero() {
		rows = append(rows, []any{"received", b.Reason.Received.Format(time.RFC3339Nano)})
	}
	rows = append(rows, []any{"begins", begins})
	if err := writeSafe(cmd, g.format, []string{"what", "is"}, rows); err != nil || len(b.Reason.Records) == 0 {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return writeSafe(cmd, g.format, []string{"record", "serial", "code", "line", "column", "reason"}, deadRecords(b))
}

func deadRecords(b inbox.BadFile) (rows [][]any) {
	for _, r := range b.Reason.Records {
		serial := ""
		if r.Serial != nil {
			serial = fmt.Sprint(*r.Serial)
		}
		rows = append(rows, []any{r.Record, serial, r.Code, r.Line, r.Column, strings.TrimSpace(r.Reason)})
	}
	return rows
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/internal/tabular"
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
				return writeRaw(cmd.OutOrStdout(), data)
			}
			return g.showDead(cmd, b, data)
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write the file itself, byte for byte")
	return cmd
}

// writeRaw writes bytes that a client chose, but not to a terminal that they could command.
func writeRaw(w io.Writer, data []byte) error {
	lines := strings.NewReplacer("\r\n", "", "\n", "", "\t", "").Replace(string(data))
	if cli.IsTerminal(w) && tabular.TerminalSafe(lines) != lines {
		return cli.Usage(errors.New("the file has characters that a terminal would obey; write it to a file with > FILE"))
	}
	_, err := w.Write(data)
	return err
}

// showDead writes a file's reason; of records, a row for each, in JSON within the file's object.
func (g *globals) showDead(cmd *cobra.Command, b inbox.BadFile, data []byte) error {
	begins := fmt.Sprintf("%+q", data[:min(len(data), shownBytes)])
	if g.Format == "json" || g.Format == "jsonl" {
		return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"name", b.Name}, {"kind", deadKind(b)},
			{"bytes", b.Size},
			{"reason", b.Reason}, {"records", b.Number}, {"begins", begins}})
	}
	fields := []cli.Field{{"name", b.Name}, {"kind", deadKind(b)}, {"bytes", b.Size}, {"set_aside", cli.Moment(b.Until())},
		{"code", b.Reason.Code}, {"line", b.Reason.Line}, {"column", b.Reason.Column}, {"reason", b.Reason.Reason},
		{"client", b.Reason.Client}, {"file", b.Reason.File}, {"receipt", b.Reason.Receipt}, {"received",
			b.Reason.Received}, {"begins", begins}}
	if g.Format != "table" {
		return cli.WriteRecord(cmd.OutOrStdout(), g.Format, append(fields, cli.Field{"records", orEmpty(b.Reason.Records)}))
	}
	fields = slices.DeleteFunc(fields, func(f cli.Field) bool { return f[1] == "" || f[1] == time.Time{} })
	if err := cli.WriteRecord(cmd.OutOrStdout(), g.Format, fields); err != nil || len(b.Reason.Records) == 0 {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"record", "serial", "code", "line", "column", "reason"},
		deadRecords(b))
}

func deadRecords(b inbox.BadFile) (rows [][]any) {
	for _, r := range b.Reason.Records {
		rows = append(rows, []any{r.Record, r.Serial, r.Code, r.Line, r.Column, strings.TrimSpace(r.Reason)})
	}
	return rows
}

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"statewire/internal/tabular"
)

// Field is one named value of a command's result: its name, a string, and the value.
type Field = [2]any

// redirected refuses to write a binary format to a terminal, before any work is done.
func (g *Globals) redirected(cmd *cobra.Command) error {
	if tabular.Format(g.Format) == tabular.Parquet && IsTerminal(cmd.OutOrStdout()) {
		return Usage(errors.New(
			"--format parquet is binary and no text for a terminal; write it to a file with > FILE.parquet, or use table, " +
				"json, jsonl or csv"))
	}
	return nil
}

// WriteRecord writes a single record in the format the flags ask for.
func WriteRecord(w io.Writer, format string, fields []Field) error {
	return tabular.WriteRecord(w, tabular.Format(format), TabularFields(fields))
}

// WriteRecords writes rows in the format the flags ask for.
func WriteRecords(w io.Writer, format string, columns []string, rows [][]any) error {
	return tabular.Write(w, tabular.Format(format), tabular.Named(columns...), rows, tabular.Options{})
}

// TabularFields are the same fields for the writers of rows.
func TabularFields(fields []Field) []tabular.Field {
	out := make([]tabular.Field, len(fields))
	for i, f := range fields {
		out[i] = tabular.Field{Name: f[0].(string), Value: f[1]}
	}
	return out
}

// IsTerminal says whether w is a terminal, where a progress bar makes sense.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	return term.IsTerminal(int(f.Fd()))
}

// FmtCount writes a number of things, as 1 file or 2 files.
func FmtCount(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// Stamp writes a time as everywhere; nothing for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Moment is a time as a value of its own, in seconds: null in JSON, an empty cell elsewhere, for none.
func Moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Truncate(time.Second)
}

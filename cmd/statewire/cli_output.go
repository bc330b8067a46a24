package main

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

// field is one named value of a command's result.
type field struct {
	name  string
	value any
}

// redirected refuses to write a binary format to a terminal, before any work is done.
func (g *shared) redirected(cmd *cobra.Command) error {
	if tabular.Format(g.format) == tabular.Parquet && isTerminal(cmd.OutOrStdout()) {
		return usageError{errors.New("--format parquet is binary and no text for a terminal; write it to a file with > FILE.parquet, or use table, json, jsonl or csv")}
	}
	return nil
}

// writeRecord writes a single record in the format the flags ask for.
func writeRecord(w io.Writer, format string, fields []field) error {
	return tabular.WriteRecord(w, tabular.Format(format), tabularFields(fields))
}

// writeRecords writes rows in the format the flags ask for.
func writeRecords(w io.Writer, format string, columns []string, rows [][]any) error {
	return tabular.Write(w, tabular.Format(format), tabular.Named(columns...), rows, tabular.Options{})
}

func tabularFields(fields []field) []tabular.Field {
	out := make([]tabular.Field, len(fields))
	for i, f := range fields {
		out[i] = tabular.Field{Name: f.name, Value: f.value}
	}
	return out
}

// isTerminal says whether w is a terminal, where a progress bar makes sense.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	return term.IsTerminal(int(f.Fd()))
}

func fmtCount(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// stamp writes a time as everywhere; nothing for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// moment is a time as a value of its own, in seconds: null in JSON, an empty cell elsewhere, for none.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Truncate(time.Second)
}

package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"statewire/internal/tabular"
)

// field is one named value of a command's result.
type field struct {
	name  string
	value any
}

// redirected refuses to write a binary format to a terminal, before any work is done.
func (g *globals) redirected(cmd *cobra.Command) error {
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

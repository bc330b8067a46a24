package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
)

// field is one named value of a command's result.
type field struct {
	name  string
	value any
}

// plainFormat refuses a format that only reports have, before any work is done.
func (g *globals) plainFormat() error {
	if g.format == "parquet" {
		return usageError{errors.New("--format parquet is for rows of reports; use table, json, jsonl or csv here")}
	}
	return nil
}

// writeRecord writes a single record in the format the flags ask for.
func writeRecord(w io.Writer, format string, fields []field) error {
	switch format {
	case "json", "jsonl":
		return writeJSON(w, fields)
	case "csv":
		return writeRecords(w, format, names(fields), [][]any{values(fields)})
	case "table":
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		for _, f := range fields {
			t.AppendRow(table.Row{f.name, fmt.Sprint(f.value)})
		}
		_, err := fmt.Fprintln(w, t.Render())
		return err
	}
	return usageError{fmt.Errorf("--format %s is for rows of reports; use table, json, jsonl or csv here", format)}
}

// writeRecords writes rows in the format the flags ask for.
func writeRecords(w io.Writer, format string, columns []string, rows [][]any) error {
	switch format {
	case "json":
		return writeJSONArray(w, columns, rows)
	case "jsonl":
		for _, row := range rows {
			if err := writeJSON(w, zip(columns, row)); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return writeCSV(w, columns, rows)
	case "table":
		return writeTable(w, columns, rows)
	}
	return usageError{fmt.Errorf("--format %s is for rows of reports; use table, json, jsonl or csv here", format)}
}

func writeTable(w io.Writer, columns []string, rows [][]any) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	header := make(table.Row, len(columns))
	for i, c := range columns {
		header[i] = c
	}
	t.AppendHeader(header)
	for _, row := range rows {
		t.AppendRow(row)
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func writeCSV(w io.Writer, columns []string, rows [][]any) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for _, row := range rows {
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = cell(v)
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cell is a value as text; nothing for none.
func cell(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func writeJSONArray(w io.Writer, columns []string, rows [][]any) error {
	if _, err := fmt.Fprint(w, "["); err != nil {
		return err
	}
	for i, row := range rows {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		object, err := object(zip(columns, row))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n  %s", object)
	}
	_, err := fmt.Fprintln(w, "\n]")
	return err
}

func writeJSON(w io.Writer, fields []field) error {
	object, err := object(fields)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", object)
	return err
}

// object is the fields as a JSON object, in their order.
func object(fields []field) ([]byte, error) {
	out := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			out = append(out, ", "...)
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ": "...), value...)
	}
	return append(out, '}'), nil
}

func names(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

func values(fields []field) []any {
	out := make([]any, len(fields))
	for i, f := range fields {
		out[i] = f.value
	}
	return out
}

func zip(columns []string, row []any) []field {
	out := make([]field, len(columns))
	for i, c := range columns {
		out[i] = field{c, row[i]}
	}
	return out
}

package reports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Format is an output format.
type Format string

// The formats of `--format` and `?format=`.
const (
	Table   Format = "table"
	JSON    Format = "json"
	JSONL   Format = "jsonl"
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// ParseFormat refuses anything but the five formats.
func ParseFormat(s string) (Format, error) {
	switch f := Format(strings.ToLower(s)); f {
	case Table, JSON, JSONL, CSV, Parquet:
		return f, nil
	}
	return "", fmt.Errorf("format %.20q is unknown: use table, json, jsonl, csv or parquet", s)
}

// tableRows is how many rows a table shows when nobody says how many; the other formats give all.
const tableRows = 1000

// Write writes rows in any format but Parquet, and closes them. Age goes with the formats that have room for it.
func Write(w io.Writer, f Format, rows *Rows, age *Freshness) error {
	err := write(w, f, rows, age)
	return errors.Join(err, rows.Close())
}

func write(w io.Writer, f Format, rows *Rows, age *Freshness) error {
	switch f {
	case Table:
		return writeTable(w, rows, age)
	case JSON:
		return writeJSON(w, rows, age)
	case JSONL:
		return writeJSONL(w, rows)
	case CSV:
		return writeCSV(w, rows)
	}
	return fmt.Errorf("format %s: the engine writes it, not this program", f)
}

// WriteReport runs a report and writes it; the one call for `statewire report NAME`.
func (r *Runner) WriteReport(ctx context.Context, w io.Writer, f Format, name string, params map[string]string, page Page) error {
	if f == Parquet {
		return r.writeParquetReport(ctx, w, name, params, page)
	}
	if f == Table && page.Limit == 0 {
		page.Limit = min(tableRows, r.cfg.MaxRows)
	}
	age := r.Freshness(ctx) // before the rows: a reader never holds one place while waiting for another
	rows, err := r.Run(ctx, name, params, page)
	if err != nil {
		return err
	}
	return Write(w, f, rows, age)
}

// WriteSQL runs a read-only statement and writes it; the one call for `statewire sql`.
func (r *Runner) WriteSQL(ctx context.Context, w io.Writer, f Format, statement string) error {
	if f == Parquet {
		return r.writeParquetSQL(ctx, w, statement)
	}
	rows, err := r.SQL(ctx, statement)
	if err != nil {
		return err
	}
	return Write(w, f, rows, nil)
}

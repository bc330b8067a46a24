package reports

import (
	"context"
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

// Write writes rows in any format but Parquet, and closes them.
func Write(w io.Writer, f Format, rows *Rows) error { return nil }

// WriteReport runs a report and writes it; the one call for `statewire report`.
func (r *Runner) WriteReport(ctx context.Context, w io.Writer, f Format, name string, params map[string]string, page Page) error {
	return nil
}

// WriteSQL runs a read-only statement and writes it; the one call for `statewire sql`.
func (r *Runner) WriteSQL(ctx context.Context, w io.Writer, f Format, statement string) error {
	return nil
}

// WriteList writes the catalog; the one call for `statewire report list`.
func (c *Catalog) WriteList(w io.Writer, f Format) error { return nil }

// Package tabular writes rows as a table, JSON, JSON lines, CSV or Parquet; it knows nothing of a site.
//
// A text that somebody else chose never moves a terminal's cursor, never breaks a line and never becomes a
// spreadsheet's formula. JSON and Parquet keep every text as it was; a table and CSV show what is not printable as
// escapes (\n, \u202e).
package tabular

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
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

// formats are all of them, in the order of help texts.
var formats = [...]string{string(Table), string(JSON), string(JSONL), string(CSV), string(Parquet)}

// Formats are the names of all formats.
func Formats() []string { return slices.Clone(formats[:]) }

// ParseFormat refuses anything but the five formats.
func ParseFormat(s string) (Format, error) {
	if f := strings.ToLower(s); slices.Contains(formats[:], f) {
		return Format(f), nil
	}
	return "", fmt.Errorf("format %.20q is unknown: use table, json, jsonl, csv or parquet", s)
}

// Column is one column of rows.
type Column struct {
	Name string
	Type string // of the engine; empty when the values themselves say what they are
	Rank int    // where a table's line has no room for all: the greatest leaves first, 0 never does
}

// Named are columns whose values say what they are.
func Named(names ...string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i].Name = name
	}
	return columns
}

// Field is one named value.
type Field struct {
	Name  string
	Value any
}

// Options are how rows are shown.
type Options struct {
	MaxCell int     // most characters of a table's cell; 0 shows all
	List    string  // name of the rows in a JSON object; empty makes JSON a plain list
	Head    []Field // members of that object before the rows

	NoHeader bool      // a table or CSV without the line of names
	Width    int       // characters of a table's line; 0 has no bound
	Loose    bool      // a table's line may be longer where its columns read well at no such width
	Now      time.Time // a table says how long ago times were; zero shows them as they are
	Colour   bool      // a table shows words of health in colour
}

// Writer writes rows one after the other. Values are those of Plain, or anything that Plain takes.
type Writer struct {
	out rowWriter
}

type rowWriter interface {
	row(values []any) error
	end(tail []Field) error
}

// New begins to write rows. Nothing is whole before End.
func New(w io.Writer, f Format, columns []Column, o Options) (*Writer, error) {
	buffered := bufio.NewWriter(w)
	var out rowWriter
	var err error
	switch f {
	case Table:
		out = newTable(buffered, columns, o)
	case JSON:
		out, err = newJSON(buffered, columns, o)
	case JSONL:
		out = &jsonLines{out: buffered, names: jsonNames(columns)}
	case CSV:
		out, err = newCSV(buffered, columns, o.NoHeader)
	case Parquet:
		out = newParquet(buffered, columns)
	default:
		_, err = ParseFormat(string(f))
	}
	return &Writer{out: out}, failed(f, err)
}

// Row writes one row, a value for each column.
func (w *Writer) Row(values []any) error {
	plain := make([]any, len(values))
	for i, v := range values {
		plain[i] = Plain(v)
	}
	return w.out.row(plain)
}

// End writes what stands behind the rows: in a JSON object the tail.
func (w *Writer) End(tail ...Field) error { return w.out.end(tail) }

// Left are the names of columns that a table's line had no room for, valid after End.
func (w *Writer) Left() []string {
	if t, ok := w.out.(*tableRows); ok {
		return t.left
	}
	return nil
}

// Write writes rows that are all at hand.
func Write(w io.Writer, f Format, columns []Column, rows [][]any, o Options) error {
	out, err := New(w, f, columns, o)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := out.Row(row); err != nil {
			return failed(f, err)
		}
	}
	return failed(f, out.End())
}

// WriteRecord writes one record: in a table a line for each field, else a row.
func WriteRecord(w io.Writer, f Format, fields []Field) error {
	names, values := make([]string, len(fields)), make([]any, len(fields))
	for i, field := range fields {
		names[i], values[i] = field.Name, field.Value
	}
	switch f {
	case Table:
		return writeFields(w, fields)
	case JSON:
		f = JSONL // one object
	}
	return Write(w, f, Named(names...), [][]any{values}, Options{})
}

func failed(f Format, err error) error {
	if err != nil {
		return fmt.Errorf("write %s: %w", f, err)
	}
	return nil
}

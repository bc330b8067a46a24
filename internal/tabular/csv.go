package tabular

import (
	"bufio"
	"encoding/csv"
	"time"
)

// csvRows writes RFC 4180 with a header line, or without.
type csvRows struct {
	out   *csv.Writer
	lines *bufio.Writer
}

func newCSV(out *bufio.Writer, columns []Column, bare bool) (*csvRows, error) {
	w := &csvRows{csv.NewWriter(out), out}
	if bare {
		return w, nil
	}
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = SpreadsheetSafe(c.Name)
	}
	return w, w.out.Write(line)
}

func (w *csvRows) row(values []any) error {
	line := make([]string, len(values))
	for i, v := range values {
		line[i] = csvText(v)
	}
	return w.out.Write(line)
}

func (w *csvRows) end([]Field) error {
	w.out.Flush()
	if err := w.out.Error(); err != nil {
		return err
	}
	return w.lines.Flush()
}

// csvText guards text against being a formula. Numbers and times stay as they are: -0.05 is a number.
func csvText(v any) string {
	switch v.(type) {
	case bool, time.Time, Date, nil:
		return Text(v)
	}
	if number(v) {
		return Text(v)
	}
	return SpreadsheetSafe(Text(v))
}

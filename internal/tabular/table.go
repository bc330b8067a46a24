package tabular

import (
	"bufio"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// tableRows collects rows for a person at a terminal: the widths are known with the last one.
type tableRows struct {
	out     *bufio.Writer
	columns []Column
	numbers []bool // columns of which every value so far is a number
	o       Options
	cells   [][]string
	left    []string // names of columns that did not fit
}

func newTable(out *bufio.Writer, columns []Column, o Options) *tableRows {
	w := &tableRows{out: out, columns: columns, numbers: make([]bool, len(columns)), o: o}
	for i, c := range columns {
		w.numbers[i] = c.Type == "" || Numeric(c.Type)
	}
	return w
}

// Style is how tables look.
func Style() table.Style {
	style := table.StyleLight
	style.Options.DrawBorder = false
	style.Options.SeparateColumns = false
	style.Format.Header = text.FormatDefault
	return style
}

func (w *tableRows) row(values []any) error {
	line := make([]string, len(values))
	for i, v := range values {
		line[i] = w.cell(v)
		if w.columns[i].Type == "" && v != nil && !number(v) {
			w.numbers[i] = false
		}
	}
	w.cells = append(w.cells, line)
	return nil
}

func (w *tableRows) cell(v any) string {
	if at, ok := v.(time.Time); ok && !w.o.Now.IsZero() {
		return Ago(w.o.Now, at)
	}
	return Cell(v, w.o.MaxCell)
}

func (w *tableRows) end([]Field) error {
	t := table.NewWriter()
	t.SetStyle(Style())
	shown, widths := w.fit()
	header := make(table.Row, len(shown))
	var configs []table.ColumnConfig
	for n, i := range shown {
		c := w.columns[i]
		header[n] = wrapName(TerminalSafe(c.Name), widths[i])
		if w.numbers[i] && (c.Type != "" || len(w.cells) > 0) {
			configs = append(configs, table.ColumnConfig{Number: n + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	if !w.o.NoHeader {
		t.AppendHeader(header)
	}
	for _, line := range w.cells {
		row := make(table.Row, len(shown))
		for n, i := range shown {
			row[n] = w.coloured(i, wrapCell(line[i], widths[i]))
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs(configs)
	w.out.WriteString(t.Render() + "\n") // bufio keeps the first error for Flush
	return w.out.Flush()
}

// writeFields writes a record as two columns. No line is padded at its end: one long value makes no other line long.
func writeFields(w io.Writer, fields []Field) error {
	t := table.NewWriter()
	t.SetStyle(Style())
	for _, f := range fields {
		t.AppendRow(table.Row{TerminalSafe(f.Name), Cell(Plain(f.Value), 0)})
	}
	var out strings.Builder
	for line := range strings.SplitSeq(t.Render(), "\n") {
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return failed(Table, err)
}

// Numeric tells a type of the engine whose values are numbers.
func Numeric(typ string) bool {
	typ = strings.TrimPrefix(strings.TrimPrefix(typ, "LowCardinality("), "Nullable(")
	for _, prefix := range []string{"UInt", "Int", "Float", "BFloat", "Decimal"} { // Interval, too
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// Cell is a plain value as a table shows it; most is how many characters, 0 for all.
func Cell(v any, most int) string {
	text := Text(v)
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, item := range list {
			parts[i] = Text(item)
		}
		text = strings.Join(parts, ", ")
	}
	text = TerminalSafe(text)
	if most > 0 {
		return Shorten(text, most)
	}
	return text
}

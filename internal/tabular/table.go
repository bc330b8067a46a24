package tabular

import (
	"bufio"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// tableRows collects rows for a person at a terminal: the widths are known with the last one.
type tableRows struct {
	out     *bufio.Writer
	table   table.Writer
	columns []Column
	numbers []bool // columns of which every value so far is a number
	maxCell int
	count   int
}

func newTable(out *bufio.Writer, columns []Column, o Options) *tableRows {
	w := &tableRows{out: out, table: table.NewWriter(), columns: columns, numbers: make([]bool, len(columns)),
		maxCell: o.MaxCell}
	w.table.SetStyle(Style())
	header := make(table.Row, len(columns))
	for i, c := range columns {
		header[i] = TerminalSafe(c.Name)
		w.numbers[i] = c.Type == "" || Numeric(c.Type)
	}
	w.table.AppendHeader(header)
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
	line := make(table.Row, len(values))
	for i, v := range values {
		line[i] = Cell(v, w.maxCell)
		if w.columns[i].Type == "" && v != nil && !number(v) {
			w.numbers[i] = false
		}
	}
	w.count++
	w.table.AppendRow(line)
	return nil
}

func (w *tableRows) end([]Field) error {
	var configs []table.ColumnConfig
	for i, c := range w.columns {
		if w.numbers[i] && (c.Type != "" || w.count > 0) {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	w.table.SetColumnConfigs(configs)
	w.out.WriteString(w.table.Render() + "\n") // bufio keeps the first error for Flush
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

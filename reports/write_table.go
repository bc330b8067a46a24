package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// maxCell is how many characters of a value a table shows.
const maxCell = 80

// writeTable writes rows for a person at a terminal. What a client sent can't move the cursor, change colours
// or break a line: control characters are shown as escapes.
func writeTable(w io.Writer, rows *Rows, age *Freshness) error {
	t := table.NewWriter()
	t.SetStyle(tableStyle())
	header := make(table.Row, len(rows.Columns))
	var configs []table.ColumnConfig
	for i, c := range rows.Columns {
		header[i] = terminalSafe(c.Name)
		if numeric(c.Type) {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(header)
	count := 0
	for row := rows.Next(); row != nil; row = rows.Next() {
		count++
		line := make(table.Row, len(row))
		for i, v := range row {
			line[i] = tableCell(v)
		}
		t.AppendRow(line)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err := io.WriteString(w, t.Render()+"\n"+tableFoot(rows, count, age))
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func tableStyle() table.Style {
	style := table.StyleLight
	style.Options.DrawBorder = false
	style.Options.SeparateColumns = false
	style.Format.Header = text.FormatDefault
	return style
}

// tableFoot says how many rows there are, how to read the columns, and how old the data is.
func tableFoot(rows *Rows, count int, age *Freshness) string {
	var foot strings.Builder
	fmt.Fprintf(&foot, "%d %s", count, plural(count, "row", "rows"))
	if rows.More() {
		foot.WriteString(", and more: use --format csv or jsonl for all of them")
	}
	foot.WriteByte('\n')
	for _, c := range rows.Columns {
		if c.Note != "" {
			fmt.Fprintf(&foot, "%s: %s\n", c.Name, c.Note)
		}
	}
	if age != nil {
		foot.WriteString(age.Sentence() + "\n")
	}
	return foot.String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func numeric(typ string) bool {
	typ = strings.TrimPrefix(typ, "Nullable(")
	for _, prefix := range []string{"UInt", "Int", "Float", "Decimal"} {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

func tableCell(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, item := range list {
			parts[i] = textOf(item)
		}
		return shorten(terminalSafe(strings.Join(parts, ", ")), maxCell)
	}
	return shorten(terminalSafe(textOf(v)), maxCell)
}

func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// terminalSafe writes control, format (right-to-left marks, zero widths) and invalid characters as escapes.
func terminalSafe(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var out strings.Builder
	for _, c := range s {
		if unprintable(c) {
			quoted := strconv.QuoteRuneToASCII(c)
			out.WriteString(quoted[1 : len(quoted)-1])
		} else {
			out.WriteRune(c)
		}
	}
	return out.String()
}

func unprintable(c rune) bool {
	return c == unicode.ReplacementChar || !unicode.IsPrint(c)
}

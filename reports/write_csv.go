package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
)

// writeCSV writes RFC 4180 with a header line. Text that a spreadsheet would take for a formula gets an
// apostrophe in front; numbers and times stay as they are.
func writeCSV(w io.Writer, rows *Rows) error {
	out := csv.NewWriter(w)
	line := make([]string, len(rows.Columns))
	for i, c := range rows.Columns {
		line[i] = spreadsheetSafe(c.Name)
	}
	if err := out.Write(line); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	for row := rows.Next(); row != nil; row = rows.Next() {
		for i, v := range row {
			line[i] = csvText(v)
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("write csv: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return rows.Err()
}

func csvText(v any) string {
	switch v.(type) {
	case int64, uint64, float64, bool, time.Time, nil:
		return textOf(v)
	}
	return spreadsheetSafe(strings.ToValidUTF8(textOf(v), "\ufffd"))
}

// spreadsheetSafe guards against =cmd|… and its kin: a cell that begins with one of these signs, perhaps after
// white space or in its full-width form, is run as a formula by some spreadsheet.
func spreadsheetSafe(s string) string {
	trimmed := strings.TrimLeft(s, " \t\r\n\u00a0\ufeff\x00")
	if trimmed == "" {
		return s
	}
	if strings.ContainsRune("=+-@|%＝＋－＠", []rune(trimmed)[0]) || strings.ContainsRune("\t\r\n\x00", rune(s[0])) {
		return "'" + s
	}
	return s
}

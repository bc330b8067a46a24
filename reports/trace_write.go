package reports

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"statewire/reports/web"
)

// WriteTrace writes a trace for a person (table), a program (json, jsonl) or a sheet (csv).
func WriteTrace(w io.Writer, f Format, t *Trace) error {
	switch f {
	case Table:
		_, err := io.WriteString(w, t.String())
		return err
	case JSON:
		return writeIndented(w, t)
	case JSONL:
		return json.NewEncoder(w).Encode(t)
	case CSV:
		lines := [][]string{{"version", "where", "code", "severity", "time", "text", "file", "receipt"}}
		for _, h := range t.Hops {
			lines = append(lines, []string{strconv.Itoa(h.Version), h.Where, h.Code, string(h.Severity), timePointer(h.Time), spreadsheetSafe(h.Text), spreadsheetSafe(h.File), spreadsheetSafe(h.Receipt)})
		}
		return csv.NewWriter(w).WriteAll(lines)
	}
	return errors.New("a trace has no parquet form: use table, json, jsonl or csv")
}

// String is the trace as a person reads it in a terminal.
func (t *Trace) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, message %s\n%s\n", t.Client.title(), web.Number(t.Serial), wrapped(t.Summary, "", ""))
	version := 0
	for _, h := range t.Hops {
		if h.Version != version && h.Version > 0 {
			fmt.Fprintf(&out, "  Message %d under this serial\n", h.Version)
		}
		version = h.Version
		at := strings.Repeat(" ", len("2006-01-02 15:04:05Z"))
		if h.Time != nil {
			at = clockAt(*h.Time)
		}
		first := fmt.Sprintf("  %s %-6s  %s  ", h.Severity.mark(), h.Where, at)
		out.WriteString(wrapped(h.Text, first, strings.Repeat(" ", len([]rune(first)))))
	}
	if len(t.Next) > 0 {
		out.WriteString("\nWhat happens next\n")
	}
	writeSteps(&out, t.Next)
	return out.String()
}

// WriteTraceOf traces a message and writes it; the one call for `statewire trace CLIENT --serial N`.
func (r *Runner) WriteTraceOf(ctx context.Context, w io.Writer, f Format, client string, serial uint64) error {
	t, err := r.Trace(ctx, client, serial)
	if err != nil {
		return err
	}
	return WriteTrace(w, f, t)
}

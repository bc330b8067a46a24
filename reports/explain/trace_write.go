package explain

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"statewire/internal/humanize"
	"statewire/reports"
)

// Write writes the trace for a person (table), a program (json, jsonl) or a sheet (csv, parquet).
func (t *Trace) Write(w io.Writer, f reports.Format) error { return writeSentences(w, f, t) }

// sheet is the trace as lines of cells.
func (t *Trace) sheet() [][]string {
	lines := [][]string{{"kind", "version", "where", "code", "severity", "time", "text", "file", "receipt"},
		{"summary", "", "", t.Verdict, "", "", t.Summary, "", ""}}
	for _, h := range t.Hops {
		version := ""
		if h.Version > 0 {
			version = strconv.Itoa(h.Version)
		}
		lines = append(lines, []string{"hop", version, h.Where, h.Code, string(h.Severity), timePointer(h.Time), h.Text,
			h.File, h.Receipt})
	}
	for _, step := range t.Next {
		lines = append(lines, []string{"next", "", "", "", "", timePointer(step.At), step.Text, "", ""})
	}
	return lines
}

// String is the trace as a person reads it in a terminal.
func (t *Trace) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, message %s\n%s", t.Client.title(), humanize.Number(t.Serial), wrapped(t.Summary, "", ""))
	if len(t.Hops) > 0 {
		out.WriteString("\n")
	}
	version := 0
	for _, h := range t.Hops {
		if h.Version != version && h.Version > 0 {
			fmt.Fprintf(&out, "  Message %d under this serial\n", h.Version)
		}
		version = h.Version
		at := strings.Repeat(" ", len("2006-01-02 15:04:05Z"))
		if h.Time != nil {
			at = humanize.Clock(*h.Time)
		}
		first := fmt.Sprintf("  %s %-6s  %s  ", h.Severity.mark(), h.Where, at)
		out.WriteString(wrapped(h.Text, first, strings.Repeat(" ", len([]rune(first)))))
	}
	writeSteps(&out, t.Next)
	return out.String()
}

// WriteTrace traces a message and writes it; the one call for `statewire trace CLIENT --serial N`.
func (x *Explainer) WriteTrace(ctx context.Context, w io.Writer, f reports.Format, client string,
	serial uint64) error {
	t, err := x.Trace(ctx, client, serial)
	if err != nil {
		return err
	}
	return t.Write(w, f)
}

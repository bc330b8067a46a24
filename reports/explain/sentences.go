package explain

import (
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// sentences are what explain and trace give: sentences.
type sentences interface {
	String() string    // for a terminal
	sheet() [][]string // lines of cells, the first names them
}

// writeSentences writes sentences for a person (table), a program (json, jsonl) or a sheet (csv, parquet). What a
// client wrote into its reports can't move the cursor or become a formula.
func writeSentences(w io.Writer, f reports.Format, a sentences) error {
	switch f {
	case reports.Table:
		_, err := io.WriteString(w, a.String())
		return err
	case reports.JSON, reports.JSONL:
		return tabular.WriteJSON(w, a, f == reports.JSON)
	}
	lines := a.sheet()
	rows := make([][]any, len(lines)-1)
	for i, line := range lines[1:] {
		for _, cell := range line {
			rows[i] = append(rows[i], cell)
		}
	}
	return tabular.Write(w, f, tabular.Named(lines[0]...), rows, tabular.Options{})
}

// lineWidth is where sentences for a terminal are broken.
const lineWidth = 110

// writeSteps writes what happens next.
func writeSteps(out *strings.Builder, steps []Step) {
	if len(steps) > 0 {
		out.WriteString("\nWhat happens next\n")
	}
	for _, step := range steps {
		text := step.Text
		if step.At != nil {
			text = humanize.Clock(*step.At) + "  " + text
		}
		out.WriteString(wrapped(text, "  → ", "    "))
	}
}

// title names a client by name and id.
func (c Client) title() string {
	switch {
	case c.Name == "":
		return WireID(c.ID)
	case c.ID == uuid.Nil: // a name that no client has
		return tabular.TerminalSafe(tabular.Shorten(c.Name, 64))
	}
	return tabular.TerminalSafe(tabular.Shorten(c.Name, 64)) + " · " + WireID(c.ID)
}

// mark is the sign before a fact; the sentence itself says the same.
func (s Severity) mark() string {
	switch s {
	case OK:
		return "✓"
	case Warning:
		return "!"
	case Bad:
		return "✗"
	}
	return "·"
}

// unbroken is what stays on one line: a command between backquotes, a time, any other word.
var unbroken = regexp.MustCompile("\\(?`[^`]*`\\S*|\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ\\S*|\\S+")

// wrapped breaks a sentence into lines, control characters shown as escapes.
func wrapped(text, first, rest string) string {
	var out strings.Builder
	line, start := first, true
	for _, word := range unbroken.FindAllString(tabular.TerminalSafe(text), -1) {
		if !start && len([]rune(line))+1+len([]rune(word)) > lineWidth {
			out.WriteString(line + "\n")
			line, start = rest, true
		}
		if !start {
			line += " "
		}
		line, start = line+word, false
	}
	return out.String() + line + "\n"
}

func timePointer(t *time.Time) string {
	if t == nil {
		return ""
	}
	return tabular.TimeText(*t)
}

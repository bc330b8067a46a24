package reports

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// errNoRows is said for forms that hold rows only.
var errNoRows = errors.New("an explanation has no parquet form: use table, json, jsonl or csv")

// lineWidth is where sentences for a terminal are broken.
const lineWidth = 110

// WriteExplanation writes an explanation for a person (table), a program (json, jsonl) or a sheet (csv). What a client wrote
// into its reports can't move the cursor or become a formula.
func WriteExplanation(w io.Writer, f Format, e *Explanation) error {
	switch f {
	case Table:
		_, err := io.WriteString(w, e.String())
		return err
	case JSON:
		return writeIndented(w, e)
	case JSONL:
		return json.NewEncoder(w).Encode(e)
	case CSV:
		lines := [][]string{{"kind", "code", "severity", "time", "text"}, {"summary", "", "", "", spreadsheetSafe(e.Summary)}}
		for _, fact := range e.Facts {
			lines = append(lines, []string{"fact", fact.Code, string(fact.Severity), timePointer(fact.Time), spreadsheetSafe(fact.Text)})
		}
		for _, step := range e.Next {
			lines = append(lines, []string{"next", "", "", timePointer(step.At), spreadsheetSafe(step.Text)})
		}
		return csv.NewWriter(w).WriteAll(lines)
	}
	return errNoRows
}

func writeIndented(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

func timePointer(t *time.Time) string {
	if t == nil {
		return ""
	}
	return timeText(*t)
}

// String is the explanation as a person reads it in a terminal.
func (e *Explanation) String() string {
	var out strings.Builder
	out.WriteString(e.Client.title())
	if e.Topic != nil {
		fmt.Fprintf(&out, ", topic %d/%s", e.Topic.Type, terminalSafe(shorten(e.Topic.ID, 120)))
	}
	out.WriteString("\n" + wrapped(e.Summary, "", "") + "\n")
	for _, fact := range e.Facts {
		out.WriteString(wrapped(fact.Text, "  "+fact.Severity.mark()+" ", "    "))
	}
	if len(e.Next) > 0 {
		out.WriteString("\nWhat happens next\n")
	}
	writeSteps(&out, e.Next)
	return out.String()
}

func writeSteps(out *strings.Builder, steps []Step) {
	for _, step := range steps {
		text := step.Text
		if step.At != nil {
			text = clockAt(*step.At) + "  " + text
		}
		out.WriteString(wrapped(text, "  → ", "    "))
	}
}

// title names a client by name and id.
func (c Client) title() string {
	switch {
	case c.Name == "":
		return wireID(c.ID)
	case c.ID == uuid.Nil: // a name that no client has
		return terminalSafe(shorten(c.Name, 64))
	}
	return terminalSafe(shorten(c.Name, 64)) + " · " + wireID(c.ID)
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
	for _, word := range unbroken.FindAllString(terminalSafe(text), -1) {
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

// unknownName is the explanation of a computer name that no client has.
func unknownName(name string) *Explanation {
	return &Explanation{
		Client:  Client{Name: name},
		Summary: fmt.Sprintf("No client of this site is called %s.", shorten(name, 64)),
		Facts: []Fact{{Code: "unknown_name", Severity: Bad,
			Text: fmt.Sprintf("No report that was stored came from a computer called %s: names are those that clients put into their reports.", shorten(name, 64))}},
		Next: []Step{
			{Text: "A client becomes known when its first report is loaded, or when it first asks for its policy."},
			{Text: "`statewire report clients --param name=PART` finds clients by a part of their name or id; one that never reported can be asked about by its id (GUID:…)."},
		},
	}
}

// WriteExplain explains a client, and tells namesakes apart; the one call for `statewire explain CLIENT`.
func (r *Runner) WriteExplain(ctx context.Context, w io.Writer, f Format, client string, topic *Topic) error {
	e, err := r.Explain(ctx, client, topic)
	if err != nil {
		return err
	}
	return WriteExplanation(w, f, e)
}

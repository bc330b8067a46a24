package explain

import (
	"context"
	"fmt"
	"io"
	"strings"

	"statewire/internal/tabular"
	"statewire/reports"
)

// Write writes the explanation for a person (table), a program (json, jsonl) or a sheet (csv, parquet).
func (e *Explanation) Write(w io.Writer, f reports.Format) error { return writeSentences(w, f, e) }

// sheet is the explanation as lines of cells.
func (e *Explanation) sheet() [][]string {
	lines := [][]string{{"kind", "code", "severity", "time", "text"}, {"summary", "", "", "", e.Summary}}
	for _, fact := range e.Facts {
		lines = append(lines, []string{"fact", fact.Code, string(fact.Severity), timePointer(fact.Time), fact.Text})
	}
	for _, step := range e.Next {
		lines = append(lines, []string{"next", "", "", timePointer(step.At), step.Text})
	}
	return lines
}

// String is the explanation as a person reads it in a terminal.
func (e *Explanation) String() string {
	var out strings.Builder
	out.WriteString(e.Client.title())
	if e.Topic != nil {
		fmt.Fprintf(&out, ", topic %d/%s", e.Topic.Type, tabular.TerminalSafe(tabular.Shorten(e.Topic.ID, 120)))
	}
	out.WriteString("\n" + wrapped(e.Summary, "", "") + "\n")
	for _, fact := range e.Facts {
		out.WriteString(wrapped(fact.Text, "  "+fact.Severity.mark()+" ", "    "))
	}
	writeSteps(&out, e.Next)
	return out.String()
}

// UnknownName is the explanation of a computer name that no client has.
func UnknownName(name string) *Explanation {
	shown := tabular.Shorten(name, 64)
	text := fmt.Sprintf("No report that is stored came from a computer called %s: names are those that clients put "+
		"into their reports.", shown)
	return &Explanation{
		Client:  Client{Name: name},
		Summary: fmt.Sprintf("No client of this site is called %s.", shown),
		Facts:   []Fact{{Code: "unknown_name", Severity: Bad, Text: text}},
		Next: []Step{
			{Text: "A client becomes known when its first report is loaded, or when it first asks for its policy. One whose " +
				"reports only wait in the inbox is found by its id, not by its name."},
			{Text: "`statewire report clients --param name=PART` finds clients by a part of their name or id; one that never " +
				"reported can be asked about by its id (GUID:…)."},
		},
	}
}

// WriteExplain explains a client, and tells namesakes apart; the one call for `statewire explain CLIENT`.
func (x *Explainer) WriteExplain(ctx context.Context, w io.Writer, f reports.Format, client string,
	topic *Topic) error {
	e, err := x.Explain(ctx, client, topic)
	if err != nil {
		return err
	}
	return e.Write(w, f)
}

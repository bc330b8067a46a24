package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"statewire/internal/tabular"
)

// Listed is one report as `report list` and the API show it.
type Listed struct {
	Name        string  `json:"name"`
	Title       string  `json:"title"`
	Group       string  `json:"group"`
	Description string  `json:"description"`
	Source      string  `json:"source" doc:"built-in, or user for a file of reports.dir"`
	Params      []Param `json:"params"`
}

// Listed describes the report.
func (r *Report) Listed() Listed {
	source := "user" // never the path: readers have no business with it
	if r.Source == "built-in" {
		source = r.Source
	}
	params := r.Params
	if params == nil {
		params = []Param{}
	}
	return Listed{r.Name, r.Title, r.Group, r.Description, source, params}
}

// WriteList writes the catalog; the one call for `statewire report list`. A table fits a terminal of width characters; 0
// has no bound.
func (c *Catalog) WriteList(w io.Writer, f Format, width int) error {
	switch f {
	case Table:
		return c.writeListTable(w, width)
	case JSON:
		return tabular.WriteJSON(w, c.listed(), true)
	case JSONL:
		for _, r := range c.listed() {
			if err := tabular.WriteJSON(w, r, false); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]any
	for _, r := range c.List() {
		rows = append(rows, []any{r.Name, r.Title, r.usage(), r.Listed().Source})
	}
	return tabular.Write(w, f, tabular.Named("name", "title", "parameters", "source"), rows, tabular.Options{})
}

func (c *Catalog) listed() []Listed {
	list := []Listed{}
	for _, r := range c.List() {
		list = append(list, r.Listed())
	}
	return list
}

func (c *Catalog) writeListTable(w io.Writer, width int) error {
	t := table.NewWriter()
	t.SetStyle(tabular.Style())
	if width > 0 {
		t.SetColumnConfigs(c.fit(width))
	}
	t.AppendHeader(table.Row{"report", "answers", "parameters"})
	group := ""
	for _, r := range c.List() {
		if r.Group != group {
			if group != "" {
				t.AppendSeparator()
			}
			group = r.Group
		}
		t.AppendRow(table.Row{r.Name, tabular.TerminalSafe(r.Title), tabular.TerminalSafe(r.usage())})
	}
	out := t.Render() + "\nRun one with: statewire report NAME --param NAME=VALUE\n"
	for _, problem := range c.Problems() {
		out += "left out: " + tabular.TerminalSafe(problem.Error()) + "\n"
	}
	_, err := io.WriteString(w, out)
	return err
}

// fit gives what the names leave of a line to the other two columns; longer texts take more lines.
func (c *Catalog) fit(width int) []table.ColumnConfig {
	const between = 7 // blanks around three columns
	names := 0
	for _, r := range c.List() {
		names = max(names, len(r.Name))
	}
	rest := max(width-names-between, 30)
	return []table.ColumnConfig{
		{Number: 2, WidthMax: rest / 2, WidthMaxEnforcer: text.WrapSoft},
		{Number: 3, WidthMax: rest - rest/2, WidthMaxEnforcer: text.WrapSoft},
	}
}

// usage lists the parameters, required ones first as NAME=…, the others with their defaults.
func (r *Report) usage() string {
	var required, optional []string
	for _, p := range r.Params {
		if p.Required {
			required = append(required, p.Name+"=…")
		} else {
			optional = append(optional, fmt.Sprintf("[%s=%s]", p.Name, tabular.Shorten(p.Default, 20)))
		}
	}
	return strings.Join(append(required, optional...), " ")
}

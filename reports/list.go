package reports

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
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

func (r *Report) listed() Listed {
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

// WriteList writes the catalog; the one call for `statewire report list`.
func (c *Catalog) WriteList(w io.Writer, f Format) error {
	switch f {
	case Table:
		return c.writeListTable(w)
	case JSON:
		return c.writeListJSON(w)
	case JSONL:
		out := json.NewEncoder(w)
		for _, r := range c.List() {
			if err := out.Encode(r.listed()); err != nil {
				return fmt.Errorf("write list: %w", err)
			}
		}
		return nil
	case CSV:
		out := csv.NewWriter(w)
		lines := [][]string{{"name", "title", "parameters", "source"}}
		for _, r := range c.List() {
			lines = append(lines, []string{r.Name, spreadsheetSafe(r.Title), r.usage(), r.listed().Source})
		}
		return out.WriteAll(lines)
	}
	return errors.New("the list of reports has no parquet form: use table, json, jsonl or csv")
}

func (c *Catalog) writeListJSON(w io.Writer) error {
	list := []Listed{}
	for _, r := range c.List() {
		list = append(list, r.listed())
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(list); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	return nil
}

func (c *Catalog) writeListTable(w io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(tableStyle())
	t.AppendHeader(table.Row{"report", "answers", "parameters"})
	group := ""
	for _, r := range c.List() {
		if r.Group != group {
			if group != "" {
				t.AppendSeparator()
			}
			group = r.Group
		}
		t.AppendRow(table.Row{r.Name, terminalSafe(r.Title), terminalSafe(r.usage())})
	}
	text := t.Render() + "\nRun one with: statewire report NAME --param NAME=VALUE\n"
	for _, problem := range c.Problems() {
		text += "left out: " + terminalSafe(problem.Error()) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// usage lists the parameters, required ones first as NAME=…, the others with their defaults.
func (r *Report) usage() string {
	var required, optional []string
	for _, p := range r.Params {
		if p.Required {
			required = append(required, p.Name+"=…")
		} else {
			optional = append(optional, fmt.Sprintf("[%s=%s]", p.Name, shorten(p.Default, 20)))
		}
	}
	return strings.Join(append(required, optional...), " ")
}

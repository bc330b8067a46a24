package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"statewire/internal/parse"
	"statewire/internal/tabular"
)

// View is how a reader wants to see rows.
type View struct {
	Columns  []string // those shown, in this order; AllColumns alone is every column, none leaves those that fit
	NoHeader bool     // a table or CSV without the line of names
	Width    int      // characters of a terminal's line; 0 has no bound
	Terminal bool     // times of a table say how long ago they were
	Colour   bool     // words of health in colour
}

// AllColumns stands for every column, whether it fits or not.
const AllColumns = "all"

// rank is one name of the header's line `columns`.
type rank struct {
	column string
	stays  bool
}

// columnRanks reads `title!, percent!, bad, …`: the columns in the order of their importance; with ! one never leaves.
func (h *headerReader) columnRanks() error {
	for part := range strings.SplitSeq(h.columns, ",") {
		name, stays := strings.CutSuffix(strings.TrimSpace(part), "!")
		if name == "" || name == "…" {
			continue
		}
		if !identForm.MatchString(name) {
			return h.errorf(h.columnsLine, "columns: %.40q is no column name", name)
		}
		if slices.ContainsFunc(h.report.ranks, func(r rank) bool { return r.column == name }) {
			return h.errorf(h.columnsLine, "columns: %s stands twice", name)
		}
		h.report.ranks = append(h.report.ranks, rank{name, stays})
	}
	return nil
}

// unranked begins the ranks of columns that the header does not name.
const unranked = 1000

// rankOf is the column's place among those that leave where a line is short; the first column of an answer that says
// nothing of ranks stays.
func (r *Rows) rankOf(i int) int {
	if r.Report == nil || len(r.Report.ranks) == 0 {
		return i
	}
	at := slices.IndexFunc(r.Report.ranks, func(k rank) bool { return k.column == r.Columns[i].Name })
	switch {
	case at < 0:
		return unranked + i
	case r.Report.ranks[at].stays:
		return 0
	}
	return at + 1
}

// tabular are the columns with their ranks, and how the view wants them written.
func (v View) tabular(rows *Rows, now time.Time) ([]tabular.Column, tabular.Options) {
	columns := make([]tabular.Column, len(rows.Columns))
	for i, c := range rows.Columns {
		columns[i] = tabular.Column{Name: c.Name, Type: c.Type}
		if len(v.Columns) == 0 {
			columns[i].Rank = rows.rankOf(i)
		}
	}
	o := tabular.Options{List: "rows", NoHeader: v.NoHeader, Width: v.Width,
		Loose: len(v.Columns) > 0, Colour: v.Colour}
	if v.Terminal {
		o.Now = now
	}
	if v.Width > 0 {
		o.MaxCell = maxCell
	}
	return columns, o
}

// Select keeps the columns of these names, in this order. It stands before the first Next.
func (r *Rows) Select(names []string) error {
	if len(names) == 0 || len(names) == 1 && names[0] == AllColumns {
		return nil
	}
	var columns []Column
	var shown []int
	for _, name := range names {
		at := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name })
		if at < 0 {
			return r.noColumn("columns", name)
		}
		columns, shown = append(columns, r.Columns[at]), append(shown, r.shown[at])
	}
	r.Columns, r.shown = columns, shown
	return nil
}

func (r *Rows) noColumn(param, name string) error {
	known := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		known[i] = c.Name
	}
	label := "sql"
	if r.Report != nil {
		label = r.Report.Name
	}
	return noColumn(label, param, name, known)
}

func noColumn(report, param, name string, known []string) error {
	why := fmt.Sprintf("names %.40q, which is no column: there are %s", name, strings.Join(known, ", "))
	if near := parse.Nearest(name, known); near != "" {
		why += "; did you mean " + near + "?"
	}
	return &ParamError{report, param, tabular.TerminalSafe(why)}
}

// Why says why an answer has no row: what its scope lacks, what its file says, or what was asked.
func (r *Rows) Why() string {
	switch {
	case r.Scope != nil && r.Scope.Clients == 0 && r.Scope.Name == siteScope:
		return "no client has reported to this site yet"
	case r.Scope != nil && r.Scope.Clients == 0:
		return "collection " + tabular.TerminalSafe(r.Scope.Name) + " has no members that report to this site"
	case r.Report == nil:
		return "the statement yields no rows"
	}
	why := cmp.Or(r.Report.Empty, "nothing on this site answers this question")
	var asked []string
	for _, p := range r.Report.Params {
		if r.Params[p.Name] != p.Default {
			asked = append(asked, p.Name+" "+tabular.Shorten(tabular.TerminalSafe(r.Params[p.Name]), 80))
		}
	}
	if len(asked) > 0 {
		why += " (asked with " + strings.Join(asked, ", ") + ")"
	}
	return why
}

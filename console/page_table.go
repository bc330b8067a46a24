package console

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/names"
)

// pageTable turns rows into a page's cells, bars and chart.
type pageTable struct {
	rows  *reports.Rows
	view  *web.Report
	bars  []int // columns of group, state name and count; nil when there are no bars
	lines []int // columns of time and numbers; nil when there is no chart
	at    map[string]int
	now   time.Time
	under int // the column that stands small beneath the title; -1: none
}

// maxListText is how many characters of a list a cell shows.
const maxListText = 80

// maxStacks is how many groups a page draws as bars; the rows below have them all.
const maxStacks = 12

func newPageTable(rows *reports.Rows, view *web.Report, now time.Time) *pageTable {
	t := &pageTable{rows: rows, view: view, at: map[string]int{}, now: now, under: -1}
	for i, c := range rows.Columns {
		t.at[c.Name] = i
	}
	if id, ok := t.at["topic_id"]; ok {
		if _, ok := t.at["title"]; ok {
			t.under = id
		}
	}
	for i, c := range rows.Columns {
		if i == t.under {
			continue
		}
		view.Columns = append(view.Columns, web.Column{Name: c.Name, Note: c.Note, Numeric: tabular.Numeric(c.Type)})
	}
	t.bars, t.lines = t.columns(rows.Report.Bars), t.columns(rows.Report.Lines)
	return t
}

// columns finds the places of columns; nil when one isn't there.
func (t *pageTable) columns(names []string) []int {
	var out []int
	for _, name := range names {
		at, ok := t.at[name]
		if !ok {
			return nil
		}
		out = append(out, at)
	}
	return out
}

func (t *pageTable) add(row []any) {
	cells := make([]web.Cell, 0, len(row))
	for i, v := range row {
		if i != t.under {
			cells = append(cells, t.cell(i, v, row))
		}
	}
	t.view.Rows = append(t.view.Rows, cells)
	if t.bars != nil {
		t.addBar(row)
	}
	if t.lines != nil {
		t.addPoint(row)
	}
}

func (t *pageTable) cell(i int, v any, row []any) web.Cell {
	c := t.rows.Columns[i]
	cell := web.Cell{Text: tabular.Shorten(tabular.TerminalSafe(tabular.Text(v)), 400),
		Label: web.Label(c.Name), Link: t.link(c.Name, row),
		Wraps: strings.Contains(c.Type, "UUID") || c.Name == "subject" || c.Name == "topic_id"}
	switch x := v.(type) {
	case nil:
		if c.Name == "last_report" {
			cell.Text = "never"
		}
	case time.Time:
		t.time(&cell, c.Name, x)
	case []any:
		cell.Text = tabular.Cell(v, maxListText)
	case int64, uint64:
		cell.Numeric = true
		if !isID(c.Name) {
			cell.Text = humanize.Number(v)
		}
	case float64:
		cell.Numeric = true
		cell.Share, cell.Shared = x, c.Name == "percent"
	case string:
		switch c.Name {
		case "title":
			t.title(&cell, x, row)
		case "class", "before":
			if x != "" {
				cell.Tone, cell.Text = classTone(x), classLabel("", x)
			}
		case "state_name":
			if x != "" {
				cell.Tone = web.ToneOf(x)
			}
		case "netbios_name":
			if x == "" && cell.Link != "" {
				cell.Text = "(no name)" // a link needs something to point at
			}
		case "topic_name":
			readable := func(c reports.Column) bool { return c.Name == "topic" } // then the constant stands beside it
			if !slices.ContainsFunc(t.rows.Columns, readable) {
				cell.Text, cell.Full = names.Topic(x), cell.Text
			}
		}
	}
	return cell
}

// time says how long ago a time was, with the exact one for whoever points at it. The axis of a chart, and what is to
// come, stand as they are.
func (t *pageTable) time(cell *web.Cell, column string, at time.Time) {
	if at.IsZero() || at.Unix() == 0 {
		cell.Text = "never"
		return
	}
	cell.Text, cell.Time = humanize.Clock(at), web.ISO(at)
	axis := t.lines != nil && t.rows.Report.Lines[0] == column
	if past := t.now.Sub(at); past >= 0 && !axis {
		cell.Full, cell.Text = cell.Text, humanize.Ago(past)
	}
}

// title leads to the page of what it names; the id stands small beneath, where it is not the title itself.
func (t *pageTable) title(cell *web.Cell, title string, row []any) {
	if t.under < 0 {
		return
	}
	id := tabular.Text(row[t.under])
	cell.Link = address(subjectLink(t.kind(row), id), nil, asOfName, momentAsked(t.rows.Params, t.rows.Moment))
	if cell.Text == "" {
		cell.Text = "(no id)"
	}
	if id != title {
		cell.Small = tabular.Shorten(tabular.TerminalSafe(id), maxListText)
	}
}

// kind is that of a row's subject, as its address has it: the row says it, or its topic type does.
func (t *pageTable) kind(row []any) string {
	if at, ok := t.at["subject"]; ok {
		if kind, _, named := strings.Cut(tabular.Text(row[at]), "/"); named && kindTitles[kind] != "" && kind != "other" {
			return kind
		}
	}
	if at, ok := t.at["kind"]; ok {
		kind := tabular.Text(row[at])
		if of, ok := t.at["topic_type"]; ok && kind == "other" {
			kind = tabular.Text(row[of])
		}
		return kind
	}
	if kind, ok := map[string]string{"updates": "update", "deployments": "deployment"}[t.rows.Report.Name]; ok {
		return kind
	}
	topic := ""
	if at, ok := t.at["topic_type"]; ok {
		topic = tabular.Text(row[at])
	} else {
		topic = t.rows.Params["topic_type"]
	}
	return kindOfTopic(topic)
}

// kindOfTopic is the kind of what a topic type says; of a type that stands for itself, its number.
func kindOfTopic(topicType string) string {
	switch topicType {
	case "300", "301", "302":
		return "deployment"
	case "400", "402", "500":
		return "update"
	case "401":
		return "baseline"
	case "501":
		return "scan"
	case "":
		return "other"
	}
	return topicType
}

// isID tells numbers that name something from numbers that count.
func isID(column string) bool {
	return slices.Contains([]string{"topic_type", "state_id", "client_type", "criticality", "line", "column",
		"report_index", "record_index"}, column) ||
		strings.HasSuffix(column, "serial")
}

func (t *pageTable) link(column string, row []any) string {
	link := linkOf(t.rows.Report, column, t.rows.Columns, row, t.rows.Params)
	if strings.HasPrefix(link, clientPath) {
		link = asOfLink(link, momentAsked(t.rows.Params, t.rows.Moment))
	}
	return link
}

// momentAsked is the moment of a report as a page takes it. A page knows the site's zone only: a date of another one is
// a time there.
func momentAsked(asked map[string]string, then *reports.Moment) string {
	if then != nil && asked["tz"] != "" {
		return then.At.Format(time.RFC3339Nano)
	}
	return asked[asOfName]
}

// linkOf fills a column's link with values of the same row, or else of the question: what counts the machines of a
// collection leads to those. NULL has nothing to link to: the Unknown bucket of a topic leads to the clients in it.
func linkOf(r *reports.Report, column string, columns []reports.Column, row []any, asked map[string]string) string {
	form, ok := r.Links[column]
	if !ok {
		return ""
	}
	if strings.HasPrefix(form, clientPath) {
		return clientLink(form, columns, row)
	}
	name, query, _ := strings.Cut(form, "?")
	out := url.Values{}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if from := strings.Trim(value, "{}"); from != value {
			at := slices.IndexFunc(columns, func(c reports.Column) bool { return c.Name == from })
			given, ok := asked[from]
			if at < 0 && !ok {
				return ""
			}
			if at < 0 {
				if given != "" {
					out.Set(key, given)
				}
				continue
			}
			if row[at] == nil {
				if key != "state_id" || name != "clients-in-state" {
					return ""
				}
				name = "unknown-clients"
				if cause := slices.IndexFunc(columns, func(c reports.Column) bool { return c.Name == "cause" }); cause >= 0 {
					out.Set("cause", tabular.Text(row[cause]))
				}
				continue
			}
			value = tabular.Text(row[at])
		}
		if value != "" {
			out.Set(key, value)
		}
	}
	if len(out) == 0 {
		return "/reports/" + name
	}
	return "/reports/" + name + "?" + out.Encode()
}

// clientPath begins the address of a client's page.
const clientPath = "/clients/"

// clientLink fills `/clients/{COLUMN}` and `/clients/{COLUMN}?serial={COLUMN}` with values of the same row.
func clientLink(form string, columns []reports.Column, row []any) string {
	empty := false
	link := linkColumn.ReplaceAllStringFunc(form, func(name string) string {
		at := slices.IndexFunc(columns, func(c reports.Column) bool { return c.Name == strings.Trim(name, "{}") })
		if at < 0 || row[at] == nil || row[at] == uint64(0) { // an instant message has serial 0, which is none
			empty = true
			return ""
		}
		return url.PathEscape(tabular.Text(row[at]))
	})
	if empty {
		return ""
	}
	return link
}

// asOfLink keeps the moment that the page is about.
func asOfLink(link, moment string) string {
	if link == "" || moment == "" {
		return link
	}
	sign := "?"
	if strings.Contains(link, "?") {
		sign = "&"
	}
	return link + sign + url.Values{asOfName: {moment}}.Encode()
}

// linkColumn is a column's place in a link.
var linkColumn = regexp.MustCompile(`\{[A-Za-z_]\w*\}`)

// addBar adds a row to the stack of its group; rows of one group follow each other.
func (t *pageTable) addBar(row []any) {
	group := tabular.TerminalSafe(tabular.Text(row[t.bars[0]]))
	stacks := t.view.Stacks
	if len(stacks) == 0 || stacks[len(stacks)-1].Title != group {
		t.view.Stacks = append(t.view.Stacks, web.Stack{Title: group,
			Link: t.link(t.rows.Columns[t.bars[0]].Name, row)})
	}
	stack := &t.view.Stacks[len(t.view.Stacks)-1]
	count := tabular.Int(row[t.bars[2]])
	name := tabular.TerminalSafe(tabular.Text(row[t.bars[1]]))
	stack.Total += count
	stack.Segments = append(stack.Segments, web.Segment{
		Name: name, Count: count, Tone: web.ToneOf(name), Link: t.link(t.rows.Columns[t.bars[2]].Name, row),
	})
}

func (t *pageTable) addPoint(row []any) {
	at, ok := row[t.lines[0]].(time.Time)
	day, daily := row[t.lines[0]].(tabular.Date)
	if daily {
		var err error
		at, err = time.Parse(time.DateOnly, string(day))
		ok = err == nil
	}
	if !ok {
		return
	}
	if t.view.Chart == nil {
		t.view.Chart = &web.Chart{Daily: daily}
		for _, i := range t.lines[1:] {
			line := web.Series{Label: web.Label(t.rows.Columns[i].Name)}
			if t.rows.Columns[i].Name == "percent" {
				line.Unit = "%"
			}
			t.view.Chart.Series = append(t.view.Chart.Series, line)
		}
	}
	t.view.Chart.X = append(t.view.Chart.X, at.Unix())
	for n, i := range t.lines[1:] {
		height := math.NaN()
		if row[i] != nil {
			height = tabular.Float(row[i])
		}
		t.view.Chart.Series[n].Values = append(t.view.Chart.Series[n].Values, height)
	}
}

// finish puts the pictures in order. A page that breaks off inside a group doesn't draw that group.
func (t *pageTable) finish() {
	if stacks := t.view.Stacks; len(stacks) > 0 && t.rows.More() {
		t.view.Stacks = stacks[:len(stacks)-1]
	}
	if len(t.view.Stacks) > maxStacks {
		t.view.Stacks = t.view.Stacks[:maxStacks]
	}
	for i := range t.view.Stacks {
		t.view.Stacks[i].Arrange()
		if t.view.Stacks[i].Title == "" {
			t.view.Stacks[i].Title = "(no id)"
		}
	}
	if c := t.view.Chart; c != nil {
		c.Text = chartText(c)
	}
}

// chartText says a chart in words: sums of what is counted anew at each step, and of days where the lines end.
func chartText(c *web.Chart) string {
	var parts []string
	for _, s := range c.Series {
		sum, most := 0.0, 0.0
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				sum, most = sum+v, max(most, v)
			}
		}
		last := s.Values[len(s.Values)-1]
		switch {
		case !c.Daily:
			parts = append(parts, humanize.Number(int64(sum))+" "+s.Label+" in all, at most "+humanize.Number(int64(most))+
				" per step")
		case !math.IsNaN(last):
			parts = append(parts, s.Label+" "+tabular.Text(last)+" on the last day")
		}
	}
	return strings.Join(parts, "; ") + "."
}

package console

import (
	"fmt"
	"math"
	"slices"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// shownDays is how many days a chart covers.
const shownDays = 90

// dayLine is one line of a chart by days: the column it draws, and its unit.
type dayLine struct{ column, label, unit string }

// drawDays draws rows of a report that has one for each day, the oldest first, and puts the same into a table. The link
// is the page as of a day; empty where there is none.
func drawDays(name string, rows []reports.Record, lines []dayLine, columns []string,
	link func(day string) string) *web.Days {
	out := &web.Days{Name: name, Chart: &web.Chart{Daily: true}, Table: &web.Table{Columns: []web.Column{{Name: "day"}}}}
	for _, line := range lines {
		out.Chart.Series = append(out.Chart.Series, web.Series{Label: line.label, Unit: line.unit})
	}
	for _, column := range columns {
		out.Table.Columns = append(out.Table.Columns, web.Column{Name: column, Numeric: true})
	}
	for _, row := range rows {
		day, ok := dayOf(row)
		if !ok {
			continue
		}
		out.Chart.X = append(out.Chart.X, day.Unix())
		for i, line := range lines {
			out.Chart.Series[i].Values = append(out.Chart.Series[i].Values, heightOf(row, line.column))
		}
		text := day.Format(time.DateOnly)
		cells := []web.Cell{{Text: text, Time: text, Link: link(text)}}
		if final, told := row["final"]; told && tabular.Int(final) == 0 {
			cells[0].Small = "may still change"
		}
		for _, column := range columns {
			cells = append(cells, dayCell(row, column))
		}
		out.Table.Rows = append(out.Table.Rows, cells)
	}
	slices.Reverse(out.Table.Rows)
	if len(out.Table.Rows) == 0 {
		out.Chart, out.Table = nil, nil
		out.Empty = "No day has been counted yet. The first one is there within minutes of the first report; a day is " +
			"counted for good once it is over."
	}
	return out
}

// dayOf is the day of a row, at its midnight in UTC.
func dayOf(row reports.Record) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, row.Raw("day"))
	return day, err == nil
}

// heightOf is a point of a line; NaN where there is none.
func heightOf(row reports.Record, column string) float64 {
	if row[column] == nil {
		return math.NaN()
	}
	return row.Float(column)
}

// dayCell is a figure of a day; a share that nobody has is a dash.
func dayCell(row reports.Record, column string) web.Cell {
	if column != "percent" {
		return numberCell(row, column)
	}
	text := percentText(row, column)
	if text == "" {
		text = dash
	}
	return web.Cell{Text: text, Numeric: true}
}

// complianceDays draws compliance-trend.
func complianceDays(name string, rows []reports.Record, link func(string) string) *web.Days {
	out := drawDays(name, rows,
		[]dayLine{{"percent", "Compliant", "%"}, {"not_compliant", "Machines not compliant", ""}},
		[]string{"percent", "compliant", "not_compliant", "not_applicable", "not_known"}, link)
	if out.Chart != nil {
		out.Chart.Label = "Compliance per day: the percentage, and how many machines are not compliant"
		out.Chart.Text = complianceText(rows)
	}
	return out
}

// complianceText says in words where the lines begin and end.
func complianceText(rows []reports.Record) string {
	say := func(row reports.Record) string {
		day, _ := dayOf(row)
		share := percentText(row, "percent")
		if share == "" {
			return dayWords(day) + ": no machine needed anything."
		}
		return fmt.Sprintf("%s: %s compliant, %s not compliant.", dayWords(day), share,
			plural(row.Count("not_compliant"), "machine", "machines"))
	}
	first, last := rows[0], rows[len(rows)-1]
	if len(rows) == 1 {
		return say(last)
	}
	return say(last) + " " + say(first)
}

// burnDown draws the report burn-down.
func burnDown(name string, rows []reports.Record, link func(string) string) *web.Days {
	out := drawDays(name, rows,
		[]dayLine{{"remaining", "Remaining", ""}, {"newly_required", "Newly required", ""}, {"fixed", "Fixed", ""}},
		[]string{"remaining", "newly_required", "fixed", "needed_ever"}, link)
	if out.Chart == nil {
		return out
	}
	last, newly, fixed := rows[len(rows)-1], 0, 0
	for _, row := range rows {
		newly, fixed = newly+row.Count("newly_required"), fixed+row.Count("fixed")
	}
	out.Chart.Label = "Burn-down per day: machines that remain, newly need it, and were fixed"
	out.Chart.Text = fmt.Sprintf("%s. In %s: %s newly required, %s fixed. A machine that needs it again counts again.",
		plural(last.Count("remaining"), "machine remains", "machines remain"), plural(len(rows), "day", "days"),
		humanize.Number(newly), humanize.Number(fixed))
	return out
}

// asOfDays leads from a day to a page as of its end; a day that is not over has none.
func (s *Server) asOfDays(path string, params map[string]string) func(string) string {
	today := s.now().In(s.zone()).Format(time.DateOnly)
	return func(day string) string {
		if day >= today {
			return ""
		}
		return address(path, params, asOfName, day)
	}
}

package console

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"statewire/console/web"
	"statewire/internal/tabular"
	"statewire/reports"
)

// fillTrend is the dashboard's chart of the whole site.
func (s *Server) fillTrend(ctx context.Context, p *web.Panel) error {
	params := map[string]string{"kind": "machine", "days": strconv.Itoa(shownDays)}
	rows, err := s.snapshots.get(ctx, "compliance-trend", params)
	if err != nil {
		return err
	}
	p.Days = complianceDays("trend", rows, s.asOfDays("/compliance", nil))
	p.Days.Exports = exports("compliance-trend", params)
	return nil
}

// fillDays says of a subject how it went: its days, and how long machines took. Each part says its own problem.
func (s *Server) fillDays(ctx context.Context, view *web.SubjectPage, a asked) {
	var all sync.WaitGroup
	all.Go(func() { view.Trend = s.subjectDays(ctx, "compliance-trend", "trend", a, complianceDays) })
	all.Go(func() { view.BurnDown = s.subjectDays(ctx, "burn-down", "burn-down", a, burnDown) })
	all.Go(func() { view.Remedy = s.remedy(ctx, a) })
	all.Wait()
}

// days draws a report by days.
type days func(name string, rows []reports.Record, link func(day string) string) *web.Days

// subjectDays asks one report by days about a subject.
func (s *Server) subjectDays(ctx context.Context, report, name string, a asked, draw days) *web.Days {
	params := a.report()
	params["days"] = strconv.Itoa(shownDays)
	rows, err := s.runner.Records(ctx, report, params, reports.Page{})
	if err != nil {
		s.logFailure(report, err)
		return &web.Days{Name: name, Problem: "These days can't be read at the moment: " + problemOf(err).Detail}
	}
	out := draw(name, rows, s.asOfDays(a.link, given(a.query, "collection", "class", "cause")))
	out.Exports = exports(report, params)
	return out
}

// remedy says how long machines took to get what they needed.
func (s *Server) remedy(ctx context.Context, a asked) *web.Remedy {
	params := a.report()
	rows, err := s.runner.Records(ctx, "time-to-remediate", params, reports.Page{})
	if err != nil {
		s.logFailure("time-to-remediate", err)
		return &web.Remedy{Problem: "This can't be read at the moment: " + problemOf(err).Detail}
	}
	out := remedyOf(rows, s.timeCell)
	out.Exports = exports("time-to-remediate", params)
	out.Link = address("/reports/time-to-remediate", params)
	return out
}

// remedyOf reads the one row of time-to-remediate.
func remedyOf(rows []reports.Record, at func(time.Time) web.Cell) *web.Remedy {
	if len(rows) == 0 || rows[0].Count("required_ever") == 0 {
		return &web.Remedy{Sentence: "No machine has ever needed it, as far as this site has heard."}
	}
	row := rows[0]
	out := &web.Remedy{Sentence: remedySentence(row), Table: &web.Table{}}
	add := func(column string, cell web.Cell) {
		cell.Numeric, cell.Label = true, column
		out.Table.Columns = append(out.Table.Columns, web.Column{Name: column, Numeric: true})
		if len(out.Table.Rows) == 0 {
			out.Table.Rows = [][]web.Cell{nil}
		}
		out.Table.Rows[0] = append(out.Table.Rows[0], cell)
	}
	add("ever required", numberCell(row, "required_ever"))
	add("fixed", numberCell(row, "fixed"))
	add("open", numberCell(row, "open"))
	for _, c := range []struct{ column, label string }{{"p50_days", "half within"}, {"p90_days", "90 % within"}} {
		add(c.label, web.Cell{Text: daysText(row, c.column)})
	}
	for _, n := range []string{"7", "14", "30"} {
		add("within "+n+" days", dayShare(row, "within_"+n+"d"))
	}
	oldest := web.Cell{Text: dash}
	if day, err := time.Parse(time.DateOnly, row.Raw("oldest_open")); err == nil {
		oldest = at(day)
		oldest.Full = row.Raw("oldest_open") // the day is all that is known
	}
	add("oldest open", oldest)
	return out
}

// dayShare is a share of those that ever needed it.
func dayShare(row reports.Record, column string) web.Cell {
	text := percentText(row, column)
	if text == "" {
		text = dash
	}
	return web.Cell{Text: text}
}

// daysText is a number of days; a dash where none was fixed.
func daysText(row reports.Record, column string) string {
	if row[column] == nil {
		return dash
	}
	text := tabular.Text(row[column])
	if text == "1" {
		return "1\u00a0day"
	}
	return text + "\u00a0days"
}

// remedySentence says it in words. A machine that needed it again counts again: needs are counted, not machines.
func remedySentence(row reports.Record) string {
	ever, fixed, open := row.Count("required_ever"), row.Count("fixed"), row.Count("open")
	text := "Machines needed it " + plural(ever, "time", "times") + "; none was fixed yet."
	if fixed > 0 {
		text = "Machines needed it " + plural(ever, "time", "times") + "; " +
			plural(fixed, "time it was fixed", "times it was fixed")
		if row["p50_days"] != nil && row["p90_days"] != nil {
			text += fmt.Sprintf(", half of them within %s, nine in ten within %s", daysText(row, "p50_days"),
				daysText(row, "p90_days"))
		}
		text += "."
	}
	if open > 0 {
		text += " " + plural(open, "machine still needs it.", "machines still need it.")
	}
	return text
}

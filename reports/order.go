package reports

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A reader may want another order than the report's. It is made by the engine over all rows, so that the first page
// holds the first ones of all; such an answer has no further pages.

// sorting is the order that a reader asked for.
type sorting struct {
	column string
	desc   bool
}

// parseSort reads COLUMN, COLUMN:asc or COLUMN:desc.
func (r *Report) parseSort(text string) (sorting, error) {
	column, way, given := strings.Cut(text, ":")
	if !identForm.MatchString(column) || given && way != "asc" && way != "desc" {
		return sorting{}, &ParamError{r.Name, "sort", fmt.Sprintf("is %.60q; write COLUMN or COLUMN:desc", text)}
	}
	return sorting{column, way == "desc"}, nil
}

// sorted is the report's query in another order. The report's own order decides between rows that are alike in it.
func (r *Runner) sorted(ctx context.Context, q *prepared, page Page) error {
	by, err := q.report.parseSort(page.Sort)
	if err != nil {
		return err
	}
	if page.Cursor != "" {
		return &ParamError{q.report.Name, "cursor", "goes on in the report's own order: leave out sort or cursor"}
	}
	known, err := r.shownColumns(ctx, *q)
	if err != nil {
		return err
	}
	if !slices.Contains(known, by.column) {
		return noColumn(q.report.Name, "sort", by.column, known)
	}
	direction := ""
	if by.desc {
		direction = " DESC"
	}
	order := "`" + by.column + "`" + direction + " NULLS LAST"
	if len(q.report.Order) > 0 {
		order += ", " + q.report.orderBy()
	}
	_, query := q.report.statements()
	query = choose(query, q.params)
	q.sql = "SELECT *\nFROM (\n" + query + "\n)\nORDER BY " + order + "\nLIMIT {sorted_rows:UInt64}"
	q.params["sorted_rows"], q.chunk, q.sorted = q.params["page_rows"], 0, true
	if q.report.selfPaging || q.params["sorted_rows"] == "" {
		q.params["sorted_rows"] = fmt.Sprint(r.cfg.MaxRows + 1)
	}
	if q.limit > 0 {
		q.params["sorted_rows"] = fmt.Sprint(q.limit + 1)
	}
	if q.report.selfPaging {
		q.params["page_rows"] = fmt.Sprint(r.cfg.MaxRows + 1)
	}
	return nil
}

// shownColumns are the names of the columns that a reader sees.
func (r *Runner) shownColumns(ctx context.Context, q prepared) ([]string, error) {
	q.params = maps.Clone(q.params)
	q.noPicks()
	_, answers := q.report.statements()
	sql := choose(answers, q.params)
	ctx, release, err := r.slot(ctx)
	if err != nil {
		return nil, queryError(q.report.label(), err, r.cfg.Timeout)
	}
	defer release()
	found, err := r.columnsOf(ctx, q, sql)
	if err != nil {
		return nil, queryError(q.report.label(), err, r.cfg.Timeout)
	}
	var names []string
	for _, c := range found {
		if !strings.HasPrefix(c.name, "_") {
			names = append(names, c.name)
		}
	}
	return names, nil
}

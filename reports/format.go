package reports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
)

// Format is an output format.
type Format = tabular.Format

// The formats of `--format` and `?format=`.
const (
	Table   = tabular.Table
	JSON    = tabular.JSON
	JSONL   = tabular.JSONL
	CSV     = tabular.CSV
	Parquet = tabular.Parquet
)

// tableRows is how many rows a table shows when nobody says how many; the other formats give all.
const tableRows = 1000

// maxCell is how many characters of a value a table shows on a terminal; a file gets them all.
const maxCell = 80

// Write writes rows in any format but Parquet, and closes them. Age goes with the formats that have room for it.
func Write(w io.Writer, f Format, rows *Rows, age *Freshness) error {
	return WriteView(w, f, rows, age, View{})
}

// WriteView is Write, as the reader wants to see the rows.
func WriteView(w io.Writer, f Format, rows *Rows, age *Freshness, view View) error {
	err := rows.Select(view.Columns)
	if err == nil {
		err = write(w, f, rows, age, view)
	}
	return errors.Join(err, rows.Close())
}

func write(w io.Writer, f Format, rows *Rows, age *Freshness, view View) error {
	now := time.Now()
	if age != nil {
		now = age.AsOf
	}
	columns, options := view.tabular(rows, now)
	options.Head = head(rows, age)
	out, err := tabular.New(w, f, columns, options)
	if err != nil {
		return err
	}
	count := 0
	for row := rows.Next(); row != nil; row = rows.Next() {
		count++
		if err := out.Row(row); err != nil {
			return fmt.Errorf("write %s: %w", f, err)
		}
	}
	if rows.Err() != nil && f != CSV && f != JSONL {
		return rows.Err() // a JSON object stays open: no reader can take it for whole
	}
	err = errors.Join(out.End(tail(rows, count)...), rows.Err())
	if err != nil || f != Table {
		return err
	}
	for _, line := range append(leftOf(out.Left()), tableFoot(rows, count, age, out.Left())...) {
		if _, err := io.WriteString(w, tabular.Wrap(line, view.Width)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// leftOf says which columns a line had no room for.
func leftOf(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d %s not shown: --columns all", len(names),
		humanize.Plural(len(names), "column", "columns"))}
}

// head stands before the rows of a JSON answer: what was asked, how old the data is, the columns.
func head(rows *Rows, age *Freshness) (fields []tabular.Field) {
	if rows.Report != nil {
		fields = append(fields, tabular.Field{Name: "report", Value: rows.Report.Name},
			tabular.Field{Name: "title", Value: rows.Report.Title})
	}
	if len(rows.Params) > 0 {
		fields = append(fields, tabular.Field{Name: "params", Value: rows.Params})
	}
	if rows.Scope != nil {
		fields = append(fields, tabular.Field{Name: "scope", Value: rows.Scope})
	}
	if rows.Subject != nil {
		fields = append(fields, tabular.Field{Name: "subject", Value: rows.Subject})
	}
	if rows.Moment != nil {
		fields = append(fields, tabular.Field{Name: "as_of", Value: rows.Moment.At.Format(time.RFC3339Nano)},
			tabular.Field{Name: "tz", Value: rows.Moment.Zone})
	}
	if age != nil {
		fields = append(fields, tabular.Field{Name: "generated", Value: age.AsOf.Format(time.RFC3339)},
			tabular.Field{Name: "freshness", Value: age})
	}
	return append(fields, tabular.Field{Name: "columns", Value: rows.Columns})
}

// tail stands behind them: where to go on, or why there are none.
func tail(rows *Rows, count int) (fields []tabular.Field) {
	if count == 0 {
		fields = append(fields, tabular.Field{Name: "note", Value: rows.Why()})
	}
	if rows.NextPage() != "" {
		fields = append(fields, tabular.Field{Name: "next", Value: rows.NextPage()})
	}
	return append(fields, tabular.Field{Name: "more", Value: rows.More()})
}

// tableFoot says how many rows there are, or why there are none, how to read the columns, and how old the data is.
func tableFoot(rows *Rows, count int, age *Freshness, left []string) []string {
	counted := fmt.Sprintf("%d %s", count, humanize.Plural(count, "row", "rows"))
	switch {
	case count == 0:
		counted += ": " + rows.Why()
	case rows.More():
		counted += ", and more: use --format csv or jsonl for all of them"
	}
	foot := []string{counted}
	if rows.Subject != nil {
		foot = append(foot, rows.Subject.String())
	}
	for _, c := range rows.Columns {
		if c.Note != "" && !slices.Contains(left, c.Name) {
			foot = append(foot, c.Name+": "+c.Note)
		}
	}
	if age != nil {
		foot = append(foot, age.Sentence())
	}
	return foot
}

// WriteReport runs a report and writes it.
func (r *Runner) WriteReport(ctx context.Context, w io.Writer, f Format, name string, params map[string]string,
	page Page) error {
	return r.WriteReportView(ctx, w, f, name, params, page, View{})
}

// WriteReportView is WriteReport, as the reader wants to see the rows; the one call for `statewire report NAME`.
func (r *Runner) WriteReportView(ctx context.Context, w io.Writer, f Format, name string, params map[string]string,
	page Page, view View) error {
	if f == Parquet {
		return r.writeParquetReport(ctx, w, name, params, page, view)
	}
	if f == Table && page.Limit == 0 {
		page.Limit = min(tableRows, r.cfg.MaxRows)
	}
	age := r.Freshness(ctx) // before the rows: a reader never holds one place while waiting for another
	rows, err := r.Run(ctx, name, params, page)
	if err != nil {
		return err
	}
	return WriteView(w, f, rows, age, view)
}

// WriteSQL runs a read-only statement and writes it as a reader wants to see it; the one call for `statewire sql`.
func (r *Runner) WriteSQL(ctx context.Context, w io.Writer, f Format, statement string, view View) error {
	if f == Parquet {
		if len(view.Columns) > 0 {
			return &ParamError{"sql", "columns", "is for the other formats: name the columns of Parquet in the statement"}
		}
		return r.writeParquetSQL(ctx, w, statement)
	}
	rows, err := r.SQL(ctx, statement)
	if err != nil {
		return err
	}
	return WriteView(w, f, rows, nil, view)
}

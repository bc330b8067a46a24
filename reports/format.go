package reports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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

// maxCell is how many characters of a value a table shows.
const maxCell = 80

// Write writes rows in any format but Parquet, and closes them. Age goes with the formats that have room for it.
func Write(w io.Writer, f Format, rows *Rows, age *Freshness) error {
	err := write(w, f, rows, age)
	return errors.Join(err, rows.Close())
}

func write(w io.Writer, f Format, rows *Rows, age *Freshness) error {
	columns := make([]tabular.Column, len(rows.Columns))
	for i, c := range rows.Columns {
		columns[i] = tabular.Column{Name: c.Name, Type: c.Type}
	}
	out, err := tabular.New(w, f, columns, tabular.Options{MaxCell: maxCell, List: "rows", Head: head(rows, age)})
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
	err = errors.Join(out.End(tail(rows)...), rows.Err())
	if err != nil || f != Table {
		return err
	}
	_, err = io.WriteString(w, tableFoot(rows, count, age))
	return err
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
	if age != nil {
		fields = append(fields, tabular.Field{Name: "generated", Value: age.AsOf.Format(time.RFC3339)},
			tabular.Field{Name: "freshness", Value: age})
	}
	return append(fields, tabular.Field{Name: "columns", Value: rows.Columns})
}

// tail stands behind them: where to go on.
func tail(rows *Rows) (fields []tabular.Field) {
	if rows.NextPage() != "" {
		fields = append(fields, tabular.Field{Name: "next", Value: rows.NextPage()})
	}
	return append(fields, tabular.Field{Name: "more", Value: rows.More()})
}

// tableFoot says how many rows there are, how to read the columns, and how old the data is.
func tableFoot(rows *Rows, count int, age *Freshness) string {
	var foot strings.Builder
	fmt.Fprintf(&foot, "%d %s", count, humanize.Plural(count, "row", "rows"))
	if rows.More() {
		foot.WriteString(", and more: use --format csv or jsonl for all of them")
	}
	foot.WriteByte('\n')
	for _, c := range rows.Columns {
		if c.Note != "" {
			fmt.Fprintf(&foot, "%s: %s\n", c.Name, c.Note)
		}
	}
	if age != nil {
		foot.WriteString(age.Sentence() + "\n")
	}
	return foot.String()
}

// WriteReport runs a report and writes it; the one call for `statewire report NAME`.
func (r *Runner) WriteReport(ctx context.Context, w io.Writer, f Format, name string, params map[string]string,
	page Page) error {
	if f == Parquet {
		return r.writeParquetReport(ctx, w, name, params, page)
	}
	if f == Table && page.Limit == 0 {
		page.Limit = min(tableRows, r.cfg.MaxRows)
	}
	age := r.Freshness(ctx) // before the rows: a reader never holds one place while waiting for another
	rows, err := r.Run(ctx, name, params, page)
	if err != nil {
		return err
	}
	return Write(w, f, rows, age)
}

// WriteSQL runs a read-only statement and writes it; the one call for `statewire sql`.
func (r *Runner) WriteSQL(ctx context.Context, w io.Writer, f Format, statement string) error {
	if f == Parquet {
		return r.writeParquetSQL(ctx, w, statement)
	}
	rows, err := r.SQL(ctx, statement)
	if err != nil {
		return err
	}
	return Write(w, f, rows, nil)
}

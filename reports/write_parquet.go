package reports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ParquetStream is an answer that the engine itself has encoded.
type ParquetStream struct {
	body    io.ReadCloser
	release context.CancelFunc
	failed  func(error) error
}

// OpenParquet starts a report; columns that only order the rows are left out.
func (r *Runner) OpenParquet(ctx context.Context, report *Report, params map[string]string,
	page Page) (*ParquetStream, error) {
	return r.openParquetView(ctx, report, params, page, View{})
}

func (r *Runner) openParquetView(ctx context.Context, report *Report, params map[string]string, page Page,
	view View) (*ParquetStream, error) {
	q, err := r.prepare(ctx, report, params, page)
	if err != nil {
		r.metrics.queries.WithLabelValues(report.label(), "refused").Inc()
		return nil, err
	}
	columns, err := r.parquetColumns(ctx, q, view)
	if err != nil {
		return nil, err
	}
	if q.params["page_rows"] != "" && !q.sorted {
		rows := page.Limit
		if rows == 0 {
			rows = r.cfg.MaxRows + 1 // the engine then says that there are too many
		}
		q.params["page_rows"] = fmt.Sprint(rows)
	}
	q.sql = "SELECT " + columns + "\nFROM (\n" + q.sql + "\n)"
	return r.openParquet(ctx, report.label(), q)
}

// parquetColumns are those that the view names, or all but those that only order the rows.
func (r *Runner) parquetColumns(ctx context.Context, q prepared, view View) (string, error) {
	if len(view.Columns) == 0 || view.Columns[0] == AllColumns {
		return "COLUMNS('^[^_]')", nil
	}
	known, err := r.shownColumns(ctx, q)
	if err != nil {
		return "", err
	}
	for _, name := range view.Columns {
		if !slices.Contains(known, name) {
			return "", noColumn(q.report.Name, "columns", name, known)
		}
	}
	return "`" + strings.Join(view.Columns, "`, `") + "`", nil
}

// openParquet runs a statement to its end before it returns: a failure comes as an error instead of a broken file,
// and more rows than allowed are such a failure.
func (r *Runner) openParquet(ctx context.Context, label string, q prepared) (*ParquetStream, error) {
	failed := func(err error) error {
		r.metrics.queries.WithLabelValues(label, "failed").Inc()
		if errors.Is(err, clickhouse.ErrFormatNativeUnsupported) {
			return &QueryError{label, "query",
				"parquet needs the store's HTTP interface: write store.addr as http(s)://HOST:8123, or use csv or jsonl", err}
		}
		return queryError(label, err, r.cfg.Timeout)
	}
	ctx, release, err := r.slot(ctx)
	if err != nil {
		return nil, failed(err)
	}
	if err := r.pick(ctx, &q); err != nil {
		release()
		return nil, failed(err)
	}
	settings := r.settings(q)
	settings["max_result_rows"] = r.cfg.MaxRows
	settings["wait_end_of_query"] = 1
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings))
	body, err := r.conn.QueryFormat(ctx, "Parquet", q.sql, named(q.params)...)
	if err != nil {
		release()
		return nil, failed(err)
	}
	r.metrics.queries.WithLabelValues(label, "ok").Inc()
	return &ParquetStream{body, release, failed}, nil
}

// Copy writes the file and ends the query.
func (p *ParquetStream) Copy(w io.Writer) error {
	defer p.release()
	_, err := io.Copy(w, p.body)
	if err = errors.Join(err, p.body.Close()); err != nil {
		return p.failed(err)
	}
	return nil
}

func (r *Runner) writeParquetReport(ctx context.Context, w io.Writer, name string, params map[string]string,
	page Page, view View) error {
	report, err := r.catalog.Get(name)
	if err != nil {
		return err
	}
	stream, err := r.openParquetView(ctx, report, params, page, view)
	if err != nil {
		return err
	}
	return stream.Copy(w)
}

func (r *Runner) writeParquetSQL(ctx context.Context, w io.Writer, statement string) error {
	statement, err := readOnlyStatement(statement)
	if err != nil {
		return err
	}
	stream, err := r.openParquet(ctx, "sql", prepared{sql: statement})
	if err != nil {
		return err
	}
	return stream.Copy(w)
}

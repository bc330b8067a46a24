package reports

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// writeParquetReport lets the engine itself encode a report; columns that only order the rows are left out.
func (r *Runner) writeParquetReport(ctx context.Context, w io.Writer, name string, params map[string]string, page Page) error {
	report, err := r.catalog.Get(name)
	if err != nil {
		return err
	}
	q, err := r.prepare(report, params, page)
	if err != nil {
		return err
	}
	if page.Limit > 0 && q.params["page_rows"] != "" {
		q.params["page_rows"] = fmt.Sprint(page.Limit)
	}
	q.sql = "SELECT COLUMNS('^[^_]')\nFROM (\n" + q.sql + "\n)"
	return r.writeParquet(ctx, w, report.label(), q)
}

// writeParquet streams the engine's answer. More rows than allowed end it with an error, never early.
func (r *Runner) writeParquet(ctx context.Context, w io.Writer, label string, q prepared) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time": int(r.cfg.Timeout.Seconds()),
		"max_memory_usage":   r.cfg.MaxMemory,
		"max_result_rows":    r.cfg.MaxRows,
		"wait_end_of_query":  1, // a failure comes as an error instead of a broken file
		// Readers without the newest encodings are many; these are understood everywhere.
		"output_format_parquet_string_as_string": 1,
	}))
	stream, err := r.conn.QueryFormat(ctx, "Parquet", q.sql, named(q.params)...)
	if err != nil {
		r.metrics.queries.WithLabelValues(label, "failed").Inc()
		if errors.Is(err, clickhouse.ErrFormatNativeUnsupported) {
			return errors.New("parquet needs the store's HTTP interface: write store.addr as http(s)://host:8123, or use csv or jsonl")
		}
		return queryError(label, err, r.cfg.Timeout)
	}
	r.metrics.queries.WithLabelValues(label, "ok").Inc()
	if _, err := io.Copy(w, stream); err != nil {
		_ = stream.Close() // the error in hand says more
		return queryError(label, err, r.cfg.Timeout)
	}
	return stream.Close()
}

package reports

import (
	"context"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// typed is a column's name and ClickHouse type.
type typed struct{ name, typ string }

// maxColumnLists is how many statements' columns are remembered: more than the reports have forms.
const maxColumnLists = 1024

// columnLists are the columns of reports by their statements: the embedded engine does not tell them of an answer
// without rows, and plans the statement once more to find them.
type columnLists struct {
	mu    sync.Mutex
	lists map[string][]typed // guarded by mu
}

func (c *columnLists) get(sql string) []typed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists[sql]
}

func (c *columnLists) put(sql string, list []typed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil || len(c.lists) >= maxColumnLists {
		c.lists = map[string][]typed{}
	}
	c.lists[sql] = list
}

// columnsOfAnswer are the columns of an answer; of a report's also where it has no rows.
func (r *Runner) columnsOfAnswer(ctx context.Context, q prepared, answer driver.Rows) ([]typed, error) {
	var list []typed
	for _, c := range answer.ColumnTypes() {
		list = append(list, typed{c.Name(), c.DatabaseTypeName()})
	}
	switch {
	case q.report == nil: // a person's text is as long as it likes, and may be none that has columns
		return list, nil
	case len(list) == 0:
		return r.columnsOf(ctx, q, q.sql)
	}
	r.columns.put(q.sql, list)
	return list, nil
}

// columnsOf are the columns of a statement of a report, that is not run. They are the same whatever its parameters are.
func (r *Runner) columnsOf(ctx context.Context, q prepared, sql string) ([]typed, error) {
	if list := r.columns.get(sql); list != nil {
		return list, nil
	}
	rows, err := r.conn.Query(r.limits(ctx, q), "DESCRIBE (\n"+sql+"\n)", named(q.params)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []typed
	rest := make([]any, max(0, len(rows.Columns())-2))
	for i := range rest {
		rest[i] = new(string)
	}
	for rows.Next() {
		var c typed
		if err := rows.Scan(append([]any{&c.name, &c.typ}, rest...)...); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	r.columns.put(sql, list)
	return list, rows.Err()
}

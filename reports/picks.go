package reports

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A query may be two statements around a line `-- details:`. The first picks the rows of a page, the second reads its
// columns as arrays, {page_COLUMN:Array(TYPE)}, and says more of each row. In one statement the engine would plan the
// first anew wherever the second names it, which took longer than both.

// detailsLine stands between the two.
const detailsLine = "-- details:"

// isDetails is a parameter for `-- if page_details:`, of the second statement.
const isDetails = "page_details"

// pickedPrefix begins the names of the second statement's arrays.
const pickedPrefix = "page_"

// isPicked says whether a parameter holds a column of the first statement. Its texts go to the engine as they are: it
// has to be a column in which no client or person writes.
func isPicked(name, typ string) bool {
	return strings.HasPrefix(name, pickedPrefix) && name != "page_rows" && strings.HasPrefix(typ, "Array(")
}

// statements are the one that picks, empty where there is none, and the one that answers.
func (r *Report) statements() (picks, answers string) {
	picks, answers, two := strings.Cut(r.Query, "\n"+detailsLine+"\n")
	if !two {
		return "", picks
	}
	return picks, answers
}

// pick runs the first statement and gives its columns to the second.
func (r *Runner) pick(ctx context.Context, q *prepared) error {
	if q.picks == "" {
		return nil
	}
	columns := make([]string, len(q.report.picked))
	for i, name := range q.report.picked {
		columns[i] = fmt.Sprintf("toString(groupArray(`%s`))", name)
	}
	rows, err := r.conn.Query(r.limits(ctx, *q), "SELECT "+strings.Join(columns, ", ")+"\nFROM (\n"+q.picks+"\n)", named(q.params)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	lists := make([]string, len(columns))
	into := make([]any, len(columns))
	for i := range lists {
		into[i] = &lists[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read the rows of a page: %w", err)
		}
	}
	for i, name := range q.report.picked {
		q.params[pickedPrefix+name] = lists[i]
	}
	return rows.Err()
}

// noPicks gives the second statement no rows, to learn of its columns.
func (q *prepared) noPicks() {
	for _, name := range q.report.picked {
		q.params[pickedPrefix+name] = "[]"
	}
}

// isPickedParam says whether a parameter holds a column of the first statement.
func (r *Report) isPickedParam(name string) bool {
	column, ok := strings.CutPrefix(name, pickedPrefix)
	return ok && slices.Contains(r.picked, column)
}

// addPicked notes a column that the second statement reads.
func (r *Report) addPicked(param string) {
	if name := strings.TrimPrefix(param, pickedPrefix); !slices.Contains(r.picked, name) {
		r.picked = append(r.picked, name)
	}
}

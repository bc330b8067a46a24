package reports

import (
	"context"
	"time"

	"statewire/internal/tabular"
	"statewire/store"
)

// Record is one row by column name. A column that is not there reads as NULL.
type Record map[string]any

// Text is for people's eyes: no control character is left in it.
func (r Record) Text(column string) string { return tabular.TerminalSafe(r.Raw(column)) }

// Raw is the text as it is stored, for addresses and further questions.
func (r Record) Raw(column string) string { return tabular.Text(r[column]) }

// Count is a number that fits an int.
func (r Record) Count(column string) int { return tabular.Int(r[column]) }

// Float is a number with its fraction.
func (r Record) Float(column string) float64 { return tabular.Float(r[column]) }

// Uint is a whole number; what is below zero, or none, is 0.
func (r Record) Uint(column string) uint64 {
	switch n := r[column].(type) {
	case uint64:
		return n
	case int64:
		return uint64(max(0, n))
	}
	return 0
}

// Time is a time, zero for what the engine has in place of none.
func (r Record) Time(column string) time.Time {
	t := r.RawTime(column)
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return t
}

// RawTime is a time as it is stored, even one that cannot be right.
func (r Record) RawTime(column string) time.Time {
	t, _ := r[column].(time.Time)
	return t
}

// Records runs a report like Run, and reads its page to the end.
func (r *Runner) Records(ctx context.Context, name string, params map[string]string, page Page) ([]Record, error) {
	rows, err := r.Run(ctx, name, params, page)
	if err != nil {
		return nil, err
	}
	return rows.records()
}

// Ask runs a statement of the program's own, bounded like every other. Label names it in metrics and errors.
func (r *Runner) Ask(ctx context.Context, label, statement string, params map[string]string) ([]Record, error) {
	rows, err := r.start(store.Scanned(ctx), label, prepared{sql: statement, params: params, max: r.cfg.MaxRows, own: true})
	if err != nil {
		return nil, err
	}
	return rows.records()
}

// records reads all rows by column name, and closes them.
func (r *Rows) records() ([]Record, error) {
	defer r.Close()
	var out []Record
	for row := r.Next(); row != nil; row = r.Next() {
		rec := make(Record, len(row))
		for i, c := range r.Columns {
			rec[c.Name] = row[i]
		}
		out = append(out, rec)
	}
	return out, r.Err()
}

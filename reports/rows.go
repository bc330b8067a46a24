package reports

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/internal/tabular"
)

// Rows is a running query's answer, read once from front to end. Close it.
type Rows struct {
	// Constant after the query started.
	Report  *Report           // nil for ad-hoc SQL
	Params  map[string]string // as given, or their defaults
	Scope   *Scope            // over whom it counts; nil where the report has no parameter collection
	Subject *Subject          // what the parameter subject means; nil where there is none
	Moment  *Moment           // what the parameter as_of means; nil: now
	Columns []Column          // the columns shown; those whose name begins with an underscore only order the rows
	query   prepared
	all     []typed         // the answer's columns
	types   []*tabular.Type // of every column of a scanned row
	shown   []int           // indexes of Columns in a scanned row
	order   []int           // indexes of the order columns in a scanned row
	open    func() (driver.Rows, context.CancelFunc, error)
	explain func(error) error // in words a reader can act on

	// Owned by the reader.
	answer  driver.Rows
	cancel  context.CancelFunc
	chunked int   // rows read of the chunk in hand
	first   []any // read ahead, not yet returned
	count   int
	next    string
	err     error
	done    bool
	more    bool
}

// Column is one column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type" doc:"ClickHouse type"`
	Note string `json:"note,omitempty" doc:"How to read the column"`
	Link string `json:"-"`
}

func (r *Rows) column(name, typ string) Column {
	c := Column{Name: name, Type: typ}
	if r.Report != nil {
		c.Note, c.Link = r.Report.Notes[name], r.Report.Links[name]
	}
	return c
}

// fetchFirst reads one row ahead: errors of the query itself show here.
func (r *Rows) fetchFirst() error {
	var err error
	if r.answer, r.cancel, err = r.open(); err != nil {
		return err
	}
	for i, c := range r.all {
		r.types = append(r.types, tabular.ParseType(c.typ))
		// a report's own order; in ad-hoc SQL any name is a person's wish
		if r.Report == nil || !strings.HasPrefix(c.name, "_") {
			r.shown = append(r.shown, i)
			r.Columns = append(r.Columns, r.column(c.name, c.typ))
		}
	}
	if err := r.findOrder(); err != nil {
		return err
	}
	r.first = r.scan()
	return r.err
}

// findOrder maps the header's order to the answer's columns.
func (r *Rows) findOrder() error {
	if r.Report == nil {
		return nil
	}
	for _, o := range r.Report.Order {
		at := slices.IndexFunc(r.all, func(c typed) bool { return c.name == o.Column })
		if at < 0 {
			return fmt.Errorf("the query has no column %s, which the header's order names", o.Column)
		}
		r.order = append(r.order, at)
	}
	return nil
}

// Next returns the shown values of the next row, or nil at the end; Err then says whether it came too early.
// Values are those of tabular.Plain.
func (r *Rows) Next() []any {
	if r.done || r.err != nil {
		return nil
	}
	row := r.first
	if r.first = nil; row == nil {
		r.done = true
		return nil
	}
	r.count++
	if r.first = r.scan(); r.first == nil && r.err == nil {
		r.first = r.nextChunk(row)
	}
	if r.first != nil && !r.stopAt(row) {
		return nil
	}
	out := make([]any, len(r.shown))
	for i, at := range r.shown {
		out[i] = row[at]
	}
	return out
}

// stopAt ends a page after its last row, and fails an unpaged answer that is too long.
func (r *Rows) stopAt(last []any) bool {
	switch {
	case r.query.limit > 0 && r.count == r.query.limit:
		r.first, r.done, r.more = nil, true, true
		r.next, r.err = r.cursorAfter(last)
		return r.err == nil
	case r.query.limit == 0 && r.count == r.query.max:
		r.err = fmt.Errorf("%w (%d): ask for less, or page through it", ErrTooManyRows, r.query.max)
		return false
	}
	return true
}

// nextChunk asks for the rows after the last one, when the chunk in hand was full.
func (r *Rows) nextChunk(last []any) []any {
	if r.query.chunk == 0 || r.chunked < r.query.chunk {
		return nil
	}
	after, err := r.orderValues(last)
	if err == nil {
		r.err = r.Close()
		r.Report.addCursor(r.query.params, after)
		r.chunked = 0
		r.answer, r.cancel, err = r.open()
	}
	if err != nil {
		r.err = err
		return nil
	}
	return r.scan()
}

func (r *Rows) cursorAfter(row []any) (string, error) {
	if r.Report == nil || len(r.order) == 0 || r.query.sorted {
		return "", nil
	}
	after, err := r.orderValues(row)
	if err != nil {
		return "", err
	}
	return r.Report.encodeCursor(r.query.params, after), nil
}

// orderValues are a row's order columns as a cursor holds them.
func (r *Rows) orderValues(row []any) ([]string, error) {
	after := make([]string, len(r.order))
	for i, at := range r.order {
		text, err := cursorText(r.Report.Order[i].Type, row[at])
		if err != nil {
			return nil, fmt.Errorf("report %s: column %s: %w", r.Report.Name, r.Report.Order[i].Column, err)
		}
		after[i] = text
	}
	return after, nil
}

// scan reads one row of the answer; nil at its end or on an error.
func (r *Rows) scan() []any {
	if !r.answer.Next() {
		if err := r.answer.Err(); err != nil {
			r.err = r.explain(fmt.Errorf("read rows: %w", err))
		}
		return nil
	}
	r.chunked++
	types := r.answer.ColumnTypes()
	targets := make([]any, len(types))
	for i, t := range types {
		targets[i] = r.types[i].Scan(t.ScanType())
	}
	if err := r.scanInto(targets); err != nil {
		r.err = fmt.Errorf("read row %d: %w", r.count+1, err)
		return nil
	}
	for i, t := range targets {
		targets[i] = r.types[i].Value(t)
	}
	return targets
}

// scanInto reads the row's values. Some values of some types make the driver panic (a map of Int256 inside an array):
// that is the statement's error, not the program's.
func (r *Rows) scanInto(targets []any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a value of the types %s cannot be read (%v): write toString(…) around it", r.typeNames(), p)
		}
	}()
	return r.answer.Scan(targets...)
}

func (r *Rows) typeNames() string {
	var names []string
	for _, t := range r.answer.ColumnTypes() {
		names = append(names, strings.Join(strings.Fields(t.DatabaseTypeName()), " "))
	}
	return strings.Join(names, ", ")
}

// Err is the error that ended the rows early, or nil.
func (r *Rows) Err() error { return r.err }

// NextPage is the cursor of the following page, valid after the last row; empty when there is none.
func (r *Rows) NextPage() string { return r.next }

// More says, after the last row, that the page ended although the report has more rows.
func (r *Rows) More() bool { return r.more }

// Close releases the connection.
func (r *Rows) Close() error {
	if r.answer == nil {
		return nil
	}
	err := r.answer.Close()
	r.cancel()
	r.answer = nil
	return err
}

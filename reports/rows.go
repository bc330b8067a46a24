package reports

// Rows is a running query's answer, read once from front to end. Close it.
type Rows struct {
	Report  *Report // nil for ad-hoc SQL
	Columns []Column
}

// Column is one column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // ClickHouse type
	Note string `json:"note,omitempty"`
}

// Next returns the next row's values, or nil at the end; Err then says whether the end came too early.
func (r *Rows) Next() []any { return nil }

// Err is the error that ended the rows early, or nil.
func (r *Rows) Err() error { return nil }

// NextPage is the cursor of the following page, valid after the last row; empty when there is none.
func (r *Rows) NextPage() string { return "" }

// Close releases the connection.
func (r *Rows) Close() error { return nil }

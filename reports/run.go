package reports

import "context"

// Page says which part of a report to return.
type Page struct {
	Limit  int    // rows; 0 means Config.MaxRows
	Cursor string // Next of the page before; empty for the first
}

// NewRunner makes a runner; catalog and deps.Conn are required.
func NewRunner(cfg Config, catalog *Catalog, deps Deps) (*Runner, error) { return nil, nil }

// Run starts a named report with parameters given as text, by name. Missing parameters take their defaults.
func (r *Runner) Run(ctx context.Context, name string, params map[string]string, page Page) (*Rows, error) {
	return nil, ErrNoReport
}

// SQL starts one ad-hoc read-only statement.
func (r *Runner) SQL(ctx context.Context, statement string) (*Rows, error) { return nil, nil }

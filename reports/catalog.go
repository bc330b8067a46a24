package reports

import "errors"

// Catalog is the set of named reports: the built-in ones and those of a folder.
type Catalog struct {
	reports  map[string]*Report
	problems []error
}

// Report is one named query, as its file describes it.
type Report struct {
	Name        string
	Title       string
	Description string
	Params      []Param
	Order       []OrderBy
	Source      string // "built-in", or the file's path
	Query       string
}

// Param is one typed parameter of a report.
type Param struct {
	Name        string
	Type        string // ClickHouse type
	Default     string
	Required    bool // true when the file gives no default
	Allowed     []string
	Description string
}

// OrderBy is one column of a report's total order; pages continue after its last values.
type OrderBy struct {
	Column string
	Desc   bool
}

// ErrNoReport is returned for a name no report has.
var ErrNoReport = errors.New("no such report")

// LoadCatalog reads the built-in reports and, when dir isn't empty, every .sql file in it.
// A file that can't be read as a report is left out and listed by Problems; the others work.
func LoadCatalog(dir string) (*Catalog, error) { return &Catalog{}, nil }

// Problems lists the files that were left out, each error naming file and line.
func (c *Catalog) Problems() []error { return c.problems }

// List returns all reports by name.
func (c *Catalog) List() []*Report { return nil }

// Get returns one report, or ErrNoReport.
func (c *Catalog) Get(name string) (*Report, error) { return nil, ErrNoReport }

package reports

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Report is one named query, as its file describes it.
type Report struct {
	Name        string // the file's name without .sql
	Title       string
	Group       string // heading in lists; "Your reports" when the file names none
	Description string
	Params      []Param
	Order       []OrderBy
	Notes       map[string]string // by column
	Links       map[string]string // by column: a report's name with parameters taken from other columns
	Bars        []string          // the page's bars: columns of group, state name and count
	Lines       []string          // the page's chart: a time column, then number columns
	Source      string            // "built-in", or the file's path
	Empty       string            // why an answer has no rows, when it has none
	Query       string            // one SELECT without ORDER BY of its own when Order is set; two around a line `-- details:`

	ranks       []rank   // columns by importance, for lines that have no room for all
	hidden      []string // parameters that the query reads and no reader gives
	keptDays    bool     // the query reads what is kept of the end of days
	namesClient bool     // the parameter client is an id or a computer name: the part wanted reads it
	selfPaging  bool     // the query itself holds {page_rows:UInt64} and the after_ parameters
	picked      []string // columns of the first of two statements that the second reads
}

// OrderBy is one column of a report's total order; a page continues after the last values of the one before.
type OrderBy struct {
	Column string
	Type   string // ClickHouse type, never Nullable
	Desc   bool
}

// UserGroup is the heading of reports whose file names none.
const UserGroup = "Your reports"

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	identForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	keyForm   = regexp.MustCompile(`^--\s*([a-z]+)(?:\s+([^:=]+?))?\s*:\s*(.*)$`)
	moreForm  = regexp.MustCompile(`^--\s{2,}(\S.*)$`)
)

// parseReport reads one .sql file: comment lines at the top say what it is, the rest is one SELECT.
// docs/reports.md describes the form. Every error names file and line.
func parseReport(file, text string) (*Report, error) {
	name := strings.TrimSuffix(filepath.Base(filepath.FromSlash(path.Clean(filepath.ToSlash(file)))), ".sql")
	r := &Report{Name: name, Group: UserGroup, Source: file, Notes: map[string]string{}, Links: map[string]string{}}
	h := headerReader{file: file, report: r}
	if !nameForm.MatchString(name) {
		return nil, h.errorf(1, "a report's file name is lower-case letters, digits and dashes, then .sql")
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), "\n")
	at := 0
	for ; at < len(lines); at++ {
		line := strings.TrimRight(lines[at], " \t")
		if line != "" && !strings.HasPrefix(line, "--") {
			break
		}
		if err := h.line(at+1, line); err != nil {
			return nil, err
		}
	}
	if err := h.columnRanks(); err != nil {
		return nil, err
	}
	body, err := h.share(lines[at:], "\n")
	if err != nil {
		return nil, err
	}
	r.Query = strings.TrimRight(strings.Join(body, "\n"), " \t\n;")
	if body, err = h.share(lines[at:], " "); err != nil { // on one line, so that the lines below keep their numbers
		return nil, err
	}
	if r.Title == "" {
		return nil, h.errorf(1, "the header has no `-- title: …` line")
	}
	if err := h.checkQuery(at+1, body); err != nil {
		return nil, err
	}
	return r, h.checkColumns()
}

// headerReader holds what the lines of one header build up.
type headerReader struct {
	file      string
	report    *Report
	more      func(string) // takes a continuation line
	orderLine int

	columns     string // names by rank
	columnsLine int

	shared     [2]string // parts that the query, or its two statements, begin with
	sharedLine int
}

func (h *headerReader) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", h.file, line, fmt.Sprintf(format, args...))
}

// line takes one comment line; lines of no known form are plain comments, but a misspelt key is an error.
func (h *headerReader) line(n int, line string) error {
	if m := moreForm.FindStringSubmatch(line); m != nil && h.more != nil {
		h.more(m[1])
		return nil
	}
	h.more = nil
	if strings.HasPrefix(line, "-- param ") {
		return h.param(n, strings.TrimPrefix(line, "-- param "))
	}
	m := keyForm.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	return h.key(n, m[1], m[2], m[3])
}

func appendTo(s *string) func(string) { return func(text string) { *s += " " + text } }

func (h *headerReader) key(n int, key, arg, value string) error {
	r := h.report
	switch key {
	case "title":
		r.Title, h.more = value, appendTo(&r.Title)
	case "group":
		r.Group = value
	case "description":
		r.Description, h.more = value, appendTo(&r.Description)
	case "order":
		h.orderLine = n
		return h.order(n, value)
	case "with":
		return h.parts(n, value)
	case "columns":
		h.columns, h.more, h.columnsLine = value, appendTo(&h.columns), n
	case "empty":
		r.Empty, h.more = value, appendTo(&r.Empty)
	case "bars", "lines":
		return h.picture(n, key, value)
	case "note", "link":
		if !identForm.MatchString(arg) {
			return h.errorf(n, "write `-- %s COLUMN: text`", key)
		}
		if key == "note" {
			r.Notes[arg] = value
			h.more = func(text string) { r.Notes[arg] += " " + text }
		} else {
			r.Links[arg] = value
		}
	default:
		if arg != "" || strings.HasPrefix(value, "//") {
			return nil // an ordinary sentence or an address
		}
		return h.errorf(n, "unknown header key %.20q: use title, group, description, param, order, note, link, with, bars, "+
			"lines, columns or empty", key)
	}
	return nil
}

// picture reads the columns of the page's bars or chart.
func (h *headerReader) picture(n int, key, value string) error {
	var columns []string
	for _, part := range strings.Split(value, ",") {
		name := strings.TrimSpace(part)
		if !identForm.MatchString(name) {
			return h.errorf(n, "%s: %.40q is no column name", key, name)
		}
		columns = append(columns, name)
	}
	if key == "bars" {
		if len(columns) != 3 {
			return h.errorf(n, "write `-- bars: GROUP, STATE_NAME, COUNT`")
		}
		h.report.Bars = columns
		return nil
	}
	if len(columns) < 2 {
		return h.errorf(n, "write `-- lines: TIME, NUMBER, …`")
	}
	h.report.Lines = columns
	return nil
}

// order reads `column Type [desc], …`; commas inside a type's brackets don't separate.
func (h *headerReader) order(n int, value string) error {
	for _, part := range splitOutside(value, ',') {
		words := strings.Fields(part)
		desc := len(words) == 3 && strings.EqualFold(words[2], "desc")
		if len(words) != 2 && !desc || !identForm.MatchString(words[0]) {
			return h.errorf(n, "write `-- order: column Type [desc], …`, not %.60q", strings.TrimSpace(part))
		}
		if !knownType(words[1]) {
			return h.errorf(n, "order column %s has type %.40q: use %s", words[0], words[1], typeList)
		}
		h.report.Order = append(h.report.Order, OrderBy{words[0], words[1], desc})
	}
	return nil
}

// checkColumns refuses a page order the runner could not continue after.
func (h *headerReader) checkColumns() error {
	seen := map[string]bool{}
	for _, o := range h.report.Order {
		if seen[o.Column] {
			return h.errorf(h.orderLine, "column %s stands twice in the order", o.Column)
		}
		seen[o.Column] = true
	}
	return nil
}

// splitOutside splits at sep, but not inside brackets or quotes.
func splitOutside(s string, sep rune) []string {
	var parts []string
	depth, quoted, from := 0, false, 0
	for i, c := range s {
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == sep && depth == 0:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return slices.DeleteFunc(append(parts, s[from:]), func(p string) bool { return strings.TrimSpace(p) == "" })
}

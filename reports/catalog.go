package reports

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"statewire/internal/parse"
)

// maxReportFile bounds a user's report file; larger ones are no reports.
const maxReportFile = 256 << 10

//go:embed sql/*.sql
var builtIn embed.FS

// ErrNoReport is returned for a name no report has.
var ErrNoReport = errors.New("no such report")

// Catalog is the set of named reports: the built-in ones and those of a folder, which is read again when
// its files change. A file that is no report is left out and listed by Problems; it never breaks another.
type Catalog struct {
	// Constant after LoadCatalog.
	dir     string
	shipped map[string]*Report

	// Guarded by mu.
	mu      sync.Mutex
	seen    string // names, sizes and times of the folder's files when it was last read
	reports map[string]*Report
	leftOut []leftOut
}

// leftOut is a file of the folder that is no report.
type leftOut struct {
	name string // of the report it would be; empty = the folder itself
	why  error
}

// LoadCatalog reads the built-in reports and, when dir isn't empty, every .sql file in it.
// It fails only when the built-in reports or the folder itself can't be read.
func LoadCatalog(dir string) (*Catalog, error) {
	c := &Catalog{dir: dir, shipped: map[string]*Report{}}
	files, err := fs.Glob(builtIn, "sql/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list built-in reports: %w", err)
	}
	for _, file := range files {
		text, err := builtIn.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read built-in report: %w", err)
		}
		r, err := parseReport(file, string(text))
		if err != nil {
			return nil, err
		}
		r.Source = "built-in"
		c.shipped[r.Name] = r
	}
	c.reports = c.shipped
	if dir == "" {
		return c, nil
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("reports.dir: %w: create the folder or leave the key empty", err)
	}
	c.refresh()
	return c, nil
}

// Problems lists the files that were left out, each error naming file and line.
func (c *Catalog) Problems() []error {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, l := range c.leftOut {
		all = append(all, l.why)
	}
	return all
}

// LeftOut returns why the file that should be this report was left out, nil when none was.
func (c *Catalog) LeftOut(name string) error {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.leftOut {
		if l.name == name {
			return l.why
		}
	}
	return nil
}

// List returns all reports in the order of their group and name.
func (c *Catalog) List() []*Report {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.reports), func(a, b *Report) int {
		return strings.Compare(a.Group+"\x00"+a.Name, b.Group+"\x00"+b.Name)
	})
}

// Get returns one report, or ErrNoReport.
func (c *Catalog) Get(name string) (*Report, error) {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.reports[name]; ok {
		return r, nil
	}
	next := "see `statewire report list`"
	if near := parse.Nearest(name, slices.Collect(maps.Keys(c.reports))); near != "" {
		next = "did you mean " + near + "?"
	}
	return nil, fmt.Errorf("report %.64q: %w: %s", name, ErrNoReport, next)
}

// refresh reads the folder again when a name, size or time in it changed.
func (c *Catalog) refresh() {
	if c.dir == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	files, seen, err := listFolder(c.dir)
	if err != nil {
		c.leftOut = []leftOut{{why: fmt.Errorf("reports.dir: %w", err)}} // what was read before stays
		c.seen = ""
		return
	}
	if seen == c.seen {
		return
	}
	c.seen = seen
	c.reports, c.leftOut = maps.Clone(c.shipped), nil
	for _, file := range files {
		if err := c.add(file); err != nil {
			c.leftOut = append(c.leftOut, leftOut{strings.TrimSuffix(filepath.Base(file), ".sql"), err})
		}
	}
}

// add reads one file of the folder. A name that is taken is refused, so that no file replaces a report silently.
func (c *Catalog) add(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	r, err := parseReport(file, string(text))
	if err != nil {
		return err
	}
	if other, taken := c.reports[r.Name]; taken {
		return fmt.Errorf("%s:1: the name %q is taken by a report (%s): rename the file", file, r.Name, other.Source)
	}
	c.reports[r.Name] = r
	return nil
}

// listFolder returns the folder's .sql files and a text that changes when any of them does.
func listFolder(dir string) (files []string, seen string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, "", err
	}
	var sum strings.Builder
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".sql") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxReportFile {
			continue
		}
		fmt.Fprintf(&sum, "%s\x00%d\x00%d\n", e.Name(), info.Size(), info.ModTime().UnixNano())
		files = append(files, filepath.Join(dir, e.Name()))
	}
	return files, sum.String() + "\n", nil
}

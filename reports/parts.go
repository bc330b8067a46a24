package reports

import (
	"embed"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed sql/with/*.sql
var partFiles embed.FS

var commentLine = regexp.MustCompile(`(?m)^\s*--.*\n`)

// parts are the names after `-- with:`: pieces of WITH that several queries share, each in a file of sql/with.
func (h *headerReader) parts(n int, value string) error {
	for name := range strings.SplitSeq(value, ",") {
		text, err := partFiles.ReadFile("sql/with/" + strings.TrimSpace(name) + ".sql")
		if err != nil {
			return h.errorf(n, "with: there is no part %.40q: use %s", strings.TrimSpace(name), partNames())
		}
		_, part, _ := strings.Cut(string(text), "\n") // its first line says what it is
		h.report.namesClient = h.report.namesClient || strings.TrimSpace(name) == "wanted"
		h.shared += "\n" + strings.TrimRight(part, "\n")
	}
	h.sharedLine = n
	return nil
}

// share puts the parts behind the query's WITH, their lines joined by what is given.
func (h *headerReader) share(lines []string, between string) ([]string, error) {
	if h.shared == "" {
		return lines, nil
	}
	at := slices.Index(lines, "WITH")
	if at < 0 {
		return nil, h.errorf(h.sharedLine, "with: the query needs a line WITH that the parts follow")
	}
	out, shared := slices.Clone(lines), h.shared
	if between != "\n" { // a comment would hide what follows it
		shared = commentLine.ReplaceAllString(shared, "")
	}
	out[at] += strings.ReplaceAll(shared, "\n", between)
	return out, nil
}

func partNames() string {
	files, _ := fs.Glob(partFiles, "sql/with/*.sql") // the pattern is right
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".sql")
	}
	return strings.Join(files, ", ")
}

// Part is what a file of sql/with adds to a query's WITH, for summaries that count as reports do.
func Part(name string) (string, error) {
	text, err := partFiles.ReadFile("sql/with/" + name + ".sql")
	_, part, _ := strings.Cut(string(text), "\n")
	return part, err
}

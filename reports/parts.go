package reports

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed sql/with/*.sql
var partFiles embed.FS

// parts are the names after `-- with:`: pieces of WITH that several queries share, each in a file of sql/with. Those after
// a bar belong to the statement of details.
func (h *headerReader) parts(n int, value string) error {
	picks, details, _ := strings.Cut(value, "|")
	h.sharedLine = n
	for i, names := range []string{picks, details} {
		for name := range strings.SplitSeq(names, ",") {
			name = strings.TrimSpace(name)
			if name == "" && i > 0 {
				continue
			}
			part, err := Part(name)
			if err != nil {
				return h.errorf(n, "with: %v", err)
			}
			h.report.namesClient = h.report.namesClient || name == "wanted"
			h.shared[i] += "\n" + strings.TrimRight(part, "\n")
		}
	}
	return nil
}

// Part is a piece of WITH, with a comma behind it.
func Part(name string) (string, error) {
	text, err := partFiles.ReadFile("sql/with/" + name + ".sql")
	if err != nil {
		return "", fmt.Errorf("there is no part %.40q: use %s", name, partNames())
	}
	_, part, _ := strings.Cut(string(text), "\n") // its first line says what it is
	return part, nil
}

// share puts the parts behind the WITH of each statement, their lines joined by what is given.
func (h *headerReader) share(lines []string, between string) ([]string, error) {
	out, from := slices.Clone(lines), 0
	for i, shared := range h.shared {
		if i > 0 {
			from = slices.Index(out, detailsLine) + 1
		}
		if shared == "" {
			continue
		}
		at := slices.Index(out[from:], "WITH")
		if at < 0 || i > 0 && from == 0 {
			return nil, h.errorf(h.sharedLine, "with: the query needs a line WITH that the parts follow")
		}
		if between != "\n" { // a comment would hide what follows it
			shared = strings.Join(blankComments(strings.Split(shared, "\n")), "\n")
		}
		out[from+at] += strings.ReplaceAll(shared, "\n", between)
	}
	return out, nil
}

func partNames() string {
	files, _ := fs.Glob(partFiles, "sql/with/*.sql") // the pattern is right
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".sql")
	}
	return strings.Join(files, ", ")
}

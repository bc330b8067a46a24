package reports

import (
	"embed"
	"slices"
	"strings"
)

//go:embed sql/with/*.sql
var partFiles embed.FS

// parts are the names after `-- with:`: pieces of WITH that several queries share, each in a file of sql/with.
func (h *headerReader) parts(n int, value string) error {
	for name := range strings.SplitSeq(value, ",") {
		text, err := partFiles.ReadFile("sql/with/" + strings.TrimSpace(name) + ".sql")
		if err != nil {
			return h.errorf(n, "with: there is no part %.40q: use aside, bounds, named or wanted", strings.TrimSpace(name))
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
	out := slices.Clone(lines)
	out[at] += strings.ReplaceAll(h.shared, "\n", between)
	return out, nil
}

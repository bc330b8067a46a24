package reports

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	placeholderForm  = regexp.MustCompile(`\{\s*([A-Za-z_]\w*)\s*:\s*([^{}]+?)\s*\}`)
	placeholderStart = regexp.MustCompile(`^` + placeholderForm.String())
)

// checkQuery compares the query's {name:Type} placeholders with the header, so that a slip is found when the
// file is read and not when somebody asks for the report.
func (h *headerReader) checkQuery(first int, lines []string) error {
	r := h.report
	if r.Query == "" {
		return h.errorf(first, "there is no query below the header")
	}
	picks, answers := r.statements()
	for _, statement := range []string{answers, picks} {
		words := strings.Fields(statement)
		if len(words) == 0 && picks == "" {
			continue
		}
		if len(words) == 0 {
			return h.errorf(first, "a statement is missing on one side of the line `%s`", detailsLine)
		}
		if word := strings.ToUpper(words[0]); word != "SELECT" && word != "WITH" && word[0] != '(' {
			return h.errorf(first, "a report is one SELECT (or WITH … SELECT), not %.20s", word)
		}
	}
	used := map[string]bool{}
	ended := false
	for i, line := range blankComments(lines) {
		at := strings.IndexByte(line, ';')
		if ended && strings.Trim(line, "; \t") != "" || at >= 0 && strings.Trim(line[at:], "; \t") != "" {
			return h.errorf(first+i, "a report is one statement: nothing may follow the semicolon")
		}
		ended = ended || at >= 0
		for _, m := range placeholderForm.FindAllStringSubmatch(line, -1) {
			if err := h.checkPlaceholder(first+i, m[1], strings.ReplaceAll(m[2], " ", "")); err != nil {
				return err
			}
			used[m[1]] = true
		}
	}
	for line := range strings.SplitSeq(r.Query, "\n") {
		if name, in, ok := condition(line); ok && (h.mayHide(name) || in != nil && h.paramAt(name) >= 0) {
			used[name] = true
			r.keptDays = r.keptDays || name == "counted_from" && slices.Contains(in, "days")
		}
	}
	r.selfPaging = used["page_rows"]
	r.hidden = h.hiddenOf(used)
	return h.checkUse(first, used)
}

func (h *headerReader) checkPlaceholder(n int, name, typ string) error {
	want := ""
	switch {
	case name == "page_rows":
		want = "UInt64"
	case isPicked(name, typ):
		h.report.addPicked(name)
		return nil
	case name == "after":
		want = "UInt8"
	case strings.HasPrefix(name, "after_"):
		i := slices.IndexFunc(h.report.Order, func(o OrderBy) bool { return "after_"+o.Column == name })
		if i < 0 {
			return h.errorf(n, "{%s:%s} names a column that isn't in the header's order", name, typ)
		}
		want = h.report.Order[i].Type
	default:
		i := h.paramAt(name)
		if h.mayHide(name) {
			want = hiddenTypes[name]
			break
		}
		if i < 0 {
			return h.errorf(n, "{%s:%s} isn't declared: add `-- param %s %s: …` to the header", name, typ, name, typ)
		}
		want = h.report.Params[i].Type
	}
	if typ != want {
		return h.errorf(n, "{%s:%s} has another type than the header gives it (%s)", name, typ, want)
	}
	return nil
}

func (h *headerReader) paramAt(name string) int {
	return slices.IndexFunc(h.report.Params, func(p Param) bool { return p.Name == name })
}

// mayHide tells a parameter that the runner gives: the report must not have one of that name itself.
func (h *headerReader) mayHide(name string) bool {
	_, known := hiddenTypes[name]
	return known && h.paramAt(name) < 0
}

func (h *headerReader) hiddenOf(used map[string]bool) (names []string) {
	for name := range used {
		if h.mayHide(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkUse refuses parameters nobody reads and pages that could not be continued.
func (h *headerReader) checkUse(first int, used map[string]bool) error {
	for _, p := range h.report.Params {
		if !used[p.Name] && !(used["subject_id"] && slices.Contains([]string{"subject", "topic_type", "topic_id"}, p.Name)) &&
			!(p.Type == "String" && slices.Contains([]string{"as_of", "tz"}, p.Name)) {
			return h.errorf(first, "parameter %s is declared, but {%s:%s} stands nowhere in the query", p.Name, p.Name, p.Type)
		}
	}
	if picks, _ := h.report.statements(); (picks != "") != (len(h.report.picked) > 0) || picks != "" && !used["page_rows"] {
		return h.errorf(first, "a query of two statements picks {page_rows:UInt64} rows above the line `%s`, and reads their "+
			"columns as {page_COLUMN:Array(TYPE)} below it", detailsLine)
	}
	if !used["page_rows"] {
		return nil
	}
	if len(h.report.Order) == 0 || !used["after"] {
		return h.errorf(first, "a query with {page_rows:UInt64} also needs an order in its header and {after:UInt8} with "+
			"the after_ columns")
	}
	for _, o := range h.report.Order {
		if !used["after_"+o.Column] {
			return h.errorf(first, "a query with {page_rows:UInt64} also needs {after_%s:%s}", o.Column, o.Type)
		}
	}
	return nil
}

// blankComments replaces comments and quoted texts by spaces, keeping the lines.
func blankComments(lines []string) []string {
	text := []byte(strings.Join(lines, "\n"))
	for i := 0; i < len(text); {
		end := i
		switch {
		case text[i] == '{': // a placeholder's type may hold quotes
			i += max(1, len(placeholderStart.Find(text[i:min(i+300, len(text))])))
			continue
		case hasAt(text, i, "--"):
			end = indexFrom(text, i, "\n")
		case hasAt(text, i, "/*"):
			end = min(indexFrom(text, i+2, "*/")+2, len(text))
		case text[i] == '\'' || text[i] == '`' || text[i] == '"':
			end = quoteEnd(text, i)
		}
		if end == i {
			i++
			continue
		}
		for ; i < end; i++ {
			if text[i] != '\n' {
				text[i] = ' '
			}
		}
	}
	return strings.Split(string(text), "\n")
}

func hasAt(text []byte, i int, s string) bool { return bytes.HasPrefix(text[i:], []byte(s)) }

func indexFrom(text []byte, i int, s string) int {
	if at := bytes.Index(text[min(i, len(text)):], []byte(s)); at >= 0 {
		return i + at
	}
	return len(text)
}

// quoteEnd is the index after the quote that closes the one at i.
func quoteEnd(text []byte, i int) int {
	for j := i + 1; j < len(text); j++ {
		if text[j] == '\\' {
			j++
		} else if text[j] == text[i] {
			return j + 1
		}
	}
	return len(text)
}

package smx

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// strict walks a document by the grammar of XML 1.0, one production a method,
// and refuses what etree lets pass. It writes a copy that etree reads without
// loss: references stay, attribute values have their white space normalised,
// and names that only newer editions of XML allow, all of them unknown here,
// are replaced by plain ones.
type strict struct {
	text string
	at   int
	out  strings.Builder
	path []string // names of the open elements
	size []int    // of the reports in a relay-written file, in their order
	err  *fault
}

// check walks a whole document.
func (s *strict) check() {
	s.declaration()
	s.misc()
	if s.err == nil {
		s.element()
	}
	s.misc()
	if s.err == nil && s.at < len(s.text) {
		s.fail(CodeTrailing, "something follows the root element")
	}
}

func (s *strict) fail(code, format string, args ...any) {
	if s.err == nil {
		s.err = &fault{code: code, detail: fmt.Sprintf(format, args...), at: s.at}
	}
}

func (s *strict) rest() string { return s.text[s.at:] }

func (s *strict) has(prefix string) bool { return strings.HasPrefix(s.rest(), prefix) }

// take goes over a literal that must come next.
func (s *strict) take(literal string) {
	if !s.has(literal) {
		s.fail(CodeSyntax, "%q is missing", literal)
		return
	}
	s.at += len(literal)
}

// until returns what stands before a literal, and goes behind it.
func (s *strict) until(literal string, limit int) string {
	before, _, found := strings.Cut(s.rest(), literal)
	switch {
	case !found:
		s.fail(CodeSyntax, "%q is missing", literal)
		return ""
	case len(before) > limit:
		s.fail(CodeCommentLong, "longer than %d bytes", limit)
		return ""
	}
	s.at += len(before) + len(literal)
	return before
}

// space goes over white space and tells whether there was some.
func (s *strict) space() bool {
	trimmed := strings.TrimLeft(s.rest(), " \t\r\n")
	found := len(trimmed) < len(s.text)-s.at
	s.at = len(s.text) - len(trimmed)
	return found
}

func (s *strict) name() string {
	first, n := utf8.DecodeRuneInString(s.rest())
	if n == 0 || !strings.ContainsRune(":_", first) && !asciiLetter(first) &&
		(first < utf8.RuneSelf || !nameRune(first)) {
		s.fail(CodeSyntax, "a name is missing")
		return ""
	}
	end := len(s.rest())
	for i, r := range s.rest() {
		if i > 0 && !(strings.ContainsRune(":_-.·‿⁀", r) || r >= '0' && r <= '9' || asciiLetter(r) ||
			r >= 0x300 && r <= 0x36F || r >= utf8.RuneSelf && nameRune(r)) {
			end = i
			break
		}
	}
	name := s.rest()[:end]
	if len(name) > MaxNameBytes {
		s.fail(CodeNameLong, "a name is too long")
	}
	s.at += end
	return name
}

func asciiLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// declaration checks the XML declaration. The copy has none, being UTF-8.
func (s *strict) declaration() {
	if !s.has("<?xml") || len(s.text) > 5 && !strings.ContainsAny(s.text[5:6], " \t\r\n?") {
		return
	}
	s.at += len("<?xml")
	for i, field := range []string{"version", "encoding", "standalone"} {
		start := s.at
		if !s.space() || !s.has(field) {
			s.at = start
			if i == 0 {
				s.fail(CodeSyntax, "the XML declaration names no version")
			}
			continue
		}
		s.at += len(field)
		s.space()
		s.take("=")
		s.space()
		value := s.literal()
		allowed := map[string]bool{
			"version": value == "1.0", "standalone": value == "yes" || value == "no",
			"encoding": strings.EqualFold(value, "UTF-8") || strings.EqualFold(value, "UTF-16") ||
				strings.EqualFold(value, "UTF-16LE") || strings.EqualFold(value, "UTF-16BE"),
		}
		if !allowed[field] {
			s.fail(CodeSyntax, "the XML declaration has an unsupported %s", field)
		}
	}
	s.space()
	s.take("?>")
	if s.at > MaxCommentBytes {
		s.fail(CodeSyntax, "the XML declaration is too long")
	}
}

// literal reads a quoted text.
func (s *strict) literal() string {
	for _, quote := range []string{`"`, `'`} {
		if s.has(quote) {
			s.at++
			return s.until(quote, len(s.text))
		}
	}
	s.fail(CodeSyntax, "a quote is missing")
	return ""
}

// misc goes over what may stand beside the root element.
func (s *strict) misc() {
	for s.err == nil {
		s.space()
		switch {
		case s.has("<!--"):
			s.comment()
		case s.has("<!DOCTYPE"):
			s.fail(CodeDoctype, "a document type declaration is not allowed")
		case s.has("<?"):
			s.instruction()
		default:
			return
		}
	}
}

func (s *strict) comment() {
	s.at += len("<!--")
	s.until("--", MaxCommentBytes)
	s.take(">")
}

func (s *strict) instruction() {
	s.at += len("<?")
	start := s.at
	name := s.name()
	if strings.EqualFold(name, "xml") {
		s.fail(CodeSyntax, "a second XML declaration")
	}
	if !s.has("?>") && !s.space() {
		s.fail(CodeSyntax, "white space is missing")
	}
	s.until("?>", MaxCommentBytes)
	if s.at-2-start > MaxCommentBytes {
		s.fail(CodeCommentLong, "a processing instruction is too long")
	}
}

// element reads an element; recursion is bounded by MaxDepth.
func (s *strict) element() {
	start := s.at
	s.take("<")
	name := s.name()
	s.path = append(s.path, name)
	defer func() {
		if strings.Join(s.path, "/") == "Reports/Received/Report" {
			s.size = append(s.size, s.at-start)
		}
		s.path = s.path[:len(s.path)-1]
	}()
	if s.depth() > MaxDepth {
		s.fail(CodeDepth, "nested too deep")
	}
	s.out.WriteString("<" + plainName(name))
	seen := map[string]bool{}
	for s.err == nil {
		spaced := s.space()
		if s.has(">") || s.has("/>") {
			break
		}
		if !spaced {
			s.fail(CodeSyntax, "white space is missing between attributes")
		}
		s.attribute(seen)
	}
	if s.has("/>") {
		s.at += 2
		s.out.WriteString("/>")
		return
	}
	s.take(">")
	s.out.WriteString(">")
	s.content()
	s.take("</")
	if s.err == nil && s.name() != name {
		s.fail(CodeSyntax, "an end tag doesn't match")
	}
	s.space()
	s.take(">")
	s.out.WriteString("</" + plainName(name) + ">")
}

// depth counts from the report where there is one.
func (s *strict) depth() int {
	if len(s.path) > 2 && s.path[0] == "Reports" && s.path[1] == "Received" && s.path[2] == "Report" {
		return len(s.path) - 2
	}
	return len(s.path)
}

func plainName(name string) string {
	beyondASCII := func(r rune) bool { return r >= utf8.RuneSelf }
	if strings.Count(name, ":") > 1 || strings.ContainsFunc(name, beyondASCII) {
		return fmt.Sprintf("_%x", name)
	}
	return name
}

func (s *strict) attribute(seen map[string]bool) {
	name := s.name()
	if seen[name] {
		s.fail(CodeDuplicateAttr, "an attribute appears twice")
	}
	seen[name] = true
	if len(seen) > MaxAttributes {
		s.fail(CodeAttributes, "too many attributes")
	}
	s.space()
	s.take("=")
	s.space()
	raw := s.literal()
	if strings.Contains(raw, "<") {
		s.fail(CodeSyntax, "< inside an attribute's value")
	}
	raw = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(raw)
	if len(s.resolve(raw)) > MaxAttributeBytes {
		s.fail(CodeAttributeLong, "an attribute's value is too long")
	}
	s.out.WriteString(" " + plainName(name) + `="` + strings.ReplaceAll(raw, `"`, "&quot;") + `"`)
}

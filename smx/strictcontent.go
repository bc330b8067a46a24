package smx

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// content reads what stands between a start and an end tag.
func (s *strict) content() {
	for s.err == nil && !s.has("</") {
		switch {
		case s.at == len(s.text):
			s.fail(CodeSyntax, "the document ends too early")
		case s.has("<!--"):
			s.comment()
			s.out.WriteString("<!---->") // what it parts stays parted
		case s.has("<![CDATA["):
			s.at += len("<![CDATA[")
			section := s.until("]]>", len(s.text))
			s.bound(strings.ReplaceAll(section, "\r\n", "\n"))
			s.out.WriteString("<![CDATA[" + section + "]]>")
		case s.has("<?"):
			s.instruction()
			s.out.WriteString("<!---->")
		case s.has("<"):
			s.element()
		default:
			s.characters()
		}
	}
}

func (s *strict) characters() {
	raw, _, _ := strings.Cut(s.rest(), "<")
	if strings.Contains(raw, "]]>") {
		s.fail(CodeSyntax, "]]> inside text")
	}
	s.bound(s.resolve(strings.ReplaceAll(raw, "\r\n", "\n")))
	s.out.WriteString(raw)
	s.at += len(raw)
}

// bound checks the length of a piece of text.
func (s *strict) bound(text string) {
	limit := MaxTextBytes
	path := strings.TrimPrefix(strings.Join(s.path, "/"), "Reports/Received/")
	if path == "Report/ReportBody/StateMessage/StateDetails" || s.path[0] == "ManagementPack" { // which has scripts
		limit = MaxDetailsBytes
	}
	if len(text) > limit {
		s.fail(CodeTextLong, "a text is too long")
	}
}

// resolve checks the references of a text and returns it without them.
func (s *strict) resolve(raw string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(raw, "&")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		reference, rest, found := strings.Cut(after, ";")
		r, ok := resolveReference(reference)
		if !found || !ok {
			s.fail(CodeSyntax, "a reference is malformed, unknown or names no character")
			return ""
		}
		b.WriteRune(r)
		raw = rest
	}
}

// resolveReference is what stands for a reference's name.
func resolveReference(name string) (rune, bool) {
	if r, ok := map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}[name]; ok {
		return r, true
	}
	number, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, found := strings.CutPrefix(number, "x"); found {
		number, base = hex, 16
	}
	if !ok || strings.ContainsAny(number, "+-_") {
		return 0, false
	}
	n, err := strconv.ParseUint(number, base, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, false
	}
	return rune(n), isXMLCharacter(rune(n))
}

package embedded

import "strings"

// token is one word, name, literal or sign of a statement.
type token struct {
	kind  tokenKind
	text  string // names without their quotes
	start int    // byte offset in the statement
}

type tokenKind uint8

const (
	word tokenKind = iota // keywords, bare names, numbers
	name                  // quoted names
	literal
	sign // one character
)

func (t token) is(keyword string) bool {
	return t.kind == word && strings.EqualFold(t.text, keyword)
}

// tokens splits a statement as far as it can be read; what is broken the engine
// refuses itself.
func tokens(sql string) []token {
	var out []token
	for i := 0; i < len(sql); {
		rest := sql[i:]
		switch n := blankLength(rest); {
		case n > 0:
			i += n
		default:
			t, size := scan(rest)
			t.start = i
			out = append(out, t)
			i += size
		}
	}
	return out
}

// blankLength is the length of white space or of a comment at the start of s.
func blankLength(s string) int {
	switch {
	case strings.IndexByte(" \t\r\n\v\f", s[0]) >= 0:
		return 1
	case strings.HasPrefix(s, "--"), strings.HasPrefix(s, "#!"), strings.HasPrefix(s, "# "):
		return endOf(s, "\n", 2)
	case strings.HasPrefix(s, "/*"):
		return endOf(s, "*/", 2)
	}
	return 0
}

// endOf is the offset behind the first mark at or after from, or the length of s.
func endOf(s, mark string, from int) int {
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(s)
}

func scan(s string) (token, int) {
	switch c := s[0]; {
	case c == '\'':
		n := quotedLength(s)
		return token{kind: literal, text: s[:n]}, n
	case c == '"' || c == '`':
		n := quotedLength(s)
		return token{kind: name, text: strings.Trim(s[:n], string(c))}, n
	case isWordByte(c):
		n := 1
		for n < len(s) && isWordByte(s[n]) {
			n++
		}
		return token{kind: word, text: s[:n]}, n
	}
	return token{kind: sign, text: s[:1]}, 1
}

// quotedLength is the length of a quoted text, whose quote may be doubled or
// escaped within.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

package tabular

import (
	"strconv"
	"strings"
	"unicode"
)

// TerminalSafe is text as a terminal may show it. Control characters (C0 and C1), line and paragraph ends, marks of
// direction, zero widths and what is no UTF-8 become escapes.
func TerminalSafe(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var out strings.Builder
	for _, c := range s {
		if unprintable(c) {
			quoted := strconv.QuoteRuneToASCII(c)
			out.WriteString(quoted[1 : len(quoted)-1])
		} else {
			out.WriteRune(c)
		}
	}
	return out.String()
}

// unprintable tells whether TerminalSafe would write the character as an escape.
func unprintable(c rune) bool {
	return c == unicode.ReplacementChar || !unicode.IsPrint(c)
}

// SpreadsheetSafe is text that no spreadsheet takes for a formula, and that is safe for terminals: =cmd|… and its kin
// get an apostrophe in front. A cell that begins with one of these signs, perhaps after white space or in its
// full-width form, is run as a formula by some spreadsheet.
func SpreadsheetSafe(s string) string {
	safe := TerminalSafe(s)
	bare := strings.TrimLeftFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unprintable(c) })
	if bare != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(bare)[0]) {
		return "'" + safe
	}
	return safe
}

// Shorten cuts text to a number of characters.
func Shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

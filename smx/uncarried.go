package smx

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Uncarried finds the first character of s that XML 1.0 cannot carry. It returns its name, as U+0001 or, where the
// bytes are no UTF-8, as byte 0xFF, and its place in characters, counted from 1. The place is 0 when XML carries all of
// s.
func Uncarried(s string) (name string, place int) {
	for at := 0; at < len(s); {
		place++
		n := characterLength([]byte(s[at:min(at+utf8.UTFMax, len(s))]))
		if n == 0 {
			name, _ = uncarriedName(s[at:])
			return name, place
		}
		at += n
	}
	return "", 0
}

// Spell is s with the name of every character that XML cannot carry in its place, as <U+0001>. It is for texts that
// people read, never for names: two names must not become one.
func Spell(s string) string {
	if _, place := Uncarried(s); place == 0 {
		return s
	}
	var b strings.Builder
	for at := 0; at < len(s); {
		n := characterLength([]byte(s[at:min(at+utf8.UTFMax, len(s))]))
		if n > 0 {
			b.WriteString(s[at : at+n])
		} else {
			var name string
			name, n = uncarriedName(s[at:])
			b.WriteString("<" + name + ">")
		}
		at += n
	}
	return b.String()
}

// Carried is s with U+FFFD in the place of every character that XML cannot carry.
func Carried(s string) string {
	return strings.Map(func(r rune) rune {
		if !isXMLCharacter(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// uncarriedName names what s begins with, and how many bytes that is. Half of a surrogate pair comes as three bytes
// that are no UTF-8: from Windows, where names may hold one.
func uncarriedName(s string) (name string, length int) {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		if len(s) >= 3 && s[0] == 0xED && s[1]&0xE0 == 0xA0 && s[2]&0xC0 == 0x80 {
			return fmt.Sprintf("U+%04X", 0xD000|rune(s[1]&0x3F)<<6|rune(s[2]&0x3F)), 3
		}
		return fmt.Sprintf("byte 0x%02X", s[0]), 1
	}
	return fmt.Sprintf("U+%04X", r), n
}

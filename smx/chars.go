package smx

import (
	"encoding/binary"
	"unicode/utf8"
)

// Eight bytes at a time: each constant repeats one byte.
const (
	onesBytes   = 0x0101010101010101
	highBits    = 0x8080808080808080
	spaceBytes  = 0x2020202020202020
	quoteBytes  = 0x2222222222222222
	lessBytes   = 0x3C3C3C3C3C3C3C3C
	ampBytes    = 0x2626262626262626
	squareBytes = 0x5D5D5D5D5D5D5D5D
	crBytes     = 0x0D0D0D0D0D0D0D0D
)

// badCharacter returns the index of the first byte that begins no legal XML
// character in UTF-8, or -1. Plain text passes 32 bytes at a time.
func badCharacter(b []byte) int {
	i := 0
	for {
		for i+32 <= len(b) {
			w := b[i : i+32 : i+32]
			x0, x1 := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
			x2, x3 := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
			odd := x0 | (x0 - spaceBytes) | x1 | (x1 - spaceBytes) | x2 | (x2 - spaceBytes) | x3 | (x3 - spaceBytes)
			if odd&highBits != 0 {
				break
			}
			i += 32
		}
		end := min(i+32, len(b))
		for i < end {
			n := characterLength(b[i:])
			if n == 0 {
				return i
			}
			i += n
		}
		if i >= len(b) {
			return -1
		}
	}
}

// characterLength is the length of the XML character that b begins with, 0
// when it is none.
func characterLength(b []byte) int {
	c := b[0]
	if c >= ' ' && c < utf8.RuneSelf || c == '\t' || c == '\n' || c == '\r' {
		return 1
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n == 1 || !isXMLCharacter(r) {
		return 0
	}
	return n
}

// isXMLCharacter is the production Char of XML 1.0.
func isXMLCharacter(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	}
	return r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// Classes of bytes in names and between them.
const (
	classNameStart uint8 = 1 << iota // may begin a name (ASCII), or any byte of a longer character
	className                        // may go on with one
	classSpace
)

// class tells what a byte may be.
var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= utf8.RuneSelf:
			t[c] = classNameStart | className
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] = className
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[c] = classSpace
		}
	}
	return t
}()

// nameRanges are the characters beyond ASCII that may begin a name (XML 1.0,
// fifth edition).
var nameRanges = [...][2]rune{
	{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D},
	{0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
}

// legalName checks the characters of a name; its ASCII bytes have been seen by
// class already.
func legalName(name []byte) bool {
	for i, r := range string(name) {
		if r < utf8.RuneSelf {
			continue
		}
		if !nameRune(r) && (i == 0 || r != 0xB7 && (r < 0x300 || r > 0x36F) && r != 0x203F && r != 0x2040) {
			return false
		}
	}
	return true
}

func nameRune(r rune) bool {
	for _, span := range nameRanges {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

package smx

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// form is how a document's bytes spell its characters.
type form uint8

const (
	formUTF8 form = iota
	formUTF16LE
	formUTF16BE
)

// sniff tells a document's form and the length of its byte order mark by its
// first bytes; they win over the declaration.
func sniff(data []byte) (f form, bom int, code, detail string) {
	var head [4]byte
	n := copy(head[:], data)
	switch {
	case n >= 3 && head[0] == 0xEF && head[1] == 0xBB && head[2] == 0xBF:
		return formUTF8, 3, "", ""
	case n == 4 && (head == [4]byte{0xFF, 0xFE, 0, 0} || head == [4]byte{0, 0, 0xFE, 0xFF} ||
		head == [4]byte{'<', 0, 0, 0} || head == [4]byte{0, 0, 0, '<'}):
		return 0, 0, CodeEncodingKind, "the document is UTF-32; send UTF-8 or UTF-16"
	case n == 4 && head == [4]byte{0x4C, 0x6F, 0xA7, 0x94}:
		return 0, 0, CodeEncodingKind, "the document is EBCDIC; send UTF-8 or UTF-16"
	case n >= 3 && head[0] == '+' && head[1] == '/' && head[2] == 'v':
		return 0, 0, CodeEncodingKind, "the document is UTF-7; send UTF-8 or UTF-16"
	case n >= 2 && head[0] == 0xFF && head[1] == 0xFE:
		return formUTF16LE, 2, "", ""
	case n >= 2 && head[0] == 0xFE && head[1] == 0xFF:
		return formUTF16BE, 2, "", ""
	case n == 4 && head == [4]byte{'<', 0, '?', 0}:
		return formUTF16LE, 0, "", ""
	case n == 4 && head == [4]byte{0, '<', 0, '?'}:
		return formUTF16BE, 0, "", ""
	case n >= 2 && (head[0] == 0 && opensXML(head[1]) || head[1] == 0 && opensXML(head[0])):
		return 0, 0, CodeEncodingVague,
			"this looks like UTF-16 without a byte order mark and without an XML declaration; add one of them"
	}
	return formUTF8, 0, "", ""
}

func opensXML(c byte) bool { return c == '<' || class[c]&classSpace != 0 }

// appendUTF8 appends UTF-16 text as UTF-8. At an odd end or an unpaired
// surrogate it stops and returns that offset in src; otherwise bad is -1.
func appendUTF8(dst, src []byte, order binary.ByteOrder) (out []byte, bad int) {
	i := 0
	for i+1 < len(src) {
		if order == binary.LittleEndian {
			dst, i = appendASCII(dst, src, i)
			if i+1 >= len(src) {
				break
			}
		}
		r := rune(order.Uint16(src[i:]))
		n := 2
		if utf16.IsSurrogate(r) {
			if i+3 >= len(src) {
				return dst, i
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(src[i+2:]))); r == utf8.RuneError {
				return dst, i
			}
			n = 4
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	if i < len(src) {
		return dst, i
	}
	return dst, -1
}

// appendASCII copies characters below 0x80, four at a time, from src[i:].
func appendASCII(dst, src []byte, i int) ([]byte, int) {
	for i+8 <= len(src) {
		x := binary.LittleEndian.Uint64(src[i:])
		if x&0xFF80FF80FF80FF80 != 0 {
			break
		}
		x |= x >> 8
		dst = append(dst, byte(x), byte(x>>16), byte(x>>32), byte(x>>48))
		i += 8
	}
	return dst, i
}

// guess says what a document that is no XML looks like, by its first bytes.
func guess(text []byte) string {
	text = bytes.TrimLeft(text, " \t\r\n")
	switch {
	case len(text) == 0:
		return "nothing but white space"
	case text[0] == '{' || text[0] == '[':
		return "JSON"
	case looksLikeHTML(text):
		return "an HTML page"
	case bytes.HasPrefix(text, []byte{0x1F, 0x8B}):
		return "gzip data"
	case bytes.HasPrefix(text, []byte{0x28, 0xB5, 0x2F, 0xFD}):
		return "zstd data"
	case bytes.HasPrefix(text, []byte("PK\x03\x04")):
		return "a ZIP archive"
	case bytes.HasPrefix(text, []byte("%PDF")):
		return "a PDF document"
	case badCharacter(text[:min(len(text), 64)]) >= 0 && badCharacter(text[:min(len(text), 64)]) < 60:
		return "binary data"
	}
	return "plain text"
}

// looksLikeHTML recognises the page that a proxy or a login puts in place of
// what was asked for.
func looksLikeHTML(text []byte) bool {
	for _, start := range []string{"<!doctype html", "<html"} {
		if len(text) > len(start) && bytes.EqualFold(text[:len(start)], []byte(start)) &&
			class[text[len(start)]]&className == 0 {
			return true
		}
	}
	return false
}

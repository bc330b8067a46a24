package smx

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/beevik/etree"
	"golang.org/x/text/encoding/unicode"
)

// Tree is a document that was read whole.
type Tree struct {
	Root        *etree.Element
	Bytes       int   // of the document in UTF-8
	ReportBytes []int // of the reports in a relay-written file, in their order
}

// ReadTree reads a document that people shape or that is rarely read: a strictness pass follows the grammar of XML word
// by word, then etree builds the tree. It knows nothing of Decoder but the limits, so that tests may hold one against
// the other. The error is an *Error.
func ReadTree(data []byte) (Tree, error) {
	text, err := treeText(data)
	if err != nil {
		return Tree{}, err
	}
	s := strict{text: text}
	s.check()
	if s.err != nil {
		var c place
		c.count([]byte(text[:s.err.at]))
		return Tree{}, &Error{Code: s.err.code, Detail: s.err.detail, Line: c.line + 1, Column: c.column + 1,
			Offset: int64(s.err.at)}
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(s.out.String()); err != nil {
		return Tree{}, &Error{Code: CodeSyntax, Detail: err.Error()}
	}
	return Tree{Root: doc.Root(), Bytes: len(text), ReportBytes: s.size}, nil
}

// treeText brings a document into UTF-8 and checks its characters.
func treeText(data []byte) (string, error) {
	if len(data) > 2*MaxFileBytes+2 {
		return "", &Error{Code: CodeTooLarge, Detail: "too large"}
	}
	text := string(data)
	switch {
	case strings.HasPrefix(text, "\xFF\xFE\x00\x00") || strings.HasPrefix(text, "\x00\x00"):
		return "", &Error{Code: CodeEncodingKind, Detail: "UTF-32 is not supported"}
	case strings.HasPrefix(text, "\xEF\xBB\xBF"):
		text = text[3:]
	case strings.HasPrefix(text, "\xFF\xFE"), strings.HasPrefix(text, "<\x00?\x00"):
		return treeUTF16(strings.TrimPrefix(text, "\xFF\xFE"), unicode.LittleEndian, binary.LittleEndian)
	case strings.HasPrefix(text, "\xFE\xFF"), strings.HasPrefix(text, "\x00<\x00?"):
		return treeUTF16(strings.TrimPrefix(text, "\xFE\xFF"), unicode.BigEndian, binary.BigEndian)
	}
	return treeCharacters(text)
}

func treeUTF16(text string, endian unicode.Endianness, order binary.ByteOrder) (string, error) {
	bad := &Error{Code: CodeUTF16, Detail: "odd length or unpaired surrogate"}
	if len(text)%2 != 0 {
		return "", bad
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16([]byte(text[2*i:]))
	}
	for i := 0; i < len(units); i++ {
		if r := rune(units[i]); utf16.IsSurrogate(r) {
			if i++; i == len(units) || utf16.DecodeRune(r, rune(units[i])) == utf8.RuneError {
				return "", bad
			}
		}
	}
	utf8Text, err := unicode.UTF16(endian, unicode.IgnoreBOM).NewDecoder().String(text)
	if err != nil {
		return "", bad
	}
	return treeCharacters(utf8Text)
}

func treeCharacters(text string) (string, error) {
	if len(text) > MaxFileBytes {
		return "", &Error{Code: CodeTooLarge, Detail: "too large"}
	}
	for i, r := range text {
		_, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 || !isXMLCharacter(r) {
			return "", &Error{Code: CodeCharacter, Detail: "no XML character", Offset: int64(i)}
		}
	}
	return text, nil
}

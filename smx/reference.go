package smx

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/beevik/etree"
	"golang.org/x/text/encoding/unicode"
)

// Reference does what Decode does by other means: a strictness pass that
// follows the grammar of XML word by word, then etree, then plain lookups in
// its tree. Tests hold the decoder against it; it suits documents that are
// rarely read. The error is an *Error; below the level of syntax it doesn't
// know the line and column of a fault, and leaves them 0.
func Reference(data []byte, into *Batch) error {
	text, err := referenceText(data)
	if err != nil {
		return err
	}
	s := strict{text: text}
	if s.check(); s.err != nil {
		var c place
		c.count([]byte(text[:s.err.at]))
		return &Error{Code: s.err.code, Detail: s.err.detail, Line: c.line + 1, Column: c.column + 1, Offset: int64(s.err.at)}
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(s.out.String()); err != nil {
		return &Error{Code: CodeSyntax, Detail: err.Error()}
	}
	before := into.mark()
	r := tree{into: into, size: s.size, mismatch: referenceMismatch(data)}
	if f := r.document(doc.Root(), len(text)); f != nil {
		into.rollback(before)
		return &Error{Code: f.code, Detail: f.detail}
	}
	return nil
}

// referenceText brings a document into UTF-8 and checks its characters.
func referenceText(data []byte) (string, error) {
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
		return referenceUTF16(strings.TrimPrefix(text, "\xFF\xFE"), unicode.LittleEndian, binary.LittleEndian)
	case strings.HasPrefix(text, "\xFE\xFF"), strings.HasPrefix(text, "\x00<\x00?"):
		return referenceUTF16(strings.TrimPrefix(text, "\xFE\xFF"), unicode.BigEndian, binary.BigEndian)
	}
	return referenceCharacters(text)
}

func referenceUTF16(text string, endian unicode.Endianness, order binary.ByteOrder) (string, error) {
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
	return referenceCharacters(utf8Text)
}

func referenceCharacters(text string) (string, error) {
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

// referenceMismatch tells whether the declaration of a document that has
// passed names another encoding than its bytes are in.
func referenceMismatch(data []byte) bool {
	text, wide := string(data), strings.ContainsRune(string(data), 0)
	big := strings.HasPrefix(text, "\xFE\xFF") || strings.HasPrefix(text, "\x00")
	text = strings.ReplaceAll(text, "\x00", "")
	for _, mark := range []string{"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"} {
		text = strings.TrimPrefix(text, mark)
	}
	if !strings.HasPrefix(text, "<?xml ") && !strings.HasPrefix(text, "<?xml\t") && !strings.HasPrefix(text, "<?xml\n") && !strings.HasPrefix(text, "<?xml\r") {
		return false
	}
	text, _, _ = strings.Cut(text, "?>")
	_, label, found := strings.Cut(text, "encoding")
	if !found {
		return false
	}
	label = strings.ToUpper(strings.TrimLeft(label, " \t\r\n=\"'"))
	label = label[:strings.IndexAny(label, `"'`)]
	switch label {
	case "UTF-8":
		return wide
	case "UTF-16":
		return !wide
	case "UTF-16LE":
		return !wide || big
	}
	return !wide || !big
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

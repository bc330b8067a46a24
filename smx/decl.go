package smx

import "bytes"

// declaration reads the XML declaration at the beginning of the text, if there
// is one, and returns the position behind it.
func (d *Decoder) declaration() int {
	b := d.text
	if !bytes.HasPrefix(b, []byte("<?xml")) || len(b) > 5 && class[b[5]]&className != 0 {
		return 0
	}
	end := bytes.Index(b[:min(len(b), MaxCommentBytes)], []byte("?>"))
	if end < 0 {
		return d.fail(0, CodeSyntax, "the XML declaration doesn't end within %d bytes", MaxCommentBytes)
	}
	fields := pseudoAttributes{rest: b[5:end]}
	version, ok := fields.next("version")
	if !ok {
		return d.fail(0, CodeSyntax, "the XML declaration names no version")
	}
	if string(version) != "1.0" {
		return d.fail(0, CodeSyntax, "XML version %s is not supported, only 1.0", clip(version))
	}
	label, labelled := fields.next("encoding")
	standalone, ok := fields.next("standalone")
	if ok && string(standalone) != "yes" && string(standalone) != "no" {
		return d.fail(0, CodeSyntax, "standalone in the XML declaration is neither yes nor no")
	}
	if len(bytes.Trim(fields.rest, " \t\r\n")) != 0 {
		return d.fail(0, CodeSyntax,
			"the XML declaration holds something unexpected after its version, encoding and standalone")
	}
	if labelled && !d.label(label) {
		return stop
	}
	return end + 2
}

// label compares the declared encoding with the one found. The bytes win.
func (d *Decoder) label(name []byte) bool {
	for _, known := range [...]struct {
		label  string
		agrees bool
	}{
		{"UTF-8", d.form == formUTF8},
		{"UTF-16", d.form != formUTF8},
		{"UTF-16LE", d.form == formUTF16LE},
		{"UTF-16BE", d.form == formUTF16BE},
	} {
		if sameLetters(name, known.label) {
			d.mismatch = !known.agrees
			return true
		}
	}
	d.fail(0, CodeEncodingKind, "encoding %s is not supported; send UTF-8 or UTF-16", clip(name))
	return false
}

// sameLetters compares without regard to the case of ASCII letters.
func sameLetters(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c != s[i] && (c|0x20 != s[i]|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// pseudoAttributes reads the fields of an XML declaration in their fixed order.
type pseudoAttributes struct{ rest []byte }

// next returns the value of the field when it comes next. A field that is
// malformed stays in rest and so is refused there.
func (a *pseudoAttributes) next(name string) (value []byte, ok bool) {
	b := bytes.TrimLeft(a.rest, " \t\r\n")
	if len(b) == len(a.rest) || !bytes.HasPrefix(b, []byte(name)) {
		return nil, false
	}
	b = bytes.TrimLeft(b[len(name):], " \t\r\n")
	if len(b) == 0 || b[0] != '=' {
		return nil, false
	}
	b = bytes.TrimLeft(b[1:], " \t\r\n")
	if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
		return nil, false
	}
	end := bytes.IndexByte(b[1:], b[0])
	if end < 0 {
		return nil, false
	}
	a.rest = b[end+2:]
	return b[1 : end+1], true
}

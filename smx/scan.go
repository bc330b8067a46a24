package smx

import (
	"bytes"
	"encoding/binary"
)

// Scanning steps take a position in Decoder.text and return the position
// behind what they read, or stop.

// tag goes to the next tag: over text, comments, processing instructions and
// CDATA sections, which mean nothing where only elements are expected. It
// returns the position of the tag's "<".
func (d *Decoder) tag(p int) int {
	b := d.text
	for {
		if p+1 >= len(b) {
			return d.fail(len(b), CodeSyntax, "the document ends before its root element does")
		}
		switch {
		case b[p] != '<':
			end, _ := d.run(p, MaxTextBytes)
			if p = end; p == stop {
				return stop
			}
		case b[p+1] == '!':
			if bytes.HasPrefix(b[p:], []byte("<![CDATA[")) {
				if _, p = d.cdata(p, MaxTextBytes); p == stop {
					return stop
				}
				continue
			}
			if p = d.comment(p); p == stop {
				return stop
			}
		case b[p+1] == '?':
			if p = d.instruction(p); p == stop {
				return stop
			}
		default:
			return p
		}
	}
}

// child goes to the next start or end tag. It returns which word of the
// vocabulary the element is (or failed, closing, other) and where its name
// stands; at an end tag from is behind its "</".
func (d *Decoder) child(p int, words vocabulary) (number, from, to int) {
	b := d.text
	if p+1 >= len(b) || b[p] != '<' || b[p+1] == '!' || b[p+1] == '?' {
		if p = d.tag(p); p == stop {
			return failed, 0, 0
		}
	}
	if b[p+1] == '/' {
		return closing, p + 2, 0
	}
	if p+17 <= len(b) {
		x0, x1 := binary.LittleEndian.Uint64(b[p:]), binary.LittleEndian.Uint64(b[p+8:])
		for i := range words {
			w := &words[i]
			if w.at(x0, x1) && class[b[p+w.n]]&className == 0 {
				return i, p + 1, p + w.n
			}
		}
	}
	to = d.name(p + 1)
	if to == stop {
		return failed, 0, 0
	}
	return words.find(b[p+1 : to]), p + 1, to
}

// name reads a name of any kind.
func (d *Decoder) name(p int) int {
	b := d.text
	if p >= len(b) {
		return d.fail(p, CodeSyntax, "the document ends where a name belongs")
	}
	if class[b[p]]&classNameStart == 0 {
		return d.fail(p, CodeSyntax, "%s where a name belongs", d.glimpse(p))
	}
	q, seen := p, byte(0)
	for q < len(b) && class[b[q]]&className != 0 {
		seen |= b[q]
		q++
	}
	if q-p > MaxNameBytes {
		return d.fail(p, CodeNameLong, "a name of %d bytes is longer than %d", q-p, MaxNameBytes)
	}
	if seen >= 0x80 && !legalName(b[p:q]) {
		return d.fail(p, CodeSyntax, "a name has a character that names may not have")
	}
	return q
}

// endTag reads an end tag of the named element; p is behind its "</".
func (d *Decoder) endTag(p int, name []byte) int {
	b := d.text
	q := p + len(name)
	if q < len(b) && string(b[p:q]) == string(name) && class[b[q]]&className == 0 {
		for class[b[q]]&classSpace != 0 {
			if q++; q == len(b) {
				return d.fail(q, CodeSyntax, "the document ends inside an end tag")
			}
		}
		if b[q] == '>' {
			return q + 1
		}
		return d.fail(q, CodeSyntax, "%s inside the end tag of %s", d.glimpse(q), clip(name))
	}
	if q >= len(b) {
		return d.fail(len(b), CodeSyntax, "the document ends inside an end tag")
	}
	to := d.name(p)
	if to == stop {
		return stop
	}
	return d.fail(p-2, CodeSyntax, "end tag </%s> where </%s> belongs", shown(b[p:to]), shown(name))
}

// end reads the end tag of a known element; p is behind its "</".
func (d *Decoder) end(p int, e *ending) int {
	b := d.text
	if p+16 <= len(b) && e.at(binary.LittleEndian.Uint64(b[p:]), binary.LittleEndian.Uint64(b[p+8:])) {
		return p + e.n
	}
	return d.endTag(p, []byte(e.name))
}

// comment reads a comment, or refuses what else begins with "<!".
func (d *Decoder) comment(p int) int {
	b := d.text[p:]
	if !bytes.HasPrefix(b, []byte("<!--")) {
		if bytes.HasPrefix(b, []byte("<!DOCTYPE")) {
			return d.fail(p, CodeDoctype, "a document type declaration is not allowed; remove it")
		}
		return d.fail(p, CodeSyntax, "markup that begins with <! is neither a comment nor CDATA")
	}
	b = b[4:]
	end := bytes.Index(b[:min(len(b), MaxCommentBytes+2)], []byte("--"))
	switch {
	case end < 0 && len(b) > MaxCommentBytes:
		return d.fail(p, CodeCommentLong, "a comment is longer than %d bytes", MaxCommentBytes)
	case end < 0 || end+2 >= len(b):
		return d.fail(len(d.text), CodeSyntax, "the document ends inside a comment")
	case b[end+2] != '>':
		return d.fail(p+4+end, CodeSyntax, "two hyphens inside a comment")
	}
	return p + 4 + end + 3
}

// instruction reads a processing instruction.
func (d *Decoder) instruction(p int) int {
	to := d.name(p + 2)
	if to == stop {
		return stop
	}
	b := d.text
	if sameLetters(b[p+2:to], "xml") {
		return d.fail(p, CodeSyntax, "an XML declaration belongs at the very beginning of the document, once")
	}
	body := b[p+2:]
	end := bytes.Index(body[:min(len(body), MaxCommentBytes+2)], []byte("?>"))
	switch {
	case end < 0 && len(body) > MaxCommentBytes:
		return d.fail(p, CodeCommentLong, "a processing instruction is longer than %d bytes", MaxCommentBytes)
	case end < 0:
		return d.fail(len(b), CodeSyntax, "the document ends inside a processing instruction")
	case p+2+end != to && class[b[to]]&classSpace == 0:
		return d.fail(to, CodeSyntax, "%s behind the name of a processing instruction", d.glimpse(to))
	}
	return p + 2 + end + 2
}

// skip reads over an unknown element, or over the content of a known one that
// means nothing; to is the end of its name, depth its depth.
func (d *Decoder) skip(from, to, depth int) int {
	p, empty := d.attributes(to, nil)
	if p == stop || empty {
		return p
	}
	return d.content(p, d.text[from:to], depth)
}

// content reads over everything up to and with the end tag of the element.
func (d *Decoder) content(p int, name []byte, depth int) int {
	var open [MaxDepth + 1][]byte // names of the open elements, by depth
	open[depth] = name
	for base := depth; ; {
		number, from, to := d.child(p, nil)
		switch number {
		case failed:
			return stop
		case closing:
			if p = d.endTag(from, open[depth]); p == stop || depth == base {
				return p
			}
			depth--
		default:
			if !d.deep(from-1, depth+1) {
				return stop
			}
			var empty bool
			if p, empty = d.attributes(to, nil); p == stop {
				return stop
			}
			if !empty {
				depth++
				open[depth] = d.text[from:to]
			}
		}
	}
}

// deep checks the depth of an element.
func (d *Decoder) deep(p, depth int) bool {
	if depth > MaxDepth {
		d.fail(p, CodeDepth, "elements are nested deeper than %d", MaxDepth)
		return false
	}
	return true
}

package smx

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// run reads text up to the next "<". It is plain when it stands for itself.
// The limit counts the text as it will be stored.
func (d *Decoder) run(p, limit int) (q int, plain bool) {
	b := d.text
	plain = true
	for q = p; ; {
		q = skipPlainText(b, q)
		if q >= len(b) {
			return d.fail(len(b), CodeSyntax, "the document ends before its root element does"), false
		}
		switch b[q] {
		case '<':
			if q-p > limit && d.decodedLength(p, q) > limit {
				return d.fail(p, CodeTextLong, "a text is longer than %d bytes", limit), false
			}
			return q, plain
		case '&':
			n, _ := d.reference(q)
			if n == stop {
				return stop, false
			}
			plain, q = false, q+n
		case ']':
			if bytes.HasPrefix(b[q:], []byte("]]>")) {
				return d.fail(q, CodeSyntax, "]]> inside text; write ]]&gt;"), false
			}
			q++
		case '\r':
			plain, q = false, q+1
		default:
			q++
		}
	}
}

// skipPlainText goes over bytes that mean nothing special in text, eight at a
// time.
func skipPlainText(b []byte, q int) int {
	for q+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[q:])
		less, amp, square, cr := x^lessBytes, x^ampBytes, x^squareBytes, x^crBytes
		m := ((less-onesBytes)&^less | (amp-onesBytes)&^amp | (square-onesBytes)&^square |
			(cr-onesBytes)&^cr) & highBits
		if m != 0 {
			return q + bits.TrailingZeros64(m)>>3
		}
		q += 8
	}
	return q
}

// cdata reads a CDATA section and returns its content.
func (d *Decoder) cdata(p, limit int) (v value, q int) {
	from := p + len("<![CDATA[")
	n := bytes.Index(d.text[from:], []byte("]]>"))
	if n < 0 {
		return v, d.fail(len(d.text), CodeSyntax, "the document ends inside a CDATA section")
	}
	if n > limit && n-bytes.Count(d.text[from:from+n], []byte("\r\n")) > limit {
		return v, d.fail(p, CodeTextLong, "a CDATA section is longer than %d bytes", limit)
	}
	return value{from: from, to: from + n}, from + n + 3
}

// leaf reads the text of an element that holds text, from behind its start tag
// on, with its end tag. Elements inside are unknown ones and ignored; nested
// tells that there were some.
func (d *Decoder) leaf(p int, e *ending, limit, depth int) (v value, nested bool, q int) {
	b := d.text
	if p < len(b) {
		end, plain := p, true
		if b[p] != '<' {
			if end, plain = d.run(p, limit); end == stop {
				return v, false, stop
			}
		}
		if plain && end+1 < len(b) && b[end+1] == '/' {
			return value{from: p, to: end}, false, d.end(end+2, e)
		}
		if v, end, ok := d.wholeCDATA(p, end, limit); ok {
			if end != stop {
				end = d.end(end+2, e)
			}
			return v, false, end
		}
	}
	return d.mixed(p, e, limit, depth)
}

// wholeCDATA is the usual form of details: one CDATA section and nothing else.
// It returns the position of the end tag's "<".
func (d *Decoder) wholeCDATA(p, end, limit int) (v value, q int, ok bool) {
	b := d.text
	if end != p || !bytes.HasPrefix(b[p:], []byte("<![CDATA[")) {
		return v, 0, false
	}
	if v, q = d.cdata(p, limit); q == stop {
		return v, stop, true
	}
	ok = q+1 < len(b) && b[q] == '<' && b[q+1] == '/' && bytes.IndexByte(b[v.from:v.to], '\r') < 0
	return v, q, ok
}

// mixed is leaf for text in pieces; it gathers them in d.scratch.
func (d *Decoder) mixed(p int, e *ending, limit, depth int) (v value, nested bool, q int) {
	b := d.text
	v = value{from: len(d.scratch), decoded: true}
	for {
		if p+1 >= len(b) {
			return v, nested, d.fail(len(b), CodeSyntax, "the document ends inside %s", e.name)
		}
		start := p
		switch {
		case b[p] != '<':
			if p, _ = d.run(p, limit); p != stop {
				d.decode(start, p, false)
			}
		case b[p+1] == '/':
			v.to = len(d.scratch)
			return v, nested, d.end(p+2, e)
		case bytes.HasPrefix(b[p:], []byte("<![CDATA[")):
			var piece value
			if piece, p = d.cdata(p, limit); p != stop {
				d.scratch = appendLines(d.scratch, b[piece.from:piece.to])
			}
		case b[p+1] == '!':
			p = d.comment(p)
		case b[p+1] == '?':
			p = d.instruction(p)
		default:
			nested = true
			p = d.nested(p, depth+1)
		}
		if p == stop {
			return v, nested, stop
		}
		if len(d.scratch)-v.from > limit {
			return v, nested, d.fail(start, CodeTextLong, "the text of %s is longer than %d bytes", e.name, limit)
		}
	}
}

// nested reads over an element whose "<" is at p.
func (d *Decoder) nested(p, depth int) int {
	to := d.name(p + 1)
	if to == stop || !d.deep(p, depth) {
		return stop
	}
	return d.skip(p+1, to, depth)
}

// decode appends a piece of the document to d.scratch with its references
// resolved and its line ends made one; in an attribute, literal white space
// becomes spaces.
func (d *Decoder) decode(from, to int, attribute bool) value {
	v := value{from: len(d.scratch), decoded: true}
	out, b := d.scratch, d.text[:to]
	for p := from; p < to; {
		c := b[p]
		switch {
		case c == '&':
			n, r := d.reference(p)
			out = utf8.AppendRune(out, r)
			p += n
			continue
		case c == '\r':
			if p+1 < to && b[p+1] == '\n' {
				p++
			}
			c = '\n'
		}
		if attribute && class[c]&classSpace != 0 {
			c = ' '
		}
		out = append(out, c)
		p++
	}
	d.scratch = out
	v.to = len(out)
	return v
}

// appendLines appends CDATA with its line ends made one.
func appendLines(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '\r')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(append(dst, src[:i]...), '\n')
		if src = src[i+1:]; len(src) > 0 && src[0] == '\n' {
			src = src[1:]
		}
	}
}

// decodedLength is the length decode would give text.
func (d *Decoder) decodedLength(from, to int) int {
	mark := len(d.scratch)
	v := d.decode(from, to, false)
	d.scratch = d.scratch[:mark]
	return v.to - v.from
}

// reference reads "&name;", "&#10;" or "&#xA;" and returns its length and what
// it stands for.
func (d *Decoder) reference(p int) (n int, r rune) {
	b := d.text[p+1:]
	if len(b) > 0 && b[0] == '#' {
		return d.numeric(p)
	}
	for _, e := range [...]struct {
		name string
		r    rune
	}{{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}} {
		if len(b) >= len(e.name) && string(b[:len(e.name)]) == e.name {
			return len(e.name) + 1, e.r
		}
	}
	q := 0
	for q < len(b) && class[b[q]]&className != 0 {
		q++
	}
	if q > 0 && q < len(b) && b[q] == ';' {
		return d.fail(p, CodeSyntax, "unknown entity &%s;", shown(b[:q])), 0
	}
	return d.fail(p, CodeSyntax, "& that begins no reference; write &amp;"), 0
}

// numeric reads a character reference.
func (d *Decoder) numeric(p int) (n int, r rune) {
	b := d.text
	base, q := rune(10), p+2
	if q < len(b) && b[q] == 'x' {
		base, q = 16, q+1
	}
	first := q
	for ; q < len(b); q++ {
		digit := hexValue(b[q])
		if rune(digit) >= base {
			break
		}
		if r = r*base + rune(digit); r > utf8.MaxRune {
			r = utf8.MaxRune + 1 // stays above, however long
		}
	}
	if q == first || q == len(b) || b[q] != ';' {
		return d.fail(p, CodeSyntax, "a character reference is malformed"), 0
	}
	if !isXMLCharacter(r) {
		return d.fail(p, CodeCharacter, "a character reference names a character that XML doesn't have"), 0
	}
	return q + 1 - p, r
}

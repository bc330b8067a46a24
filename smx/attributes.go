package smx

import (
	"encoding/binary"
	"math/bits"
)

// value is an attribute's or element's text: a piece of the document as it
// stands, or of Decoder.scratch where it had to be decoded.
type value struct {
	from, to int
	decoded  bool
}

func (d *Decoder) bytes(v value) []byte {
	if v.decoded {
		return d.scratch[v.from:v.to]
	}
	return d.text[v.from:v.to]
}

// attributes reads the rest of a start tag from the end of its name on. Values
// of the vocabulary's words are left in d.values, d.have says which are there
// (bit i for word i). Words in the vocabulary's order and usual spelling take
// the short way.
func (d *Decoder) attributes(p int, words vocabulary) (q int, empty bool) {
	b := d.text
	d.have, d.strange, d.attributeCount = 0, d.strange[:0], 0
	for next := 0; ; {
		if p+17 > len(b) {
			return d.plainAttributes(p, words)
		}
		switch b[p] {
		case '>':
			return p + 1, false
		case '/':
			if b[p+1] == '>' {
				return p + 2, true
			}
		}
		x0, x1 := binary.LittleEndian.Uint64(b[p:]), binary.LittleEndian.Uint64(b[p+8:])
		for next < len(words) && !words[next].at(x0, x1) {
			next++
		}
		if next == len(words) {
			return d.plainAttributes(p, words)
		}
		// Each word at most once in this order: no duplicate can pass here.
		from := p + words[next].n
		p = skipPlainValue(b, from)
		if p < len(b) && b[p] == '"' && p-from <= MaxAttributeBytes {
			d.values[next], d.have = value{from: from, to: p}, d.have|1<<next
			p++
		} else if p = d.quoted(from, '"', next); p == stop {
			return stop, false
		}
		next++
		d.attributeCount++
	}
}

// plainAttributes is attributes for any order and spelling.
func (d *Decoder) plainAttributes(p int, words vocabulary) (q int, empty bool) {
	b := d.text
	for {
		start := p
		for p < len(b) && class[b[p]]&classSpace != 0 {
			p++
		}
		switch {
		case p >= len(b) || b[p] == '/' && p+1 == len(b):
			return d.fail(len(b), CodeSyntax, "the document ends inside a tag"), false
		case b[p] == '>':
			return p + 1, false
		case b[p] == '/' && b[p+1] == '>':
			return p + 2, true
		case p == start:
			return d.fail(p, CodeSyntax, "%s inside a tag where white space or its end belongs", d.glimpse(p)), false
		}
		if p = d.attribute(p, words); p == stop {
			return stop, false
		}
	}
}

// attribute reads one attribute.
func (d *Decoder) attribute(p int, words vocabulary) int {
	b := d.text
	to := d.name(p)
	if to == stop {
		return stop
	}
	if d.attributeCount++; d.attributeCount > MaxAttributes {
		return d.fail(p, CodeAttributes, "an element has more than %d attributes", MaxAttributes)
	}
	number := words.find(b[p:to])
	if !d.firstOfItsName(p, to, number) {
		return d.fail(p, CodeDuplicateAttr, "attribute %s appears twice", clip(b[p:to]))
	}
	q := d.space(to)
	if q == len(b) || b[q] != '=' {
		return d.fail(q, CodeSyntax, "attribute %s has no value", clip(b[p:to]))
	}
	q = d.space(q + 1)
	if q == len(b) || b[q] != '"' && b[q] != '\'' {
		return d.fail(q, CodeSyntax, "the value of attribute %s is not in quotes", clip(b[p:to]))
	}
	return d.quoted(q+1, b[q], number)
}

func (d *Decoder) space(p int) int {
	for p < len(d.text) && class[d.text[p]]&classSpace != 0 {
		p++
	}
	return p
}

// firstOfItsName is false when the element had the attribute already. Known
// words have a bit each, strange names (at most MaxAttributes) are compared.
func (d *Decoder) firstOfItsName(from, to, number int) bool {
	if number >= 0 {
		return d.have&(1<<number) == 0
	}
	for _, v := range d.strange {
		if string(d.text[v.from:v.to]) == string(d.text[from:to]) {
			return false
		}
	}
	d.strange = append(d.strange, value{from: from, to: to})
	return true
}

// quoted reads an attribute's value behind its opening quote and keeps it when
// it is a known word's.
func (d *Decoder) quoted(p int, quote byte, number int) int {
	q, plain := d.valueEnd(p, quote)
	if q == stop {
		return stop
	}
	v := value{from: p, to: q}
	if !plain {
		v = d.decode(p, q, true)
		if v.to-v.from > MaxAttributeBytes {
			return d.fail(p, CodeAttributeLong, "an attribute's value is longer than %d bytes", MaxAttributeBytes)
		}
	}
	if number >= 0 {
		d.values[number], d.have = v, d.have|1<<number
	}
	return q + 1
}

// valueEnd finds the closing quote. The value is plain when it stands for
// itself, and not longer than allowed.
func (d *Decoder) valueEnd(p int, quote byte) (q int, plain bool) {
	b := d.text
	plain = true
	for q = p; ; {
		if quote == '"' {
			q = skipPlainValue(b, q)
		}
		if q >= len(b) {
			return d.fail(len(b), CodeSyntax, "the document ends inside an attribute's value"), false
		}
		switch c := b[q]; {
		case c == quote:
			return q, plain && q-p <= MaxAttributeBytes
		case c == '<':
			return d.fail(q, CodeSyntax, "< inside an attribute's value; write &lt;"), false
		case c == '&':
			n, _ := d.reference(q)
			if n == stop {
				return stop, false
			}
			plain, q = false, q+n
		default:
			plain = plain && class[c]&classSpace == 0 || plain && c == ' '
			q++
		}
	}
}

// skipPlainValue goes over bytes that can be neither the closing double quote
// nor special inside a value, eight at a time.
func skipPlainValue(b []byte, q int) int {
	for q+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[q:])
		quote := x&^(ampBytes^quoteBytes) ^ quoteBytes // zero for " and for &
		less := x ^ lessBytes
		if m := ((quote-onesBytes)&^quote | (less-onesBytes)&^less | (x-spaceBytes)&^x) & highBits; m != 0 {
			return q + bits.TrailingZeros64(m)>>3
		}
		q += 8
	}
	return q
}

package smx

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// fault is a refusal whose place is still a position in Decoder.text.
type fault struct {
	code, detail string
	at           int
}

// fail notes why the whole document is refused.
func (d *Decoder) fail(p int, code, format string, args ...any) int {
	d.refusal = fault{code: code, detail: fmt.Sprintf(format, args...), at: p}
	return stop
}

// place is a position in the text that lines and columns have been counted up
// to. Records set aside come in order, so that counting stays linear.
type place struct {
	at           int   // byte offset in the text
	line, column int   // of that byte, from 0
	units        int64 // UTF-16 code units before it
}

// locate returns the error for a fault of this document. The subject, if any,
// names the record or report that the fault is about.
func (d *Decoder) locate(f fault, subject string) Error {
	c := &d.counted
	if f.at < c.at {
		*c = place{}
	}
	c.count(d.text[:min(f.at, len(d.text))])
	e := Error{Code: f.code, Line: c.line + 1, Column: c.column + 1, Offset: int64(d.bom) + int64(c.at)}
	if d.form != formUTF8 {
		e.Offset = int64(d.bom) + 2*c.units
	}
	where := fmt.Sprintf("line %d, column %d", e.Line, e.Column)
	if subject != "" {
		where = subject + " (" + where + ")"
	}
	e.Detail = where + ": " + f.detail
	return e
}

// count goes on to the end of text. A line ends at LF, CR or both together.
func (c *place) count(text []byte) {
	for i := c.at; i < len(text); i++ {
		b := text[i]
		if b&0xC0 == 0x80 {
			continue // inside a character
		}
		c.units++
		if b >= 0xF0 {
			c.units++
		}
		switch {
		case b == '\n' && i > 0 && text[i-1] == '\r':
		case b == '\n' || b == '\r':
			c.line, c.column = c.line+1, 0
		default:
			c.column++
		}
	}
	c.at = len(text)
}

// clipBytes is how much of a client's bytes an error quotes at most.
const clipBytes = 32

// clip quotes the beginning of a value.
func clip[T string | []byte](v T) string {
	if len(v) <= clipBytes {
		return strconv.Quote(string(v))
	}
	n := clipBytes
	for n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	quoted := strconv.Quote(string(v[:n]))
	return quoted[:len(quoted)-1] + `…"`
}

// shown is clip without the quotes, for names.
func shown[T string | []byte](v T) string {
	q := clip(v)
	return q[1 : len(q)-1]
}

// glimpse names the character at a position.
func (d *Decoder) glimpse(p int) string {
	if p >= len(d.text) {
		return "the end of the document"
	}
	r, _ := utf8.DecodeRune(d.text[p:])
	return strconv.QuoteRune(r)
}

package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"statewire/internal/parse"
)

// writer writes a small document: a root with attributes, and elements with attributes below it.
type writer struct {
	b    bytes.Buffer
	body bool   // the root's tag is closed
	name string // of the element that was opened last
}

func newWriter(root string) *writer {
	w := &writer{}
	w.b.WriteString("<" + root)
	return w
}

// open begins an element below the root.
func (w *writer) open(name string) {
	if !w.body {
		w.b.WriteString(">\n")
		w.body = true
	}
	w.b.WriteString(" <" + name)
	w.name = strings.TrimSpace(name)
}

func (w *writer) attr(name, value string) {
	w.b.WriteString(" " + name + `="`)
	_ = xml.EscapeText(&w.b, []byte(value)) // a buffer takes everything
	w.b.WriteByte('"')
}

// given writes an attribute that may be missing.
func (w *writer) given(name, value string) {
	if value != "" {
		w.attr(name, value)
	}
}

func (w *writer) number(name string, n uint64) { w.attr(name, numberText(n)) }

func (w *writer) time(name string, t time.Time) { w.attr(name, timeText(t)) }

// content ends an element with a text.
func (w *writer) content(text string) {
	w.b.WriteByte('>')
	_ = xml.EscapeText(&w.b, []byte(text)) // a buffer takes everything
	w.b.WriteString("</" + w.name + ">\n")
}

// element writes an element that is a text alone.
func (w *writer) element(name, text string) {
	w.open(name)
	w.content(text)
}

// empty ends an element that has attributes alone.
func (w *writer) empty() { w.b.WriteString("/>\n") }

func (w *writer) end(root string) []byte {
	if !w.body {
		w.b.WriteString("/>\n")
	} else {
		w.b.WriteString("</" + root + ">\n")
	}
	return w.b.Bytes()
}

// reader takes such a document apart, one element at a time.
type reader struct {
	dec  *xml.Decoder
	data []byte
	root *element
}

// newReader reads the root of a document.
func newReader(data []byte, root string) (*reader, error) {
	r := &reader{dec: xml.NewDecoder(bytes.NewReader(data)), data: data}
	for {
		token, err := r.dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read a %s: %w", root, unexpected(err))
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Space != "" || token.Name.Local != root {
				return nil, fmt.Errorf("the root element is %.40q and no %s", token.Name.Local, root)
			}
			r.root = newElement(token)
			return r, nil
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return nil, fmt.Errorf("text stands before the root element %s", root)
			}
		case xml.Directive:
			return nil, errors.New("a document type is not allowed")
		}
	}
}

// each gives every element of a name below the root to take, up to the end of the document. Other elements are passed
// over. An error of take ends the reading.
func (r *reader) each(name string, take func(*element) error) error {
	return r.all(func(found string, e *element) error {
		if found != name {
			return nil
		}
		return take(e)
	})
}

// all gives every element below the root to take, with its name.
func (r *reader) all(take func(name string, e *element) error) error {
	for {
		at := r.dec.InputOffset()
		token, err := r.dec.Token()
		if err != nil {
			return unexpected(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			text, err := r.skip()
			if err != nil {
				return err
			}
			if token.Name.Space != "" {
				continue
			}
			e := newElement(token)
			e.raw, e.body = bytes.TrimSpace(r.data[at:r.dec.InputOffset()]), text
			if err := take(token.Name.Local, e); err != nil {
				return err
			}
		case xml.EndElement:
			return r.rest()
		case xml.Directive:
			return errors.New("a document type is not allowed")
		}
	}
}

// skip reads to the end of an element, and is its own text.
func (r *reader) skip() (string, error) {
	var own strings.Builder
	for depth := 1; depth > 0; {
		token, err := r.dec.Token()
		if err != nil {
			return "", unexpected(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 1 {
				own.Write(token)
			}
		}
	}
	return own.String(), nil
}

// inner gives every element of a name that is directly within this one to take.
func (e *element) inner(name string, take func(*element) error) error {
	r := &reader{dec: xml.NewDecoder(bytes.NewReader(e.raw)), data: e.raw}
	if _, err := r.dec.Token(); err != nil { // its own tag
		return unexpected(err)
	}
	return r.each(name, take)
}

// rest is an error when something stands behind the root.
func (r *reader) rest() error {
	for {
		token, err := r.dec.Token()
		switch token := token.(type) {
		case nil:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return errors.New("text stands behind the root element")
			}
		case xml.Comment, xml.ProcInst:
		default:
			return errors.New("there is more than one root element")
		}
	}
}

// unexpected tells an end that comes too early from an end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// element is the attributes of one element. The first fault is kept, and what was asked for then is empty.
type element struct {
	attrs map[string]string
	raw   []byte
	body  string // its own text
	err   error
}

func newElement(start xml.StartElement) *element {
	e := &element{attrs: make(map[string]string, len(start.Attr))}
	for _, a := range start.Attr {
		if a.Name.Space != "" {
			continue
		}
		if _, twice := e.attrs[a.Name.Local]; twice {
			e.fail("%.40s comes twice", a.Name.Local)
		}
		e.attrs[a.Name.Local] = a.Value
	}
	return e
}

func (e *element) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

// text is an attribute of at most so many bytes; empty where it is missing.
func (e *element) text(name string, most int) string {
	value := e.attrs[name]
	if len(value) > most || !utf8.ValidString(value) {
		e.fail("%s has %d bytes; allowed are %d", name, len(value), most)
		return ""
	}
	return value
}

func (e *element) version(name string) {
	if got := e.attrs[name]; got != "1" {
		e.fail("%s is %.20q; this program reads 1", name, got)
	}
}

func (e *element) number(name string, most uint64) uint64 {
	n, err := strconv.ParseUint(e.attrs[name], 10, 64)
	if err != nil || n > most {
		e.fail("%s is %.40q; allowed is a number from 0 to %d", name, e.attrs[name], most)
		return 0
	}
	return n
}

func (e *element) time(name string) time.Time { return e.parseTime(name, e.attrs[name]) }

func (e *element) parseTime(name, text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		e.fail("%s is %.40q; allowed is a time such as 2026-11-28T22:00:00Z", name, text)
		return time.Time{}
	}
	return t.UTC()
}

// givenTime is a time that may be missing.
func (e *element) givenTime(name string) time.Time {
	if _, given := e.attrs[name]; !given {
		return time.Time{}
	}
	return e.time(name)
}

func (e *element) uuid(name string) uuid.UUID { return e.parseUUID(name, e.attrs[name]) }

func (e *element) parseUUID(name, text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		e.fail("%s is %.60q and no id", name, text)
		return uuid.Nil
	}
	return id
}

func (e *element) flag(name string) bool {
	switch e.attrs[name] {
	case "true":
		return true
	case "false", "":
	default:
		e.fail("%s is %.20q; allowed are true and false", name, e.attrs[name])
	}
	return false
}

func (e *element) signed(name string) int32 { return e.parseSigned(name, e.attrs[name]) }

func (e *element) parseSigned(name, text string) int32 {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		e.fail("%s is %.40q; allowed is a number of 32 bits", name, text)
	}
	return int32(n)
}

func (e *element) bodyNumber(name string, most uint64) uint64 {
	e.attrs[name] = e.body
	return e.number(name, most)
}

func (e *element) bodySigned(name string) int32 { return e.parseSigned(name, e.body) }

func (e *element) bodyText(name string, most int) string {
	e.attrs[name] = e.body
	return e.text(name, most)
}

func (e *element) client(name string) uuid.UUID {
	id, err := parse.ClientID(e.attrs[name])
	if err != nil || id == uuid.Nil {
		e.fail("%s is %.60q and no client id", name, e.attrs[name])
		return uuid.Nil
	}
	return id
}

// wrap is the first fault of a document.
func wrap(what string, root *element, err error) error {
	if root.err != nil {
		err = root.err
	}
	if err != nil {
		return fmt.Errorf("read a %s: %w", what, err)
	}
	return nil
}

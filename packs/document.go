package packs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"statewire/internal/parse"
	"statewire/smx"
	"statewire/trust"
)

// node is an element with its place.
type node struct {
	name         string
	line, column int
	attrs        []xml.Attr
	children     []*node
	text         string // its own, once it is read

	own strings.Builder
}

// attr is the value of an attribute.
func (n *node) attr(name string) (string, bool) {
	i := slices.IndexFunc(n.attrs, func(a xml.Attr) bool { return a.Name.Local == name })
	if i < 0 {
		return "", false
	}
	return n.attrs[i].Value, true
}

// all are the elements of a name in the element.
func (n *node) all(name string) (list []*node) {
	for _, child := range n.children {
		if child.name == name {
			list = append(list, child)
		}
	}
	return list
}

// one is the first element of a name in the element; nil when there is none.
func (n *node) one(name string) *node {
	if list := n.all(name); len(list) > 0 {
		return list[0]
	}
	return nil
}

// readNodes is the root of a document that is well-formed by the same rules as a report.
func readNodes(text []byte) (*node, error) {
	if len(text) > trust.MaxPackBytes {
		return nil, faultAt(1, 1, fmt.Sprintf("%d bytes; allowed are %d", len(text), trust.MaxPackBytes))
	}
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, faultAt(1, 1, "it is not UTF-8")
	}
	if _, err := smx.ReadTree(text); err != nil {
		if wrong, ok := errors.AsType[*smx.Error](err); ok {
			return nil, faultAt(max(1, wrong.Line), max(1, wrong.Column), wrong.Detail)
		}
		return nil, faultAt(1, 1, err.Error())
	}
	b := builder{dec: xml.NewDecoder(bytes.NewReader(text)), rest: text, line: 1, column: 1}
	return b.root()
}

// builder makes nodes of a document whose form was checked.
type builder struct {
	dec          *xml.Decoder
	rest         []byte // what follows the place
	at           int64  // the place
	line, column int    // of the place; columns count characters
}

func (b *builder) root() (*node, error) {
	var open []*node
	for {
		b.move(b.dec.InputOffset())
		token, err := b.dec.RawToken()
		if errors.Is(err, io.EOF) {
			return nil, faultAt(b.line, b.column, "the document ends too early")
		}
		if err != nil {
			return nil, faultAt(b.line, b.column, err.Error())
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := b.element(token)
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.children = append(parent.children, n)
			}
			open = append(open, n)
		case xml.EndElement:
			last := open[len(open)-1]
			if last.text = last.own.String(); len(open) == 1 {
				return last, nil
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].own.Write(token)
			}
		}
	}
}

func (b *builder) element(token xml.StartElement) *node {
	n := &node{name: join(token.Name), line: b.line, column: b.column, attrs: token.Copy().Attr}
	for i, a := range n.attrs {
		n.attrs[i].Name = xml.Name{Local: join(a.Name)}
	}
	return n
}

// join is a name with its prefix. No name of a pack has one.
func join(name xml.Name) string {
	if name.Space == "" {
		return name.Local
	}
	return name.Space + ":" + name.Local
}

// move goes on to a place of the document.
func (b *builder) move(to int64) {
	passed := b.rest[:to-b.at]
	b.rest, b.at = b.rest[to-b.at:], to
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		b.line += bytes.Count(passed, []byte("\n"))
		b.column, passed = 1, passed[last+1:]
	}
	b.column += utf8.RuneCount(passed)
}

// mostFaults is how many faults of a pack are told: whoever wrote it chose how many there are.
const mostFaults = 20

// faults are collected while a pack is read.
type faults struct{ list []Fault }

func (f *faults) fail(n *node, format string, args ...any) {
	if len(f.list) < mostFaults {
		f.list = append(f.list, Fault{n.line, n.column, fmt.Sprintf(format, args...)})
	}
}

// shape holds an element against what may stand in it: attributes, which are needed unless a ? follows, elements, of
// which one is needed, at most one may be (?) or any number (*), and whether it has a text.
func (f *faults) shape(n *node, attrs, children string, text bool) {
	f.attributes(n, strings.Fields(attrs))
	known := f.elements(n, strings.Fields(children))
	for _, child := range n.children {
		if !slices.Contains(known, child.name) {
			f.fail(child, "%.40q can't stand in %s%s", child.name, n.name, allowed(child.name, known))
		}
	}
	if !text && strings.Trim(n.text, " \t\r\n") != "" {
		f.fail(n, "%s can't have a text of its own", n.name)
	}
}

func (f *faults) attributes(n *node, specs []string) {
	var known []string
	for _, spec := range specs {
		name, optional := strings.CutSuffix(spec, "?")
		known = append(known, name)
		if _, given := n.attr(name); !given && !optional {
			f.fail(n, "%s needs the attribute %s", n.name, name)
		}
	}
	for _, a := range n.attrs {
		if !slices.Contains(known, a.Name.Local) {
			f.fail(n, "%s can't have the attribute %.40q%s", n.name, a.Name.Local, allowed(a.Name.Local, known))
		}
		if strings.ContainsAny(a.Value, "\r\n\t") {
			f.fail(n, "%s of %s can't have a line break or a tab", a.Name.Local, n.name)
		}
	}
}

func (f *faults) elements(n *node, specs []string) (known []string) {
	for _, spec := range specs {
		name := strings.TrimRight(spec, "?*")
		known = append(known, name)
		list := n.all(name)
		if len(list) == 0 && name == spec {
			f.fail(n, "%s needs an element %s", n.name, name)
		}
		if len(list) > 1 && !strings.HasSuffix(spec, "*") {
			f.fail(list[1], "a second %s in %s; allowed is one", name, n.name)
		}
	}
	return known
}

func allowed(word string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	if near := parse.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s? Allowed are %s", near, strings.Join(known, ", "))
	}
	return "; allowed are " + strings.Join(known, ", ")
}

func faultAt(line, column int, text string) error {
	return &Faults{List: []Fault{{line, column, text}}}
}

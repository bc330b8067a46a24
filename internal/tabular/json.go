package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// jsonRows writes a list of objects, or an object that holds the list between its head and its tail.
type jsonRows struct {
	out   *bufio.Writer
	names [][]byte
	list  string
	count int
}

func newJSON(out *bufio.Writer, columns []Column, o Options) (*jsonRows, error) {
	w := &jsonRows{out: out, names: jsonNames(columns), list: o.List}
	if o.List == "" {
		_, err := out.WriteString("[")
		return w, err
	}
	out.WriteByte('{')
	for _, f := range append(o.Head, Field{o.List, nil}) {
		text, err := marshal(f.Name)
		if err != nil {
			return nil, err
		}
		out.Write(append(text, ": "...))
		if f.Name == o.List {
			break
		}
		if text, err = marshal(f.Value); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out.Write(append(text, ", "...))
	}
	return w, out.WriteByte('[')
}

func (w *jsonRows) row(values []any) error {
	lead := ",\n  "
	if w.count++; w.count == 1 {
		lead = lead[1:]
	}
	w.out.WriteString(lead)
	return writeObject(w.out, w.names, values)
}

func (w *jsonRows) end(tail []Field) error {
	if w.count > 0 {
		w.out.WriteByte('\n')
	}
	w.out.WriteByte(']')
	if w.list != "" {
		for _, f := range tail {
			w.out.WriteString(", ")
			w.out.Write(append(jsonOf(f.Name), ": "...))
			w.out.Write(jsonOf(f.Value))
		}
		w.out.WriteByte('}')
	}
	w.out.WriteByte('\n') // bufio keeps the first error for Flush
	return w.out.Flush()
}

// jsonLines writes an object per line.
type jsonLines struct {
	out   *bufio.Writer
	names [][]byte
}

func (w *jsonLines) row(values []any) error {
	if err := writeObject(w.out, w.names, values); err != nil {
		return err
	}
	return w.out.WriteByte('\n')
}

func (w *jsonLines) end([]Field) error { return w.out.Flush() }

// jsonNames are the columns' names as JSON, made once.
func jsonNames(columns []Column) [][]byte {
	names := make([][]byte, len(columns))
	for i, c := range columns {
		names[i] = jsonOf(c.Name)
	}
	return names
}

// writeObject keeps the columns in their order, which a map would not.
func writeObject(out *bufio.Writer, names [][]byte, values []any) error {
	out.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			out.WriteString(", ")
		}
		out.Write(names[i])
		out.WriteString(": ")
		text, err := marshal(v)
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		out.Write(text)
	}
	return out.WriteByte('}')
}

// jsonOf is a value as JSON, null when it has none.
func jsonOf(v any) []byte {
	text, err := marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}

// marshal writes a plain value as JSON, safe for terminals. Numbers stay numbers up to 64 bits; what JSON has no number
// for (nan, inf) becomes null.
func marshal(v any) ([]byte, error) {
	switch x := v.(type) {
	case time.Time:
		v = TimeText(x)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return []byte("null"), nil
		}
	case []any:
		return marshalList(x)
	case Object:
		return marshalObject(x)
	case string:
		v = strings.ToValidUTF8(x, "\ufffd")
	}
	text, err := json.Marshal(v) // also writes <, > and & as \u003c…, harmless inside a page
	return escaped(text), err
}

func marshalList(list []any) ([]byte, error) {
	parts := make([][]byte, len(list))
	for i, item := range list {
		text, err := marshal(item)
		if err != nil {
			return nil, err
		}
		parts[i] = text
	}
	return append(append([]byte{'['}, bytes.Join(parts, []byte{','})...), ']'), nil
}

func marshalObject(o Object) ([]byte, error) {
	parts := make([][]byte, len(o))
	for i, f := range o {
		text, err := marshal(f.Value)
		if err != nil {
			return nil, err
		}
		parts[i] = append(append(jsonOf(f.Name), ':'), text...)
	}
	return append(append([]byte{'{'}, bytes.Join(parts, []byte{','})...), '}'), nil
}

// escaped writes what is not printable as \u escapes: outside its texts JSON has nothing of the kind but line ends.
func escaped(text []byte) []byte {
	if !bytes.ContainsFunc(text, hidden) {
		return text
	}
	var out bytes.Buffer
	for _, c := range string(text) {
		switch {
		case !hidden(c):
			out.WriteRune(c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	return out.Bytes()
}

func hidden(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }

// WriteJSON writes any value as JSON that is safe for terminals, in one line or indented.
func WriteJSON(w io.Writer, v any, indented bool) error {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	if indented {
		out.SetIndent("", "  ")
	}
	if err := out.Encode(v); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	if _, err := w.Write(escaped(text.Bytes())); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

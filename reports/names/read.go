package names

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"statewire/internal/parse"
	"statewire/internal/tabular"
)

// List is what files say, as far as it is well formed: loading it may still be refused.
type List struct {
	Lines   []Line   `json:"lines"`
	Columns []string `json:"columns"` // that some file has, topic_id and topic_type aside
}

// Line is an entry with the columns that its file has: what it has not stays as it is.
type Line struct {
	Entry
	Given []string `json:"given"`
	Place string   `json:"place"` // file and line, for errors
}

// LineError is a line that is wrong. Nothing of any file is loaded then.
type LineError struct {
	File   string
	Line   int
	Reason string
}

func (e *LineError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %s; nothing is loaded", e.Line, e.Reason)
	}
	return fmt.Sprintf("%.200s: line %d: %s; nothing is loaded", e.File, e.Line, e.Reason)
}

// ErrTooLarge is in the chain of an error about more names than are taken at a time.
var ErrTooLarge = errors.New("the names have more bytes than are taken at a time")

// Reader reads files of names, CSV or JSON lines, into one list.
type Reader struct {
	list   List
	bytes  int
	places map[key]string
}

// List is what was read.
func (r *Reader) List() List { return r.list }

// Read adds a file. Its first wrong line is a *LineError.
func (r *Reader) Read(file string, from io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(from, int64(MaxBytes-r.bytes)+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if r.bytes += len(text); r.bytes > MaxBytes {
		return fmt.Errorf("%w: %d MiB; load them in several parts", ErrTooLarge, MaxBytes>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := readable(file, text); err != nil {
		return err
	}
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return r.jsonLines(file, text)
	}
	return r.csv(file, text)
}

// readable says what a file is that is not read: spreadsheets save several kinds.
func readable(file string, text []byte) error {
	start := bytes.TrimLeft(text, " \t\r\n")
	switch {
	case len(start) == 0:
		return &LineError{file, 1, "the file is empty; write a line with the columns' names, or JSON lines"}
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return &LineError{file, 1, "the file is UTF-16; save it as UTF-8"}
	case start[0] == '[':
		return &LineError{file, 1, "the file is one JSON list; write JSON lines, an object in each line"}
	}
	if at := invalidUTF8(text); at >= 0 {
		return &LineError{file, 1 + bytes.Count(text[:at], []byte("\n")), "it is no UTF-8; save the file as UTF-8"}
	}
	return nil
}

// invalidUTF8 is where the first byte lies that is no UTF-8; -1 where all is.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; at < len(text); {
		c, size := utf8.DecodeRune(text[at:])
		if c == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

func (r *Reader) csv(file string, text []byte) error {
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil {
		return csvError(file, err)
	}
	if err := checkHead(head); err != nil {
		return &LineError{file, 1, err.Error()}
	}
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvError(file, err)
		}
		line, _ := in.FieldPos(0)
		if len(fields) != len(head) {
			return &LineError{file, line, fmt.Sprintf("it has %d fields, the first line names %d columns", len(fields),
				len(head))}
		}
		var e Entry
		for i, name := range head {
			if err := e.set(name, withoutGuard(fields[i])); err != nil {
				return &LineError{file, line, err.Error()}
			}
		}
		if err := r.add(file, line, e, head); err != nil {
			return err
		}
	}
}

// withoutGuard takes away the apostrophe that keeps a spreadsheet from running a cell that we wrote.
func withoutGuard(cell string) string {
	if bare, ok := strings.CutPrefix(cell, "'"); ok && tabular.SpreadsheetSafe(bare) == cell {
		return bare
	}
	return cell
}

func csvError(file string, err error) error {
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return &LineError{file, wrong.Line, "it is no CSV: " + wrong.Err.Error()}
	}
	return fmt.Errorf("read %s: %w", file, err)
}

func checkHead(head []string) error {
	for i, name := range head {
		switch {
		case !slices.Contains(Columns(), name):
			return unknownColumn(name)
		case slices.Contains(head[:i], name):
			return fmt.Errorf("the column %s is there twice", name)
		}
	}
	for _, name := range []string{"topic_id", "title"} {
		if !slices.Contains(head, name) {
			return fmt.Errorf("the column %s is missing", name)
		}
	}
	return nil
}

func unknownColumn(name string) error {
	why := fmt.Sprintf("there is no column %.40q; the columns are %s", name, strings.Join(Columns(), ", "))
	if strings.ContainsAny(name, ";\t") {
		return errors.New(why + "; separate them by commas")
	}
	if near := parse.Nearest(name, Columns()); near != "" {
		why += "; did you mean " + near + "?"
	}
	return errors.New(why)
}

func (r *Reader) jsonLines(file string, text []byte) error {
	line := 0
	for object := range bytes.Lines(text) {
		line++
		if object = bytes.TrimSpace(object); len(object) == 0 {
			continue
		}
		e, given, err := jsonEntry(object)
		if err != nil {
			return &LineError{file, line, err.Error()}
		}
		if err := r.add(file, line, e, given); err != nil {
			return err
		}
	}
	return nil
}

// jsonEntry reads one object. A member that is there twice is refused: readers of JSON disagree on which one counts.
func jsonEntry(object []byte) (e Entry, given []string, err error) {
	in := json.NewDecoder(bytes.NewReader(object))
	in.UseNumber()
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		return e, nil, errors.New("it is no JSON object")
	}
	for in.More() {
		name, value, err := member(in)
		if err != nil {
			return e, nil, err
		}
		if !slices.Contains(Columns(), name) {
			return e, nil, unknownColumn(name)
		}
		if slices.Contains(given, name) {
			return e, nil, fmt.Errorf("the member %s is there twice", name)
		}
		given = append(given, name)
		if err := e.set(name, value); err != nil {
			return e, nil, err
		}
	}
	if _, err := in.Token(); err != nil {
		return e, nil, errors.New("its JSON object has no end")
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return e, nil, errors.New("more follows the JSON object")
	}
	for _, name := range []string{"topic_id", "title"} {
		if !slices.Contains(given, name) {
			return e, nil, fmt.Errorf("the member %s is missing", name)
		}
	}
	return e, given, nil
}

// member reads a name and its value: text, a number, or null for nothing.
func member(in *json.Decoder) (name, value string, err error) {
	first, err := in.Token()
	if err != nil {
		return "", "", errors.New("it is no JSON object")
	}
	name, _ = first.(string)
	second, err := in.Token()
	if err != nil {
		return "", "", errors.New("it is no JSON object")
	}
	switch v := second.(type) {
	case string:
		return name, v, nil
	case json.Number:
		return name, v.String(), nil
	case nil:
		return name, "", nil
	}
	return "", "", fmt.Errorf("the member %.40q has to be text", name)
}

// add takes an entry that is well formed.
func (r *Reader) add(file string, line int, e Entry, given []string) error {
	wrong := func(format string, args ...any) error { return &LineError{file, line, fmt.Sprintf(format, args...)} }
	place := fmt.Sprintf("line %d", line)
	if file != "" {
		place = fmt.Sprintf("%.200s: line %d", file, line)
	}
	switch before, twice := r.places[e.key()]; {
	case e.TopicID == "":
		return wrong("topic_id is empty")
	case e.Title == "" && e.Group == "" && e.Target == "":
		return wrong("title is empty; write one, or leave the line out")
	case twice:
		return wrong("topic_id %.80q has been named already, by %s", e.TopicID, before)
	case len(r.list.Lines) == MaxEntries:
		return wrong("more than %d ids; load them in several parts", MaxEntries)
	}
	if r.places == nil {
		r.places = map[key]string{}
	}
	r.places[e.key()] = place
	r.list.Lines = append(r.list.Lines, Line{Entry: e, Given: given, Place: place})
	for _, name := range given {
		if name != "topic_id" && name != "topic_type" && !slices.Contains(r.list.Columns, name) {
			r.list.Columns = append(r.list.Columns, name)
		}
	}
	return nil
}

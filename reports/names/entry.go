package names

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is loaded at a time.
const (
	MaxBytes   = 32 << 20
	MaxEntries = 100_000

	maxTitle = 300 // characters
	maxID    = 1024
	maxWord  = 100
	maxURL   = 2000
)

// Kinds are what compliance is asked about.
var Kinds = []string{"update", "deployment", "baseline", "scan", "other"}

// Entry is what a person says of a topic id, for one topic type or, with type 0, for all.
type Entry struct {
	TopicID      string `json:"topic_id"`
	TopicType    uint32 `json:"topic_type,omitempty"`
	Title        string `json:"title,omitempty"`
	Kind         string `json:"kind,omitempty"`
	Article      string `json:"article,omitempty"`
	Severity     string `json:"severity,omitempty"`
	Released     string `json:"released,omitempty"` // 2006-01-02
	URL          string `json:"url,omitempty"`
	Group        string `json:"group,omitempty"`
	Target       string `json:"target,omitempty"` // name of a collection
	SupersededBy string `json:"superseded_by,omitempty"`
}

// key is what an entry is about.
type key struct {
	id        string
	topicType uint32
}

func (e Entry) key() key { return key{e.TopicID, e.TopicType} }

// empty tells an entry that says nothing.
func (e Entry) empty() bool { return e == Entry{TopicID: e.TopicID, TopicType: e.TopicType} }

// column is a field of an entry as a file has it.
type column struct {
	name  string
	most  int // characters
	of    func(*Entry) *string
	check func(string) error // of what is not empty; nil: any text
}

// columns are all but topic_type, in the order of the file.
var columns = []column{
	{"topic_id", maxID, func(e *Entry) *string { return &e.TopicID }, nil},
	{"title", maxTitle, func(e *Entry) *string { return &e.Title }, nil},
	{"kind", maxWord, func(e *Entry) *string { return &e.Kind }, checkKind},
	{"article", maxWord, func(e *Entry) *string { return &e.Article }, nil},
	{"severity", maxWord, func(e *Entry) *string { return &e.Severity }, nil},
	{"released", maxWord, func(e *Entry) *string { return &e.Released }, checkDate},
	{"url", maxURL, func(e *Entry) *string { return &e.URL }, checkURL},
	{"group", maxWord, func(e *Entry) *string { return &e.Group }, nil},
	{"target", maxWord, func(e *Entry) *string { return &e.Target }, checkTarget},
	{"superseded_by", maxID, func(e *Entry) *string { return &e.SupersededBy }, nil},
}

// Columns are the names of a file's columns, in the order in which one is written.
func Columns() []string {
	out := make([]string, 0, len(columns)+1)
	for _, c := range columns {
		if out = append(out, c.name); c.name == "title" {
			out = append(out, "topic_type")
		}
	}
	return out
}

func columnOf(name string) (column, bool) {
	i := slices.IndexFunc(columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}, false
	}
	return columns[i], true
}

// set takes a value of a file.
func (e *Entry) set(name, value string) error {
	if name == "topic_type" {
		return e.setType(value)
	}
	c, ok := columnOf(name)
	if !ok {
		return fmt.Errorf("there is no column %.40q", name)
	}
	if name != "topic_id" && name != "superseded_by" {
		value = strings.TrimSpace(value) // an id is what it is
	}
	if err := checkText(value, c.most); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	if c.check != nil && value != "" {
		if err := c.check(value); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	*c.of(e) = value
	return nil
}

func (e *Entry) setType(value string) error {
	if value == "" {
		e.TopicType = 0
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return fmt.Errorf("topic_type is %.20q; write a number such as 500, or nothing for every type", value)
	}
	e.TopicType = uint32(n)
	return nil
}

// checkText refuses what no name has: a title is text from outside, and shown everywhere.
func checkText(text string, most int) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("is no UTF-8")
	}
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("has %d characters, at most %d are taken", n, most)
	}
	if at := strings.IndexFunc(text, forbidden); at >= 0 {
		c, _ := utf8.DecodeRuneInString(text[at:])
		return fmt.Errorf("has the control character %U", c)
	}
	return nil
}

// forbidden are control characters, ends of lines, and marks that turn the direction of what follows.
func forbidden(c rune) bool {
	return unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || c >= '\u202a' && c <= '\u202e' ||
		c >= '\u2066' && c <= '\u2069'
}

func checkKind(text string) error {
	if !slices.Contains(Kinds, text) {
		return fmt.Errorf("is %.40q; write %s", text, strings.Join(Kinds, ", "))
	}
	return nil
}

func checkDate(text string) error {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.Year() < 1970 || at.Year() > 2148 {
		return fmt.Errorf("is %.40q; write a date such as 2026-11-10", text)
	}
	return nil
}

func checkURL(text string) error {
	if !webAddress.MatchString(text) {
		return fmt.Errorf("is %.80q; write an address that begins with https:// or http://", text)
	}
	return nil
}

var webAddress = regexp.MustCompile(`^https?://[^\s"'<>\\]+$`)

func checkTarget(text string) error {
	if !collectionName.MatchString(text) {
		return fmt.Errorf("is %.80q, which cannot be a collection's name; `statewire collection list` shows them", text)
	}
	return nil
}

// collectionName is the form of collections' names.
var collectionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// release is the date of an entry; nil where it has none.
func (e Entry) release() *time.Time {
	at, err := time.Parse(time.DateOnly, e.Released)
	if err != nil {
		return nil
	}
	return &at
}

// Values are the fields of an entry in the order of Columns. Type 0, which is every type, is empty.
func (e Entry) Values() []any {
	values := make([]any, 0, len(columns)+1)
	for _, c := range columns {
		if values = append(values, *c.of(&e)); c.name == "title" {
			var topicType any
			if e.TopicType != 0 {
				topicType = e.TopicType
			}
			values = append(values, topicType)
		}
	}
	return values
}

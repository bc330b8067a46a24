package packs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"statewire/internal/parse"
)

// Type is what a parameter's values are.
type Type string

// The types of parameters.
const (
	String   Type = "string"
	Int      Type = "int"
	Bool     Type = "bool"
	Enum     Type = "enum"
	Duration Type = "duration" // 90s, 15m, 72h or 7d
	GUID     Type = "guid"
)

// Parameter is what a task or a rule may be given.
type Parameter struct {
	Name        string
	Type        Type
	MaxLength   int      // of a string, in characters
	Pattern     string   // of a string: RE2, for the whole of it
	Min, Max    int64    // of an int; of a duration in nanoseconds
	Values      []string // of an enum
	Default     string
	HasDefault  bool
	Required    bool // it must be given
	Overridable bool // it may be given
}

// Value is a parameter with its value.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// What is wrong with a value that was given.
const (
	BadParameter   = "bad_parameter"
	NotOverridable = "not_overridable"
)

// ValueError says which parameter may not have the value that it was given.
type ValueError struct {
	Code   string // BadParameter or NotOverridable
	Name   string
	Detail string // what is wrong, and what is allowed; it does not repeat the value
}

func (e *ValueError) Error() string { return fmt.Sprintf("%s %.80q: %s", e.Code, e.Name, e.Detail) }

// Values are the values that a task runs with: those that were given, and the defaults of the others, in the order of
// the parameters. Only what was given is sent to a client: it fills in the defaults itself. The error is a *ValueError.
func (t Task) Values(given []Value) ([]Value, error) {
	for i, v := range given {
		if err := t.may(v); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(given[:i], func(other Value) bool { return other.Name == v.Name }) {
			return nil, &ValueError{BadParameter, v.Name, "is given twice"}
		}
	}
	var all []Value
	size := 0
	for _, p := range t.Parameters {
		i := slices.IndexFunc(given, func(v Value) bool { return v.Name == p.Name })
		switch {
		case i >= 0:
			all = append(all, given[i])
		case p.HasDefault:
			all = append(all, Value{p.Name, p.Default})
		case p.Required:
			return nil, &ValueError{BadParameter, p.Name, "is missing: the task needs it"}
		default:
			continue
		}
		if size += len(all[len(all)-1].Value); size > maxValuesBytes {
			return nil, &ValueError{BadParameter, p.Name, fmt.Sprintf("makes more than %d bytes of all values together",
				maxValuesBytes)}
		}
	}
	return all, nil
}

// may says whether the task may be given a value.
func (t Task) may(v Value) error {
	i := slices.IndexFunc(t.Parameters, func(p Parameter) bool { return p.Name == v.Name })
	if i < 0 {
		return &ValueError{BadParameter, v.Name, "is no parameter of the task" + allowed(v.Name, t.given())}
	}
	p := t.Parameters[i]
	if !p.Overridable {
		return &ValueError{NotOverridable, v.Name, "has the value that its pack says; it can't be given"}
	}
	if wrong := p.check(v.Value); wrong != "" {
		return &ValueError{BadParameter, v.Name, wrong}
	}
	return nil
}

// given are the names of what the task may be given.
func (t Task) given() (names []string) {
	for _, p := range t.Parameters {
		if p.Overridable {
			names = append(names, p.Name)
		}
	}
	return names
}

// check says what is wrong with a value; empty when nothing is.
func (p Parameter) check(value string) string {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unfit) {
		return "has a character that no parameter can have"
	}
	ok, want := true, ""
	switch p.Type {
	case String:
		re, err := anchored(p.Pattern)
		ok = err == nil && re.MatchString(value) && utf8.RuneCountInString(value) <= p.MaxLength
		want = fmt.Sprintf("a text of at most %d characters that is as a whole like %s", p.MaxLength, p.Pattern)
	case Int:
		n, err := wholeNumber(value)
		ok = err == nil && n >= p.Min && n <= p.Max
		want = fmt.Sprintf("a whole number from %d to %d", p.Min, p.Max)
	case Bool:
		ok, want = value == "true" || value == "false", "true or false"
	case Enum:
		ok, want = slices.Contains(p.Values, value), strings.Join(p.Values, ", ")
	case Duration:
		d, err := wholeDuration(value)
		ok = err == nil && int64(d) >= p.Min && int64(d) <= p.Max
		want = fmt.Sprintf("a duration such as 90s, 15m, 72h or 7d, from %v to %v", time.Duration(p.Min),
			time.Duration(p.Max))
	case GUID:
		_, err := uuid.Parse(value)
		ok, want = err == nil && len(value) == len(uuid.Nil.String()), "a GUID such as "+uuid.Nil.String()
	default:
		return "is of a type that this version does not know"
	}
	if !ok {
		return "must be " + want
	}
	return ""
}

// unfit are the characters that XML or an environment can't carry.
func unfit(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

var durationForm = regexp.MustCompile(`^[0-9]{1,12}[smhd]$`)

// wholeDuration reads a number with one unit.
func wholeDuration(text string) (time.Duration, error) {
	if !durationForm.MatchString(text) {
		return 0, errors.New("not a number with a unit")
	}
	return parse.Duration(text)
}

// Fill is the command's arguments, each $(Name) replaced by its value. A value stays within its argument, and what it
// says is not looked at again.
func (c *Command) Fill(values []Value) []string {
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = reference.ReplaceAllStringFunc(arg, func(found string) string {
			name := found[2 : len(found)-1]
			at := slices.IndexFunc(values, func(v Value) bool { return v.Name == name })
			if at < 0 {
				return ""
			}
			return values[at].Value
		})
	}
	return args
}

// Environment has a variable SW_Name for each value.
func Environment(values []Value) []string {
	env := make([]string, len(values))
	for i, v := range values {
		env[i] = "SW_" + v.Name + "=" + v.Value
	}
	return env
}

package parse

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// ParamError says which parameter of a query was refused, and why.
type ParamError struct{ Name, Reason string }

func (e *ParamError) Error() string { return fmt.Sprintf("parameter %.40q %s", e.Name, e.Reason) }

// Query reads the query of an address. Where url.ParseQuery leaves out what it cannot read, this refuses it: the first
// such parameter is a *ParamError.
func Query(raw string) (url.Values, error) {
	values := url.Values{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		name, err := unescape(key)
		if err != nil {
			return nil, &ParamError{key, err.Error()}
		}
		if strings.Contains(part, ";") {
			return nil, &ParamError{name, "holds a semicolon; write it as %3B, and & between parameters"}
		}
		text, err := unescape(value)
		if err != nil {
			return nil, &ParamError{name, err.Error()}
		}
		values[name] = append(values[name], text)
	}
	return values, nil
}

func unescape(text string) (string, error) {
	out, err := url.QueryUnescape(text)
	if err != nil {
		return "", fmt.Errorf("has a bad escape in %.40q; allowed is %% with two hex digits, and %%25 is a percent sign",
			text)
	}
	if !utf8.ValidString(out) {
		return "", fmt.Errorf("is not UTF-8 text")
	}
	return out, nil
}

// Known refuses a query with other parameters than these, and one that gives one of them twice. The error is a
// *ParamError.
func Known(query url.Values, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return &ParamError{name, "is unknown; " + allowed(name, known)}
		}
		if len(query[name]) > 1 {
			return &ParamError{name, "is given more than once"}
		}
	}
	return nil
}

func allowed(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "none is allowed here"
	}
	return "allowed are " + strings.Join(known, ", ")
}

package reports

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"statewire/internal/parse"
)

// Param is one typed parameter of a report. Its value reaches the engine beside the query, never inside its text.
type Param struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"` // ClickHouse type
	Default     string   `json:"default"`
	Required    bool     `json:"required"`          // true when the file gives no default
	Allowed     []string `json:"allowed,omitempty"` // when set, the only values accepted
	Low         string   `json:"low,omitempty"`     // when set with High, the range accepted
	High        string   `json:"high,omitempty"`
	Description string   `json:"description"`
}

// ParamError says which parameter of which report was refused, and why.
type ParamError struct{ Report, Param, Reason string }

func (e *ParamError) Error() string {
	return fmt.Sprintf("report %s: parameter %s %s", e.Report, e.Param, e.Reason)
}

// maxParamBytes bounds one parameter's text.
const maxParamBytes = 4096

const typeList = "UInt8, UInt16, UInt32, UInt64, Int32, Int64, Float64, Bool, String, UUID, Date, DateTime or " +
	"DateTime64(3,'UTC')"

var (
	dateTime64Form = regexp.MustCompile(`^DateTime64\([0-9](,'UTC')?\)$`)
	paramForm      = regexp.MustCompile(
		`^([a-z][a-z0-9_]*)\s+(\S+?)\s*(?:=\s*('[^']*'|[^\s:']+))?\s*(?:in\s+((?:'[^']*'|[^:'])+?))?\s*:\s*(.*)$`)
	plainTypes = []string{"UInt8", "UInt16", "UInt32", "UInt64", "Int32", "Int64", "Float64", "Bool", "String", "UUID",
		"Date", "DateTime"}
)

func knownType(t string) bool {
	return slices.Contains(plainTypes, t) || dateTime64Form.MatchString(t)
}

// param reads `name Type [= default] [in a, b | in low..high]: description`.
func (h *headerReader) param(n int, text string) error {
	m := paramForm.FindStringSubmatch(text)
	if m == nil {
		return h.errorf(n, "write `-- param name Type [= default] [in a, b | in low..high]: description`")
	}
	p := Param{Name: m[1], Type: m[2], Default: unquote(m[3]), Required: m[3] == "", Description: m[5]}
	if !knownType(p.Type) {
		return h.errorf(n, "parameter %s has type %.40q: use %s", p.Name, p.Type, typeList)
	}
	if reserved(p.Name) {
		return h.errorf(n, "the name %s is taken: rename the parameter", p.Name)
	}
	if low, high, ok := strings.Cut(m[4], ".."); ok {
		p.Low, p.High = strings.TrimSpace(low), strings.TrimSpace(high)
	} else {
		for _, a := range splitOutside(m[4], ',') {
			p.Allowed = append(p.Allowed, unquote(strings.TrimSpace(a)))
		}
	}
	if !p.Required {
		if _, err := p.value(p.Default); err != nil {
			return h.errorf(n, "parameter %s: the default is refused: %v", p.Name, err)
		}
	}
	if slices.ContainsFunc(h.report.Params, func(o Param) bool { return o.Name == p.Name }) {
		return h.errorf(n, "parameter %s is declared twice", p.Name)
	}
	h.report.Params = append(h.report.Params, p)
	h.more = appendTo(&h.report.Params[len(h.report.Params)-1].Description)
	return nil
}

// reserved are names the API, the page cursor and the output formats use themselves.
func reserved(name string) bool {
	return slices.Contains([]string{"format", "limit", "cursor", "param", "after", "page_rows", isDetails}, name) ||
		strings.HasPrefix(name, "after_")
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}

// value checks one value and returns the text the engine reads for it.
func (p Param) value(text string) (string, error) {
	if len(text) > maxParamBytes {
		return "", fmt.Errorf("is longer than %d bytes", maxParamBytes)
	}
	if !utf8.ValidString(text) {
		return "", errors.New("is not UTF-8 text")
	}
	if p.Type != "String" {
		text = strings.TrimSpace(text)
	}
	if len(p.Allowed) > 0 && !slices.Contains(p.Allowed, text) {
		why := "has to be one of: " + strings.Join(p.Allowed, ", ")
		if near := parse.Nearest(text, p.Allowed); near != "" {
			why += "; did you mean " + near + "?"
		}
		return "", errors.New(why)
	}
	out, err := parseAs(p.Type, text)
	if err != nil {
		return "", err
	}
	return out, p.inRange(out)
}

func (p Param) inRange(text string) error {
	if p.Low == "" {
		return nil
	}
	v, err1 := strconv.ParseFloat(text, 64)
	low, err2 := strconv.ParseFloat(p.Low, 64)
	high, err3 := strconv.ParseFloat(p.High, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("range %s..%s: only numbers have one", p.Low, p.High)
	}
	if v < low || v > high {
		return fmt.Errorf("has to be from %s to %s", p.Low, p.High)
	}
	return nil
}

// parseAs checks that text is a value of a ClickHouse type and writes it the way the engine reads it.
func parseAs(typ, text string) (string, error) {
	switch {
	case typ == "String":
		return text, nil
	case strings.HasPrefix(typ, "UInt"):
		bits, _ := strconv.Atoi(typ[len("UInt"):])
		return checked(text, func() (err error) { _, err = strconv.ParseUint(text, 10, bits); return },
			"has to be a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-bits))
	case strings.HasPrefix(typ, "Int"):
		bits, _ := strconv.Atoi(typ[len("Int"):])
		return checked(text, func() (err error) { _, err = strconv.ParseInt(text, 10, bits); return },
			"has to be a whole number of %d bits", bits)
	case typ == "Float64":
		return checked(text, func() (err error) { _, err = parse.Float(text); return },
			"has to be a number such as 12, 0.5 or 1e6")
	case typ == "Bool":
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return "", errors.New("has to be true or false")
		}
		return strconv.FormatBool(b), nil
	case typ == "UUID":
		id, err := parse.ClientID(text)
		if err != nil {
			return "", err
		}
		return id.String(), nil
	}
	return parseTime(typ, text)
}

func checked(text string, parse func() error, format string, args ...any) (string, error) {
	if parse() != nil {
		return "", fmt.Errorf(format, args...)
	}
	return text, nil
}

// timeRange is the first and the last second that a type of the engine can hold; beyond them it wraps around or cuts.
func timeRange(typ string) (first, last time.Time) {
	day := func(year, month, day int) time.Time {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	}
	switch typ {
	case "Date":
		return day(1970, 1, 1), day(2149, 6, 6)
	case "DateTime":
		return time.Unix(0, 0).UTC(), time.Unix(math.MaxUint32, 0).UTC()
	case "DateTime64(9)", "DateTime64(9,'UTC')":
		return day(1900, 1, 1), day(2262, 4, 11)
	}
	return day(1900, 1, 1), day(2300, 1, 1).Add(-time.Second)
}

// parseTime writes a time as the engine reads it; without an offset it is UTC.
func parseTime(typ, text string) (string, error) {
	t, err := parse.Time(text)
	if err != nil {
		return "", err
	}
	first, last := timeRange(typ)
	if t.Before(first) || t.Truncate(time.Second).After(last) {
		return "", fmt.Errorf("has to be a time from %s to %s", first.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	switch typ {
	case "Date":
		return t.Format(time.DateOnly), nil
	case "DateTime":
		return t.Format(time.DateTime), nil
	}
	digits := int(typ[len("DateTime64(")] - '0')
	return t.Format(strings.TrimSuffix(time.DateTime+"."+strings.Repeat("0", digits), ".")), nil
}

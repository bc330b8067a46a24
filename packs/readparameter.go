package packs

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of parameters.
const (
	maxParameters  = 10 // of a task or a rule
	maxLength      = 4096
	maxPattern     = 1000
	maxValuesBytes = 16 << 10 // of all values of a task

	maxDuration = 36_500 * 24 * time.Hour
)

var parameterForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// types say what each type of parameter may have besides what all may.
var types = map[Type]string{String: "MaxLength Pattern", Int: "Min? Max?", Bool: "", Enum: "", Duration: "Min? Max?",
	GUID: ""}

func (r *reader) parameters(n *node) (list []Parameter) {
	found := n.all("Parameter")
	if len(found) > maxParameters {
		r.fail(found[maxParameters], "%d elements Parameter; allowed are %d", len(found), maxParameters)
		return nil
	}
	size := 0
	for _, child := range found {
		p := r.parameter(child)
		// Variables of an environment are alike in any case on Windows.
		same := func(q Parameter) bool { return strings.EqualFold(p.Name, q.Name) }
		if slices.ContainsFunc(list, same) {
			r.fail(child, "a second parameter is called %.64q", p.Name)
		}
		if size += len(p.Default); size > maxValuesBytes {
			r.fail(child, "the defaults have more than %d bytes together", maxValuesBytes)
		}
		list = append(list, p)
	}
	return list
}

func (r *reader) parameter(n *node) Parameter {
	kind := Type(r.choice(n, "Type", "", "string", "int", "bool", "enum", "duration", "guid"))
	values := ""
	if kind == Enum {
		values = "Value*"
	}
	r.shape(n, "Name Type "+types[kind]+" Default? Required? Overridable?", values, false)
	p := Parameter{Type: kind, Required: r.flag(n, "Required", false), Overridable: r.flag(n, "Overridable", false)}
	p.Name, _ = n.attr("Name")
	if !parameterForm.MatchString(p.Name) {
		r.fail(n, "Name %.40q of a parameter: allowed are a letter, then letters, digits and _, at most 64", p.Name)
	}
	before := len(r.list)
	r.bounds(n, &p)
	p.Default, p.HasDefault = n.attr("Default")
	if p.HasDefault && len(r.list) == before {
		if wrong := p.check(p.Default); wrong != "" {
			r.fail(n, "Default of %s %s", p.Name, wrong)
		}
	}
	if p.Required && (p.HasDefault || !p.Overridable) {
		r.fail(n, "a Required parameter has no Default and is Overridable")
	}
	return p
}

// bounds reads what a parameter's type needs.
func (r *reader) bounds(n *node, p *Parameter) {
	switch p.Type {
	case String:
		p.MaxLength = int(r.number(n, "MaxLength", 0, 1, maxLength))
		p.Pattern, _ = n.attr("Pattern")
		r.pattern(n, p.Pattern)
	case Int:
		p.Min = r.number(n, "Min", math.MinInt64, math.MinInt64, math.MaxInt64)
		p.Max = r.number(n, "Max", math.MaxInt64, math.MinInt64, math.MaxInt64)
	case Duration:
		p.Min = int64(r.duration(n, "Min", 0))
		p.Max = int64(r.duration(n, "Max", maxDuration))
	case Enum:
		p.Values = r.enum(n)
	}
	if p.Min > p.Max {
		r.fail(n, "Min of %.64s is above its Max", p.Name)
	}
}

func (r *reader) pattern(n *node, pattern string) {
	if len(pattern) > maxPattern {
		r.fail(n, "Pattern has %d bytes; allowed are %d", len(pattern), maxPattern)
	} else if _, err := anchored(pattern); err != nil {
		r.fail(n, "Pattern is no regular expression as RE2 knows them: %v", err)
	}
}

// anchored is a pattern for a whole text. It stands alone first, so that it can't close what is put around it.
func anchored(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

func (r *reader) duration(n *node, attr string, missing time.Duration) time.Duration {
	text, ok := n.attr(attr)
	if !ok {
		return missing
	}
	d, err := wholeDuration(text)
	if err != nil {
		r.fail(n, "%s %.40q is no duration, such as 90s, 15m, 72h or 7d", attr, text)
	}
	return d
}

func (r *reader) enum(n *node) (values []string) {
	found := n.all("Value")
	if len(found) == 0 || len(found) > maxEnumValues {
		r.fail(n, "an enum has %d elements Value; allowed are 1 to %d", len(found), maxEnumValues)
		return nil
	}
	for _, child := range found {
		r.shape(child, "", "", true)
		if child.text == "" || len(child.text) > maxLength || slices.Contains(values, child.text) {
			r.fail(child, "Value is empty, too long, or there twice")
		}
		values = append(values, child.text)
	}
	return values
}

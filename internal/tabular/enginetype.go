package tabular

import "strings"

// Type is a type of the engine, taken apart.
type Type struct {
	name  string
	args  []*Type
	names []string // of a tuple's elements; nil when they have none
}

var anyType = &Type{}

// ParseType takes a type's name apart. What it does not know it keeps whole: values then say themselves what they are.
func ParseType(text string) *Type {
	text = strings.TrimSpace(text)
	name, rest, ok := strings.Cut(text, "(")
	t := &Type{name: name}
	if !ok {
		return t
	}
	args := splitArgs(strings.TrimSuffix(rest, ")"))
	switch name {
	case "Nullable", "LowCardinality":
		return ParseType(args[0])
	case "SimpleAggregateFunction":
		return ParseType(args[len(args)-1])
	case "Nested":
		return &Type{name: "Array", args: []*Type{ParseType("Tuple(" + rest)}}
	case "Array", "Map":
		for _, arg := range args {
			t.args = append(t.args, ParseType(arg))
		}
	case "Tuple":
		t.addElements(args)
	}
	return t
}

// addElements reads `Type` or `name Type` for each element.
func (t *Type) addElements(args []string) {
	for _, arg := range args {
		name, typ, named := cutName(strings.TrimSpace(arg))
		if named {
			t.names = append(t.names, name)
		}
		t.args = append(t.args, ParseType(typ))
	}
}

// cutName splits an element's name from its type; a name may stand between backquotes.
func cutName(arg string) (name, typ string, named bool) {
	if quoted, ok := strings.CutPrefix(arg, "`"); ok {
		if name, typ, ok = strings.Cut(quoted, "` "); ok {
			return name, typ, true
		}
	}
	space, open := strings.IndexByte(arg, ' '), strings.IndexByte(arg, '(')
	if space < 0 || open >= 0 && open < space {
		return "", arg, false
	}
	return arg[:space], arg[space+1:], true
}

// splitArgs splits at commas outside brackets and quotes.
func splitArgs(s string) []string {
	var parts []string
	depth, from := 0, 0
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}

// element is the type of an array's elements, of a tuple's element, of a map's keys (0) or values (1).
func (t *Type) element(i int) *Type {
	switch {
	case t.name == "Array" && len(t.args) == 1:
		return t.args[0]
	case i < len(t.args):
		return t.args[i]
	}
	return anyType
}

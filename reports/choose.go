package reports

import (
	"slices"
	"strings"
)

// A query may have lines `-- if NAME:` (the parameter NAME is not empty) or `-- if NAME in A, B:` (it is one of these; ''
// is empty), then `-- else:` or not, then `-- end:`.

// condition reads such a line.
func condition(line string) (name string, in []string, ok bool) {
	text, ok := strings.CutPrefix(strings.TrimSpace(line), "-- if ")
	if !ok {
		return "", nil, false
	}
	name, list, chosen := strings.Cut(strings.TrimSuffix(text, ":"), " in ")
	if !chosen {
		return name, nil, true
	}
	for value := range strings.SplitSeq(list, ",") {
		in = append(in, strings.Trim(strings.TrimSpace(value), "'"))
	}
	return name, in, true
}

// choose leaves out the lines behind a condition that is not met, or those behind its `-- else:` where it is; a condition
// may stand within another. What is left out is not even planned, which takes long for what joins much.
func choose(query string, params map[string]string) string {
	if !strings.Contains(query, "-- if ") {
		return query
	}
	var kept []string
	keep := []bool{true} // of each condition that the line is within
	for line := range strings.SplitSeq(query, "\n") {
		last := len(keep) - 1
		name, in, isIf := condition(line)
		switch text := strings.TrimSpace(line); {
		case isIf && in != nil:
			keep = append(keep, slices.Contains(in, params[name]))
		case isIf:
			keep = append(keep, params[name] != "")
		case text == "-- else:" && last > 0:
			keep[last] = !keep[last]
		case text == "-- end:" && last > 0:
			keep = keep[:last]
		case !slices.Contains(keep, false):
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

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

// choose leaves out the lines behind a condition that is not met, or those behind its `-- else:` where it is. What is left
// out is not even planned, which takes long for what joins much.
func choose(query string, params map[string]string) string {
	if !strings.Contains(query, "-- if ") {
		return query
	}
	var kept []string
	keep := true
	for line := range strings.SplitSeq(query, "\n") {
		name, in, isIf := condition(line)
		switch text := strings.TrimSpace(line); {
		case isIf && in != nil:
			keep = slices.Contains(in, params[name])
		case isIf:
			keep = params[name] != ""
		case text == "-- else:":
			keep = !keep
		case text == "-- end:":
			keep = true
		case keep:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

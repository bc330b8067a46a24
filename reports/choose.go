package reports

import "strings"

// choose leaves out the lines that stand between `-- if NAME:` and `-- else:` or `-- end:` where the parameter NAME is
// empty, and the others where it is not. What is left out is not even planned, which takes long for what joins much.
func choose(query string, params map[string]string) string {
	if !strings.Contains(query, "-- if ") {
		return query
	}
	var kept []string
	keep := true
	for line := range strings.SplitSeq(query, "\n") {
		text := strings.TrimSpace(line)
		name, isIf := strings.CutPrefix(text, "-- if ")
		switch {
		case isIf:
			keep = params[strings.TrimSuffix(name, ":")] != ""
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

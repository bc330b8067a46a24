package embedded

import (
	"fmt"
	"strings"
)

// readonly=1 of the engine refuses writes, DDL and table functions that reach
// outside. Four things it lets through: INTO OUTFILE writes files, the function
// file() reads them, SYSTEM and KILL act, and SETTINGS of a subquery lift readonly
// itself and every limit. The guard refuses those before the engine sees them.

// checkReadOnly refuses what readonly=1 does not. It looks at the text as the
// engine's own parser understood it, so that no way of writing it slips through.
func (c *conn) checkReadOnly(sql string) error {
	if t := tokens(sql); len(t) == 0 || !reads[strings.ToUpper(t[0].text)] {
		return refused("only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS are allowed")
	}
	canonical, err := c.scalar("SELECT formatQuerySingleLine(" + quote(sql) + ")")
	if err != nil {
		return err
	}
	t := tokens(canonical)
	for i := range t {
		switch {
		case t[i].is("OUTFILE") && i > 0 && t[i-1].is("INTO"):
			return refused("INTO OUTFILE is not allowed")
		case t[i].is("SETTINGS") && i+2 < len(t) && t[i+1].kind <= name && t[i+2].text == "=":
			return refused("SETTINGS are not allowed")
		case t[i].kind <= name && strings.EqualFold(t[i].text, "file"):
			return refused("the name file is not allowed: a function of that name reads files")
		}
	}
	return nil
}

func refused(why string) error {
	return &Exception{Code: codeReadonly, Message: fmt.Sprintf("Cannot execute query in readonly mode: %s. (READONLY)", why)}
}

// readOnlyLimits bound what one statement of a foreign caller may cost. Values of the
// caller count when they are stricter.
var readOnlyLimits = map[string]uint64{
	"max_execution_time": 60,
	"max_memory_usage":   256 << 20,
	"max_result_rows":    1_000_000,
	"max_result_bytes":   256 << 20,
}

func limit(settings map[string]string) {
	for name, most := range readOnlyLimits {
		var given uint64
		if _, err := fmt.Sscan(settings[name], &given); err != nil || given == 0 || given > most {
			settings[name] = fmt.Sprint(most)
		}
	}
}

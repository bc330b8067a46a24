package embedded

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// readonly=1 of the engine refuses writes and DDL, and to read from table functions that
// reach outside. What it lets through, the guard refuses before the engine sees it:
// INTO OUTFILE writes files, some functions read files or send requests, DESCRIBE sends
// requests for every table function, SYSTEM and KILL act, and SETTINGS of a subquery lift
// readonly itself and every limit.

// insideTables are the table functions that touch nothing but the store. All others that
// the engine has are refused, those of a later engine included.
var insideTables = nameSet("numbers", "numbers_mt", "zeros", "zeros_mt", "generateSeries", "generate_series", "primes",
	"values", "SQLStandardValues", "null", "view", "merge", "generateRandom", "format")

// outsideFunctions are functions that read files, send requests or load foreign code. The
// names are refused wherever they stand: in APPLY and arrayMap no bracket follows. A test
// lists the engine's functions with such names and fails when one is new.
var outsideFunctions = nameSet("file", "hasColumnInTable", "catboostEvaluate", "evalMLMethod", "reverseDNSQuery",
	"showCertificate",
	"aiClassify", "aiEmbed", "aiExtract", "aiGenerate", "aiTranslate")

// findOutside asks the engine which table functions it has.
func (e *Engine) findOutside() error {
	names, err := e.keeper.scalar("SELECT name FROM system.table_functions")
	if err != nil {
		return fmt.Errorf("list the embedded engine's table functions: %w", err)
	}
	e.outside = nameSet()
	for _, name := range strings.Fields(names) {
		if name = strings.ToLower(name); !insideTables[name] {
			e.outside[name] = true
		}
	}
	return nil
}

func nameSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[strings.ToLower(name)] = true
	}
	return set
}

// checkReadOnly refuses what readonly=1 does not. It looks at the text as the engine's own
// parser understood it, so that no way of writing it slips through.
func (e *Engine) checkReadOnly(c *conn, s *statement) error {
	if s.rows != nil {
		return refused("INSERT is not allowed")
	}
	if e.passed.has(s.sql) {
		return nil
	}
	canonical, err := c.scalar("SELECT formatQuerySingleLine(" + quote(s.sql) + ")")
	if err != nil {
		return unscoped(err)
	}
	t := tokens(canonical)
	if len(t) == 0 || !reads[strings.ToUpper(t[0].text)] {
		return refused("only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS are allowed")
	}
	for i := range t {
		lower := strings.ToLower(t[i].text)
		called := t[i].kind <= name && i+1 < len(t) && t[i+1].text == "("
		switch {
		case t[i].is("OUTFILE") && i > 0 && t[i-1].is("INTO"):
			return refused("INTO OUTFILE is not allowed")
		case t[i].is("SETTINGS") && i+2 < len(t) && t[i+1].kind <= name && t[i+2].text == "=":
			return refused("SETTINGS are not allowed")
		case t[i].kind <= name && outsideFunctions[lower]:
			return refused(fmt.Sprintf("the name %s is not allowed: a function of that name reaches outside the store",
				t[i].text))
		case called && e.outside[lower]:
			return refused(fmt.Sprintf("the table function %s is not allowed: it reaches outside the store", t[i].text))
		}
	}
	e.passed.add(s.sql)
	return nil
}

// maxPassed bounds the texts that passed remembers: more than the reports there are.
const maxPassed = 1024

// passed remembers texts that the guard let through, by their hashes: a report is asked again and again, its values
// come as parameters, and to have its text parsed takes the engine 3 ms.
type passed struct {
	mu    sync.Mutex
	texts map[[sha256.Size]byte]bool // guarded by mu
}

func (p *passed) has(sql string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.texts[sha256.Sum256([]byte(sql))]
}

func (p *passed) add(sql string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.texts == nil || len(p.texts) >= maxPassed {
		p.texts = map[[sha256.Size]byte]bool{}
	}
	p.texts[sha256.Sum256([]byte(sql))] = true
}

// unscoped takes the guard's own question out of an error about the statement in it.
func unscoped(err error) error {
	ex, ok := err.(*Exception)
	if !ok {
		return err
	}
	text, tail, found := strings.Cut(ex.Message, ": In scope SELECT formatQuerySingleLine(")
	if !found {
		return err
	}
	if at := strings.LastIndex(tail, " ("); at >= 0 {
		text += "." + tail[at:]
	}
	return &Exception{Code: ex.Code, Message: text}
}

func refused(why string) error {
	return &Exception{Code: codeReadonly, Message: fmt.Sprintf("Cannot execute query in readonly mode: %s. (READONLY)",
		why)}
}

// outsideSettings are settings that name files or hosts, or that allow what is not allowed
// by default. A foreign caller has no say in them.
var outsideSettings = regexp.MustCompile(`(?i)^allow_|schema|path|file|url|host|proxy|named_collection|profile`)

// fixedSettings hold for every statement: the engine compiles nothing at run time, which a
// process that may not make its own code forbids.
var fixedSettings = nameSet("compile_expressions", "compile_aggregate_expressions", "compile_sort_description")

// checkSettings refuses names that are none, and settings that are not the caller's.
func checkSettings(settings map[string]string, foreign bool) error {
	for name := range settings {
		switch {
		case !settingName.MatchString(name):
			return &Exception{Code: codeUnknownSetting, Message: fmt.Sprintf("%.80q is no setting's name", name)}
		case fixedSettings[strings.ToLower(name)], foreign && outsideSettings.MatchString(name):
			return refused(fmt.Sprintf("the setting %s can't be changed here", name))
		}
	}
	return nil
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

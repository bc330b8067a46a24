package reports

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// QueryError is a query the engine refused or gave up on, in words a reader can act on.
type QueryError struct {
	Label string
	// "timeout", "memory", "read_only", "syntax", "too_many_rows", "bad_value", "busy", "canceled", "unavailable" or
	// "query"
	Code  string
	Text  string
	cause error
}

func (e *QueryError) Error() string { return e.Label + ": " + e.Text }
func (e *QueryError) Unwrap() error { return e.cause }

var (
	formatTail = regexp.MustCompile(`(?i)\bFORMAT\s+[A-Za-z]+\s*$`)
	outfile    = regexp.MustCompile(`(?i)\bINTO\s+OUTFILE\b`)
)

// readOnlyStatement refuses what the driver would trip over; that nothing is written is the engine's promise
// (readonly=1).
func readOnlyStatement(text string) (string, error) {
	text = strings.TrimRight(text, "; \t\r\n")
	bare := strings.Join(blankComments(strings.Split(text, "\n")), "\n")
	switch {
	case strings.TrimSpace(bare) == "":
		return "", errors.New("the statement is empty: write for example SELECT count() FROM current_states")
	case strings.Contains(bare, ";"):
		return "", errors.New("only one statement at a time: leave out what follows the semicolon")
	case formatTail.MatchString(bare):
		return "", errors.New("leave out FORMAT and choose the output with --format")
	case outfile.MatchString(bare):
		return "", errors.New("leave out INTO OUTFILE and redirect the output instead")
	}
	return text, nil
}

// queryError keeps the engine's words where the reader can act on them, and its code where not.
func queryError(label string, err error, timeout time.Duration) error {
	var known *QueryError
	if errors.As(err, &known) {
		return err
	}
	var refused *clickhouse.Exception
	out := &QueryError{Label: label, Code: "unavailable", Text: "the store doesn't answer: " + err.Error(), cause: err}
	switch {
	case errors.Is(err, errBusy):
		out.Code, out.Text = "busy", err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		out.Code, out.Text = "timeout", fmt.Sprintf("gave up after %s (reports.timeout): ask for less", timeout)
	case errors.Is(err, context.Canceled):
		out.Code, out.Text = "canceled", "stopped by the caller"
	case errors.As(err, &refused) && typeRefusal(err) == "":
		out.Code, out.Text = refusal(refused, timeout)
	case typeRefusal(err) != "":
		out.Code, out.Text = "query", typeRefusal(err)
	case errors.Is(err, ErrTooManyRows), !isNetwork(err):
		out.Code, out.Text = "query", err.Error()
	}
	return out
}

// isNetwork tells an engine that can't be reached from an answer that can't be read.
func isNetwork(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout)
}

func refusal(e *clickhouse.Exception, timeout time.Duration) (code, text string) {
	switch e.Code {
	case 159, 160:
		return "timeout", fmt.Sprintf("gave up after %s (reports.timeout): ask for less", timeout)
	case 241:
		if strings.Contains(e.Message, "(total)") {
			return "busy", "the engine is short of memory at the moment: try again later"
		}
		return "memory", "needs more memory than reports.max_memory allows: ask for less"
	case 396, 158:
		return "too_many_rows", "has more rows than allowed: add a LIMIT or ask for less"
	case 164, 497, 291:
		_, why, found := strings.Cut(oneLine(e.Message), "Cannot execute query in readonly mode: ")
		if !found {
			return "read_only", "only reading is allowed here: " + oneLine(e.Message)
		}
		return "read_only", "only reading is allowed here: " + strings.TrimSuffix(why, ". (READONLY)")
	case 62:
		return "syntax", oneLine(e.Message)
	case 427, 457, 6, 27, 38, 41, 72: // a pattern or value that passed our own checks
		return "bad_value", "a parameter's value is refused: " + oneLine(e.Message)
	}
	return "query", fmt.Sprintf("%s (engine code %d)", oneLine(e.Message), e.Code)
}

// oneLine shortens the engine's message to one line without its version and stack.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for _, cut := range []string{" Stack trace:", " (version "} {
		s, _, _ = strings.Cut(s, cut)
	}
	if runes := []rune(s); len(runes) > 400 {
		s = string(runes[:400]) + "…"
	}
	return s
}

package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"statewire/configs"
	"statewire/internal/control"
)

// ExitStatus ends the program with a code of its own; err may be nil when everything was said on standard output.
type ExitStatus struct {
	Code int
	Err  error
}

// Error names the code.
func (e *ExitStatus) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// UsageError is a call that cannot be carried out as written.
type UsageError struct{ err error }

// Usage marks an error as one of the call: the program ends with the exit code of wrong usage.
func Usage(err error) error { return UsageError{err} }

// Error is what is wrong with the call.
func (e UsageError) Error() string { return e.err.Error() }

// Unwrap is the same as an error.
func (e UsageError) Unwrap() error { return e.err }

// UnknownCommand refuses the name of a command that is none; without one it has nothing to say.
func UnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Usage(fmt.Errorf("unknown command %q; see `%s --help`", args[0], cmd.CommandPath()))
}

// FlagProblem says what a flag takes rather than how its parser failed.
func FlagProblem(err error) string {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return err.Error()
	}
	flag := wrong.GetFlag()
	takes, known := map[string]string{
		"int": "a whole number", "uint8": "a whole number from 0 to 255", "uint16": "a whole number from 0 to 65535",
		"uint32": "a whole number from 0 to 4294967295", "uint64": "a whole number from 0 to 18446744073709551615",
		"float64": "a number", "bool": "true or false", "duration": "a duration, as 900s, 15m or 72h",
	}[flag.Value.Type()]
	cause := errors.Unwrap(wrong)
	if parser := errors.As(cause, new(*strconv.NumError)) || strings.HasPrefix(cause.Error(), "time: "); !known ||
		!parser {
		return fmt.Sprintf("--%s: %v", flag.Name, cause) // the flag's own words
	}
	return fmt.Sprintf("--%s is %.60q; write %s", flag.Name, wrong.GetValue(), takes)
}

// NoArgs refuses arguments with the exit code of wrong usage.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usage(fmt.Errorf("%s takes no arguments, got %q; see `%s --help`", cmd.Name(), args[0], cmd.CommandPath()))
	}
	return nil
}

// OneLine writes an error for a terminal: one plain line, or one per problem when there are several.
func OneLine(err error) string {
	var config *configs.Error
	if errors.As(err, &config) {
		return "configuration: " + strings.ReplaceAll(config.Unwrap().Error(), "\n", "\nstatewire: configuration: ")
	}
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}

const (
	ExitFailed = 1 // the program could not do it
	ExitUsage  = 2 // the call or the configuration is wrong
)

// ExitCode is the code with which the program ends after an error.
func ExitCode(err error) int {
	var config *configs.Error
	if errors.As(err, &config) || errors.As(err, new(UsageError)) {
		return ExitUsage
	}
	return ExitFailed
}

// DataUsage marks a data directory in which no site can be.
func DataUsage(err error) error {
	if errors.Is(err, control.ErrTooLong) {
		return Usage(err)
	}
	return err
}

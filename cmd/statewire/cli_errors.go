package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"statewire/configs"
)

// exitStatus ends the program with a code of its own; err may be nil when everything was said on standard output.
type exitStatus struct {
	code int
	err  error
}

func (e *exitStatus) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// usageError is a call that cannot be carried out as written.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("unknown command %q; see `%s --help`", args[0], cmd.CommandPath())}
}

// flagProblem says what a flag takes rather than how its parser failed.
func flagProblem(err error) string {
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
	if parser := errors.As(cause, new(*strconv.NumError)) || strings.HasPrefix(cause.Error(), "time: "); !known || !parser {
		return fmt.Sprintf("--%s: %v", flag.Name, cause) // the flag's own words
	}
	return fmt.Sprintf("--%s is %.60q; write %s", flag.Name, wrong.GetValue(), takes)
}

// noArgs refuses arguments with the exit code of wrong usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, got %q; see `%s --help`", cmd.Name(), args[0], cmd.CommandPath())}
	}
	return nil
}

// oneLine writes an error for a terminal: one plain line, or one per problem when there are several.
func oneLine(err error) string {
	var config *configs.Error
	if errors.As(err, &config) {
		return "configuration: " + strings.ReplaceAll(config.Unwrap().Error(), "\n", "\nstatewire: configuration: ")
	}
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}

const (
	exitFailed = 1
	exitUsage  = 2
)

func exitCode(err error) int {
	var config *configs.Error
	if errors.As(err, &config) || errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

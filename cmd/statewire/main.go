// Command statewire is the whole product in one binary: the site's servers, the client and the tools of the people who
// run them. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; status has its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"statewire/configs"
)

// version is set by the linker.
var version = "dev"

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	defer runtime.KeepAlive(keepStdin())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go exitOnSecondSignal(ctx)
	g := &globals{}
	root := g.root()
	root.SetArgs(args)
	err := g.explainOlder(root.ExecuteContext(ctx))
	if err == nil {
		return 0
	}
	var status *exitStatus
	if errors.As(err, &status) {
		if status.err != nil {
			fmt.Fprintln(os.Stderr, "statewire:", status.err)
		}
		return status.code
	}
	fmt.Fprintln(os.Stderr, "statewire:", oneLine(err))
	return exitCode(err)
}

func exitCode(err error) int {
	var config *configs.Error
	if errors.As(err, &config) || errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

// exitOnSecondSignal ends the process at once when a person asks twice; nothing depends on a clean stop.
func exitOnSecondSignal(ctx context.Context) {
	<-ctx.Done()
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	<-again
	os.Exit(exitFailed)
}

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

// newRoot builds the command tree.
func newRoot() *cobra.Command { return (&globals{}).root() }

func (g *globals) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "statewire",
		Short:         "State messages from a fleet of machines: collected, complete and explained",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%s; see `%s --help`", flagProblem(err), cmd.CommandPath())}
	})
	g.register(root)
	root.AddCommand(serveCommand(g), demoCommand(g), fleetCommand(g), ingestCommand(g), loadCommand(g), reportCommand(g), sqlCommand(g), explainCommand(g), traceCommand(g),
		resyncCommand(g), collectionCommand(g), policyCommand(g), storeCommand(g), statusCommand(g), configCommand(g), agentCommand(g))
	root.AddCommand(deadCommand(g), accountCommand(g), demoRemoveCommand())
	return root
}

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

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
	"syscall"

	"statewire/cmd/statewire/cli"
	"statewire/cmd/statewire/client"
	"statewire/cmd/statewire/simulate"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	defer runtime.KeepAlive(cli.KeepStdin())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go exitOnSecondSignal(ctx)
	g := &globals{args: args}
	root := g.root()
	root.SetArgs(args)
	err := g.explainOlder(root.ExecuteContext(ctx))
	if err == nil {
		return 0
	}
	var status *cli.ExitStatus
	if errors.As(err, &status) {
		if status.Err != nil {
			fmt.Fprintln(os.Stderr, "statewire:", status.Err)
		}
		return status.Code
	}
	fmt.Fprintln(os.Stderr, "statewire:", cli.OneLine(err))
	return cli.ExitCode(err)
}

// exitOnSecondSignal ends the process at once when a person asks twice; nothing depends on a clean stop.
func exitOnSecondSignal(ctx context.Context) {
	<-ctx.Done()
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	<-again
	os.Exit(cli.ExitFailed)
}

// globals are what the commands of a site share.
type globals struct {
	cli.Globals
	create bool  // of commands that write: make the site where there is none
	older  error // that an earlier version made the store; nil as long as none is known
	ownSQL bool  // the command runs SQL of its user
	args   []string
}

// root builds the command tree.
func (g *globals) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "statewire",
		Short:         "State messages from a fleet of machines: collected, complete and explained",
		Version:       cli.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cli.UnknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(namesCommand(g), subjectTargetCommand(g))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usage(fmt.Errorf("%s; see `%s --help`", cli.FlagProblem(err), cmd.CommandPath()))
	})
	g.Register(root)
	root.AddCommand(serveCommand(g), simulate.Demo(&g.Globals), simulate.Fleet(&g.Globals, fleetVerifyCommand(g)),
		ingestCommand(g), loadCommand(g), reportCommand(g), sqlCommand(g), explainCommand(g), traceCommand(g),
		resyncCommand(g), collectionCommand(g), policyCommand(g), storeCommand(g), statusCommand(g), summaryCommand(g), configCommand(
			g), client.Command(&g.Globals))
	root.AddCommand(complianceCommand(g))
	root.AddCommand(deadCommand(g), enrollCommand(g), clientCommand(g), backupCommand(g), caCommand(g), accountCommand(g),
		trustCommand(g),
		tokenCommand(g), auditCommand(g), splitCommand(g), notifyCommand(g), tasksCommand(g), client.RoleCommand(
			&g.Globals), simulate.RemoveDemo())
	return root
}

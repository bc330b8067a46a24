package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/notifier/manager"
	"statewire/packs"
)

// listTasks writes the tasks that there are. It needs no site: the built-in pack is part of the program.
func (g *globals) listTasks(w io.Writer) error {
	pack := packs.BuiltIn()
	rows := make([][]any, 0, len(pack.Tasks))
	for _, t := range pack.Tasks {
		if !t.Public || !t.Remotable {
			continue
		}
		rows = append(rows, []any{t.ID, fmt.Sprint(t.Class), parameterWords(t.Parameters), t.Timeout, t.Name})
	}
	return cli.WriteRecords(w, g.Format, []string{"task", "class", "parameters", "timeout", "does"}, rows)
}

// parameterWords name the parameters that a person may give.
func parameterWords(params []packs.Parameter) string {
	var all []string
	for _, p := range params {
		if p.Overridable {
			all = append(all, fmt.Sprintf("%s (%s)", p.Name, p.Type))
		}
	}
	return strings.Join(all, ", ")
}

func notifyStopCommand(g *globals) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "stop all tasks: nothing is sent to any client before `notify resume`",
		Long: "Stops all tasks at once. No server sends a task any more, after one second at the latest, and a restart of " +
			"the site changes nothing\n" +
			"about that. Tasks that clients already have go on; `statewire tasks cancel ID` takes back those that have not " +
			"begun. The time of\n" +
			"a task runs on while it is stopped.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withTasks(cmd.Context(), func(ctx context.Context, q taskQueue) error {
				if err := q.Stop(ctx, manager.By{}, reason); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "stopped: nothing is sent before `statewire notify resume`")
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is kept in the audit log")
	return cmd
}

func notifyResumeCommand(g *globals) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "send tasks again after `notify stop`",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withTasks(cmd.Context(), func(ctx context.Context, q taskQueue) error {
				if err := q.Resume(ctx, manager.By{}, reason); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "tasks are sent again")
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is kept in the audit log")
	return cmd
}

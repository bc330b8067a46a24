package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/notifier/manager"
)

func tasksCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tasks",
		Short: "the tasks that clients were asked to do: list, show, cancel, approve, change their rate",
		Long: "What was asked with `statewire notify`, and how far each client is. ID is a task's number, its GUID, or the " +
			"beginning of that with\n" +
			"at least 8 characters.",
		Args: cli.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tasksListCommand(g), tasksShowCommand(g), tasksCancelCommand(g), tasksApproveCommand(g),
		tasksRateCommand(g))
	return cmd
}

// listedTasks is how many tasks are listed when nobody says how many.
const listedTasks = 100

func tasksListCommand(g *globals) *cobra.Command {
	o := manager.ListOptions{Limit: listedTasks}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the tasks, the latest first",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Limit < 1 {
				return cli.Usage(fmt.Errorf("--limit is %d; write how many tasks to list", o.Limit))
			}
			return g.withTasks(cmd.Context(), func(ctx context.Context, q taskQueue) error {
				list, err := q.List(ctx, manager.By{}, o)
				if err != nil {
					return err
				}
				return g.writeTaskList(ctx, cmd.OutOrStdout(), list)
			})
		},
	}
	cmd.Flags().BoolVar(&o.Open, "open", false, "only those that still wait for a client, or for a second person")
	cmd.Flags().IntVar(&o.Limit, "limit", o.Limit, "how many tasks at most")
	return cmd
}

// writeTaskList writes all that is known of each task; a person is shown what fits.
func (g *globals) writeTaskList(ctx context.Context, w io.Writer, list []manager.TaskStatus) error {
	rows := make([][]any, len(list))
	if g.Format == "table" {
		meant := g.meantBy(ctx, list)
		for i, t := range list {
			c := t.Counts
			rows[i] = []any{t.ID, t.Name, meant[i], stateWords(t), c.Targets, atEnd(c), c.Succeeded, c.Failed, c.Refused,
				cli.Stamp(t.Created), cli.Stamp(t.NotAfter), t.Actor}
		}
		return g.writeCapped(w, []string{"id", "task", "for", "state", "clients", "ended", "succeeded", "failed", "refused",
			"created", "not after", "by"}, rows)
	}
	var columns []string
	for i, t := range list {
		columns, rows[i] = taskRow(t)
	}
	if len(list) == 0 {
		columns, _ = taskRow(manager.TaskStatus{})
	}
	return cli.WriteRecords(w, g.Format, columns, rows)
}

// taskRow are the fields of a task as columns and values.
func taskRow(t manager.TaskStatus) (columns []string, row []any) {
	for _, f := range taskFields(t) {
		columns, row = append(columns, f[0].(string)), append(row, f[1])
	}
	return columns, row
}

// stateWords are a task's state and what it waits for.
func stateWords(t manager.TaskStatus) string {
	if t.Why != "" {
		return string(t.State) + ": " + t.Why
	}
	return string(t.State)
}

// taskFields are all that is known of a task as a whole.
func taskFields(t manager.TaskStatus) []cli.Field {
	c := t.Counts
	return []cli.Field{{"task_id", t.ID}, {"task_guid", t.Task.String()}, {"task", t.Name}, {"pack", t.Pack},
		{"pack_version", t.Version}, {"class", t.Class}, {"parameters", paramsOf(t)}, {"for", t.For}, {"actor", t.Actor},
		{"approver", t.Approver}, {"reason", t.Reason}, {"state", string(t.State)}, {"state_reason", t.Why},
		{"lasting", t.Lasting}, {"rate", t.Rate}, {"spread_seconds", json3(t.Spread.Seconds())},
		{"created_time", cli.Moment(t.Created)}, {"not_after", cli.Moment(t.NotAfter)}, {"targets", c.Targets},
		{"queued", c.Queued}, {"offline", c.Offline}, {"pushed", c.Pushed}, {"received", c.Received}, {"running", c.Running},
		{"succeeded", c.Succeeded}, {"failed", c.Failed}, {"refused", c.Refused}, {"expired", c.Expired},
		{"cancelled", c.Cancelled}, {"unknown", c.Unknown}, {"late", c.Late}, {"unsolicited", c.Unsolicited}}
}

// paramsOf are the values that were given, by name.
func paramsOf(t manager.TaskStatus) map[string]any {
	out := map[string]any{}
	for _, p := range t.Parameters {
		out[p.Name] = p.Value
	}
	return out
}

func tasksCancelCommand(g *globals) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "take a task back from every client that has not begun",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.changeTask(cmd, func(ctx context.Context, q taskQueue) (manager.TaskStatus, error) {
				return q.Cancel(ctx, manager.By{}, args[0], reason)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is kept in the audit log")
	return cmd
}

func tasksApproveCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "approve ID",
		Short: "agree to a task of somebody else that needs a second person",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.changeTask(cmd, func(ctx context.Context, q taskQueue) (manager.TaskStatus, error) {
				return q.Approve(ctx, manager.By{}, args[0])
			})
		},
	}
}

func tasksRateCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rate ID N",
		Short: "change how many clients a second get a task; 0 is as many as notifier.throttle allows",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usage(fmt.Errorf("rate takes a task and a number, got %d arguments", len(args)))
			}
			if n, err := strconv.Atoi(args[1]); err != nil || n < 0 {
				return cli.Usage(fmt.Errorf("the rate is %.60q; write clients a second, as 10", args[1]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			rate, _ := strconv.Atoi(args[1]) // it is checked above
			return g.changeTask(cmd, func(ctx context.Context, q taskQueue) (manager.TaskStatus, error) {
				return q.SetRate(ctx, manager.By{}, args[0], rate)
			})
		},
	}
}

// changeTask changes a task and says how it stands then.
func (g *globals) changeTask(cmd *cobra.Command,
	change func(context.Context, taskQueue) (manager.TaskStatus, error)) error {
	return g.withTasks(cmd.Context(), func(ctx context.Context, q taskQueue) error {
		t, err := change(ctx, q)
		if err != nil {
			return err
		}
		return g.writeTaskHead(ctx, cmd.OutOrStdout(), t)
	})
}

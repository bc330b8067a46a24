package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/smx"
)

func tasksShowCommand(g *globals) *cobra.Command {
	var client, step string
	var output bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "one task: each client's step, time, exit code and output, failures first",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			var o manager.ShowOptions
			if step != "" {
				if !wire.Step(step).Known() {
					return cli.Usage(fmt.Errorf("--step is %.40q; allowed are %s", step, stepNames()))
				}
				o.Steps = []wire.Step{wire.Step(step)}
			}
			var of uuid.UUID
			if client != "" {
				id, err := g.oneClient(cmd.Context(), client)
				if err != nil {
					return err
				}
				of = uuid.UUID(id)
			}
			return g.withTasks(cmd.Context(), func(ctx context.Context, q taskQueue) error {
				return g.showTask(ctx, cmd.OutOrStdout(), q, args[0], taskView{o, of, output})
			})
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "of this client only, by its id or computer name")
	cmd.Flags().StringVar(&step, "step", "", "only the clients in this step: "+stepNames())
	cmd.Flags().BoolVar(&output, "output", false, "write what the task wrote on each client, whole")
	return cmd
}

func stepNames() string {
	var names []string
	for _, s := range badFirst {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// taskView is what of a task is to be shown.
type taskView struct {
	manager.ShowOptions
	client uuid.UUID // zero: of all
	output bool
}

func (g *globals) showTask(ctx context.Context, w io.Writer, q taskQueue, id string, v taskView) error {
	task, steps, err := chosenSteps(ctx, q, id, v)
	if err != nil {
		return err
	}
	if v.output {
		if err := addOutputs(ctx, q, task, steps); err != nil {
			return err
		}
		if g.Format == "table" {
			return writeOutputs(w, steps, g.namesOf(ctx, steps))
		}
	}
	return g.writeTask(ctx, w, q, task, steps)
}

// chosenSteps are a task, and those of its steps that were asked for.
func chosenSteps(ctx context.Context, q taskQueue, id string, v taskView) (task manager.TaskStatus,
	steps []manager.StepStatus, err error) {
	if v.client == uuid.Nil {
		task, err = q.Show(ctx, manager.By{}, id, v.ShowOptions, func(one manager.StepStatus) error {
			steps = append(steps, one)
			return nil
		})
		return task, steps, err
	}
	if task, err = q.Show(ctx, manager.By{}, id, manager.ShowOptions{}, nil); err != nil {
		return task, nil, err
	}
	one, err := q.Output(ctx, manager.By{}, id, v.client)
	if err == nil && (len(v.Steps) == 0 || slices.Contains(v.Steps, one.Step)) {
		steps = append(steps, one)
	}
	return task, steps, err
}

// addOutputs adds what the task wrote: a list of steps comes without.
func addOutputs(ctx context.Context, q taskQueue, t manager.TaskStatus, steps []manager.StepStatus) error {
	for i, one := range steps {
		if one.Output.Size == 0 || one.Output.Text != "" {
			continue
		}
		whole, err := q.Output(ctx, manager.By{}, t.Task.String(), one.Client)
		if err != nil {
			return fmt.Errorf("read the output of %s: %w", smx.ClientID(one.Client), err)
		}
		steps[i].Output = whole.Output
	}
	return nil
}

// writeOutputs writes what the task wrote on each client where it wrote something, and on how many it did not.
func writeOutputs(w io.Writer, steps []manager.StepStatus, names knownNames) error {
	var errs []error
	nothing := 0
	for _, s := range arranged(steps) {
		if s.Output.Size == 0 {
			nothing++
			continue
		}
		if len(steps) > 1 {
			who := strings.TrimSpace(names.clients[s.Client] + " " + smx.ClientID(s.Client).String())
			_, err := fmt.Fprintf(w, "== %s %s\n", tabular.TerminalSafe(who), s.Step)
			errs = append(errs, err)
		}
		for line := range strings.Lines(s.Output.Text) {
			_, err := fmt.Fprintln(w, tabular.TerminalSafe(strings.TrimRight(line, "\r\n")))
			errs = append(errs, err)
		}
		if s.Output.Truncated {
			_, err := fmt.Fprintf(w, "(the beginning of %s%s)\n", humanize.Bytes(int64(s.Output.Size)), restWords(s))
			errs = append(errs, err)
		}
	}
	var err error
	switch {
	case nothing == 1 && len(steps) == 1:
		_, err = fmt.Fprintln(w, "(wrote nothing)")
	case nothing > 0:
		_, err = fmt.Fprintf(w, "(%s wrote nothing)\n", counted(nothing, "client", "clients"))
	}
	return errors.Join(append(errs, err)...)
}

// restTime is how long after a step the rest of its output may still come: clients send it with their other messages.
const restTime = 24 * time.Hour

// restWords say that more of an output than this beginning is on its way; nothing where no more comes.
func restWords(s manager.StepStatus) string {
	switch o := s.Output; {
	case len(o.Text) > wire.FirstInline, o.Size <= wire.MaxInline, time.Since(s.At) > restTime:
		return ""
	case o.Size > packs.MaxOutput:
		return fmt.Sprintf("; the rest of its first %s is on its way", humanize.Bytes(int64(packs.MaxOutput)))
	}
	return "; the rest is on its way"
}

// arranged are steps with what needs somebody first.
func arranged(steps []manager.StepStatus) []manager.StepStatus {
	steps = slices.Clone(steps)
	slices.SortFunc(steps, func(a, b manager.StepStatus) int {
		return cmp.Or(slices.Index(badFirst, a.Step)-slices.Index(badFirst, b.Step),
			slices.Compare(a.Client[:], b.Client[:]))
	})
	return steps
}

// firstLines is of how many clients a table has the first line of the output.
const firstLines = 1000

// writeTask writes a task with the steps of its clients.
func (g *globals) writeTask(ctx context.Context, w io.Writer, q taskQueue, t manager.TaskStatus,
	steps []manager.StepStatus) error {
	steps = arranged(steps)
	names := g.namesOf(ctx, steps)
	switch g.Format {
	case "json":
		return cli.WriteRecord(w, g.Format, append(taskFields(t), cli.Field{"clients", stepObjects(steps, names)}))
	case "table":
		if err := g.writeTaskHead(ctx, w, t); err != nil || len(steps) == 0 {
			return err
		}
		if err := addOutputs(ctx, q, t, steps[:min(len(steps), firstLines)]); err != nil {
			return err
		}
		rows := make([][]any, len(steps))
		for i, s := range steps {
			rows[i] = []any{smx.ClientID(s.Client).String(), names.clients[s.Client], stepWords(s), cli.Stamp(s.At),
				serverOf(s, names),
				exitCode(s), tabular.Shorten(firstLine(s.Output.Text), 60)}
		}
		return g.writeCapped(w, []string{"client_id", "netbios_name", "step", "time", "server", "exit", "output"}, rows)
	}
	rows := make([][]any, len(steps))
	for i, s := range steps {
		rows[i] = stepValues(s, names)
	}
	return cli.WriteRecords(w, g.Format, stepColumns, rows)
}

// writeTaskHead writes a task as a whole.
func (g *globals) writeTaskHead(ctx context.Context, w io.Writer, t manager.TaskStatus) error {
	if g.Format != "table" {
		return cli.WriteRecord(w, g.Format, taskFields(t))
	}
	who, meant := t.Actor, g.meantBy(ctx, []manager.TaskStatus{t})
	if t.Approver != "" {
		who += ", approved by " + t.Approver
	}
	lines := []string{
		fmt.Sprintf("task %d  %s", t.ID, t.Task),
		fmt.Sprintf("%s (%s), pack %s %s%s", t.Name, t.Class, t.Pack, t.Version, paramWords(t)),
		fmt.Sprintf("%s, for %s, by %s at %s, valid until %s", stateWords(t), meant[0], who, humanize.Clock(t.Created),
			humanize.Clock(t.NotAfter)),
	}
	if t.Reason != "" {
		lines = append(lines, "reason: "+t.Reason)
	}
	lines = append(lines, counted(t.Counts.Targets, "client", "clients")+": "+countWords(t.Counts))
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, tabular.TerminalSafe(line)); err != nil {
			return err
		}
	}
	return nil
}

func paramWords(t manager.TaskStatus) string {
	var b strings.Builder
	for _, p := range t.Parameters {
		fmt.Fprintf(&b, ", %s=%s", p.Name, tabular.Shorten(p.Value, 60))
	}
	return b.String()
}

// countWords name the steps in which clients are.
func countWords(c manager.Counts) string {
	var parts []string
	for _, one := range []struct {
		n    int
		what string
	}{{c.Succeeded, "succeeded"}, {c.Failed, "failed"}, {c.Refused, "refused"}, {c.Unknown, "unknown"},
		{c.Expired, "expired"}, {c.Cancelled, "cancelled"}, {c.Running, "running"}, {c.Received, "received"},
		{c.Pushed, "pushed"}, {c.Queued, "queued"}, {c.Offline, "offline"}} {
		if one.n > 0 {
			parts = append(parts, humanize.Number(one.n)+" "+one.what)
		}
	}
	text := strings.Join(parts, ", ")
	if c.Late > 0 {
		text += fmt.Sprintf("; %s late", humanize.Number(c.Late))
	}
	if c.Unsolicited > 0 {
		text += fmt.Sprintf("; %s from clients that were not asked", counted(c.Unsolicited, "result", "results"))
	}
	return text
}

// stepWords are a step and why it is so.
func stepWords(s manager.StepStatus) string {
	text := string(s.Step)
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	if s.Detail != "" {
		text += " (" + tabular.Shorten(s.Detail, 60) + ")"
	}
	if s.Late {
		text += " (late)"
	}
	return text
}

// serverOf is the server that had the task for the client, by its number where its name is not known; nothing where
// none had it.
func serverOf(s manager.StepStatus, names knownNames) any {
	if s.Server == 0 {
		return nil
	}
	return cmp.Or(names.servers[s.Server], fmt.Sprintf("server %d", s.Server))
}

// exitCode is that of a task that ran; nothing for others.
func exitCode(s manager.StepStatus) any {
	if s.Step != wire.StepSucceeded && s.Step != wire.StepFailed || s.Finished.IsZero() {
		return nil
	}
	return s.ExitCode
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// stepColumns are those of a client's step in every format but that for people.
var stepColumns = []string{"client_id", "netbios_name", "step", "reason", "detail", "exit_code", "server_id", "server",
	"push_id", "push_count", "late", "step_time", "pushed_time", "received_time", "started_time", "finished_time",
	"output_bytes", "output_truncated", "output"}

func stepValues(s manager.StepStatus, names knownNames) []any {
	at := func(t time.Time) any { return cli.Moment(t) }
	return []any{smx.ClientID(s.Client).String(), names.clients[s.Client], string(s.Step), s.Reason, s.Detail, exitCode(s),
		s.Server, names.servers[s.Server], s.Push, s.Pushes, s.Late, at(s.At), at(s.Pushed), at(s.Received),
		at(s.Started), at(s.Finished), s.Output.Size, s.Output.Truncated, s.Output.Text}
}

// stepObjects are steps as JSON has them.
func stepObjects(steps []manager.StepStatus, names knownNames) []map[string]any {
	out := make([]map[string]any, len(steps))
	for i, s := range steps {
		out[i] = map[string]any{}
		for n, value := range stepValues(s, names) {
			out[i][stepColumns[n]] = value
		}
	}
	return out
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"statewire/cmd/statewire/cli"
	"statewire/internal/humanize"
	"statewire/notifier/manager"
)

// writePlan writes what a task would do.
func (g *globals) writePlan(w io.Writer, p manager.Plan) error {
	if g.Format == "table" {
		return planWords(w, p)
	}
	servers := make([]map[string]any, len(p.Servers))
	for i, s := range p.Servers {
		servers[i] = map[string]any{"server": s.Server, "server_id": s.ServerID, "online": s.Online}
	}
	return cli.WriteRecord(w, g.Format, []cli.Field{{"task", p.Task}, {"pack", p.Pack}, {"pack_version", p.Version},
		{"class", p.Class}, {"targets", p.Targets}, {"online", p.Online}, {"offline", p.Offline},
		{"duplicates", p.Duplicates}, {"servers", servers}, {"rate", p.Rate}, {"seconds", json3(p.Seconds)},
		{"second_person", p.Second}, {"stopped", p.Stopped}, {"not_after", cli.Moment(p.NotAfter)}, {"dry_run", true}})
}

// planWords say a plan to a person.
func planWords(w io.Writer, p manager.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), pack %s %s\n", p.Task, p.Class, p.Pack, p.Version)
	fmt.Fprintf(&b, "%s: %s online, %s offline", counted(p.Targets, "client", "clients"), humanize.Number(p.Online),
		humanize.Number(p.Offline))
	if p.Duplicates > 0 {
		fmt.Fprintf(&b, ", %s left out: several machines have one identity", humanize.Number(p.Duplicates))
	}
	b.WriteString("\n")
	for _, s := range p.Servers {
		fmt.Fprintf(&b, "  %s: %s online\n", s.Server, humanize.Number(s.Online))
	}
	if p.Online > 0 {
		fmt.Fprintf(&b, "at %s a second the last of them has it after %s\n", counted(p.Rate, "client", "clients"),
			inWords(p.Seconds))
	}
	fmt.Fprintf(&b, "who is not connected gets it on coming back, until %s\n", humanize.Clock(p.NotAfter))
	if p.Second {
		b.WriteString("a second person has to agree before anything is sent\n")
	}
	if p.Stopped {
		b.WriteString("all tasks are stopped: nothing is sent before `statewire notify resume`\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// counted is a number of things for a person.
func counted(n int, one, many string) string {
	return humanize.Number(n) + " " + humanize.Plural(n, one, many)
}

// inWords is a time in seconds, rounded up.
func inWords(seconds float64) string {
	if seconds < 1 {
		return "less than 1 s"
	}
	return humanize.Span(time.Duration(math.Ceil(seconds)) * time.Second)
}

// asker puts a question to whoever runs the command.
type asker struct {
	in *bufio.Reader // nil: nobody can be asked
	to io.Writer     // where plans and questions stand
}

// newAsker asks on a terminal. Elsewhere nobody reads the question.
func newAsker(cmd *cobra.Command) *asker {
	a := &asker{to: cmd.ErrOrStderr()}
	if in, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) && cli.IsTerminal(a.to) {
		a.in = bufio.NewReader(in)
	}
	return a
}

// ask returns what the person wrote.
func (a *asker) ask(question string) (string, error) {
	fmt.Fprint(a.to, question)
	text, err := a.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(text), nil
}

// errNotSent is the answer no.
var errNotSent = errors.New("nothing was sent")

// send shows the plan and makes the task, once whoever runs the command agreed to the number of clients.
func (g *globals) send(ctx context.Context, a *asker, q taskQueue, o manager.Order, plan manager.Plan,
	yes bool) (manager.TaskStatus, error) {
	if err := planWords(a.to, plan); err != nil {
		return manager.TaskStatus{}, err
	}
	if err := a.agree(plan, yes); err != nil {
		return manager.TaskStatus{}, err
	}
	made, err := q.Create(ctx, manager.By{}, o)
	if codeOf(err) != "not_confirmed" || a.in == nil || o.Expect != 0 {
		return made, err
	}
	// So many clients are named by their number, and never by a key that was pressed by habit.
	answer, err := a.ask("That is more than tasks.confirm_above. Write the number of clients to go on: ")
	if err != nil {
		return made, err
	}
	if o.Expect, err = strconv.Atoi(answer); err != nil || o.Expect != plan.Targets {
		return made, errNotSent
	}
	return q.Create(ctx, manager.By{}, o)
}

// agree is nil when the person wants it.
func (a *asker) agree(plan manager.Plan, yes bool) error {
	switch {
	case plan.Targets == 0:
		return cli.Usage(errors.New("no client is meant, so there is nothing to do"))
	case yes:
		return nil
	case a.in == nil:
		return cli.Usage(fmt.Errorf("nobody can be asked here: add --yes to send it to %s, or --dry-run to send nothing",
			counted(plan.Targets, "client", "clients")))
	}
	answer, err := a.ask(fmt.Sprintf("Send it to %s? [y/N] ", counted(plan.Targets, "client", "clients")))
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return errNotSent
	}
	return nil
}

// writeMade says what became of the order.
func (g *globals) writeMade(w io.Writer, t manager.TaskStatus) error {
	if g.Format != "table" {
		return cli.WriteRecord(w, g.Format, taskFields(t))
	}
	for _, line := range madeWords(t) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// madeWords say what was made, and what comes next.
func madeWords(t manager.TaskStatus) []string {
	what := fmt.Sprintf("task %d for %s, valid until %s", t.ID, counted(t.Counts.Targets, "client", "clients"),
		humanize.Clock(t.NotAfter))
	if t.State == manager.TaskWaits {
		return []string{what, fmt.Sprintf("it waits for a second person: `statewire tasks approve %d`", t.ID)}
	}
	return []string{what, fmt.Sprintf("how far it is: `statewire tasks show %d`", t.ID)}
}

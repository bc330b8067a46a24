package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// Tasks are what a client was asked to do and has not come to an end of.
type Tasks struct {
	Waiting []Task
	Stopped bool // somebody stopped all tasks: nothing is sent
}

// Task is one task of a client.
type Task struct {
	ID       uint64
	Name     string // as its pack calls it
	Actor    string // who asked for it
	Approval bool   // it waits for a second person
	Step     string
	Reason   string // of queued: online, offline, duplicate, throttled; of refused and failed the code
	Detail   string
	ExitCode int
	At       time.Time // of the step
	NotAfter time.Time // it begins until then, or never
	Late     bool      // the result came when the site waited no longer
	Output   string    // its first line
}

// What is told of tasks that are over.
const (
	endedTasks  = 3
	endedWithin = 7 * 24 * time.Hour
)

// readTasks asks the notification manager for what waits: it knows more than the tables. Where it is away they tell.
func (e *evidence) readTasks(ctx context.Context, x *Explainer) error {
	ended, err := x.storedTasks(ctx, e, true, e.now.Add(-endedWithin), endedTasks)
	if err != nil {
		return err
	}
	e.doneTasks = ended
	if x.tasks != nil {
		if e.tasks, err = x.tasks(ctx, e.client.ID); err == nil {
			return nil
		}
		x.log.Warn("ask which tasks wait for a client", "client", e.client.ID, "err", err)
	}
	e.tasks.Waiting, err = x.storedTasks(ctx, e, false, time.Unix(0, 0), maxStoredTasks)
	return err
}

// maxStoredTasks bounds what is read of a client's open tasks.
const maxStoredTasks = 100

// storedTasks are a client's tasks as the tables have them.
func (x *Explainer) storedTasks(ctx context.Context, e *evidence, ended bool, since time.Time, most int) ([]Task,
	error) {
	rows, err := x.ask(ctx, "tasks", map[string]string{"client": e.client.ID.String(), "ended": fmt.Sprint(ended),
		"since": micros(since), "most": fmt.Sprint(most)})
	var list []Task
	for _, r := range rows {
		list = append(list, taskOf(r))
	}
	return list, err
}

func taskOf(r reports.Record) Task {
	return Task{ID: r.Uint("task_id"), Name: r.Raw("name"), Actor: r.Raw("actor"), Approval: r.Raw("state") == "approval",
		Step: r.Raw("step"), Reason: r.Raw("reason"), Detail: r.Raw("detail"), ExitCode: r.Count("exit_code"),
		At: r.Time("at"), NotAfter: r.Time("not_after"), Late: r.Uint("late") == 1, Output: FirstLine(r.Raw("output"))}
}

// FirstLine is the first line of a text that has something on it.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

// shownTasks is how many waiting tasks are told one by one.
const shownTasks = 5

// tasked tells what the client was asked to do, and how that went.
func (f *facts) tasked() {
	for i, t := range f.tasks.Waiting {
		if i == shownTasks {
			f.add(Note, "tasks_more", time.Time{}, "%d more tasks wait.", len(f.tasks.Waiting)-i)
			break
		}
		severity, why := f.waits(t)
		f.add(severity, "task_"+t.Step, t.At, "Task %s %s", t.called(), why)
	}
	for _, t := range f.doneTasks {
		severity, how := f.endedSo(t)
		f.add(severity, "task_"+t.Step, t.At, "Task %s %s", t.called(), how)
	}
}

// called is the task in a sentence.
func (t Task) called() string { return fmt.Sprintf("%d (%s)", t.ID, tabular.Shorten(t.Name, 80)) }

// waits says what a task waits for.
func (f *facts) waits(t Task) (Severity, string) {
	until := "until " + humanize.Clock(t.NotAfter) + " at the latest"
	switch t.Step {
	case "pushed":
		return Note, "was sent to it at " + f.when(t.At) + ", and it has not answered yet."
	case "received":
		return Note, "is on the machine since " + f.when(t.At) + ", and has not begun."
	case "running":
		return Note, "runs on the machine since " + f.when(t.At) + "."
	}
	switch {
	case t.Approval:
		return Note, "waits for a second person, who has to agree to what " + person(t.Actor) + " asked for, " + until + "."
	case f.tasks.Stopped:
		return Warning, "waits, because all tasks are stopped, " + until + "."
	case t.Reason == "offline":
		return Note, "waits for the client to connect, " + until + "."
	case t.Reason == "duplicate":
		return Warning, "is not sent: several machines sign in with this client's identity."
	case t.Reason == "throttled":
		return Note, "waits for its turn: a server sends to so many clients a second as notifier.throttle allows, " +
			until + "."
	}
	return Note, "waits to be sent to it, " + until + "."
}

// endedSo says how a task ended.
func (f *facts) endedSo(t Task) (Severity, string) {
	at := " at " + f.when(t.At)
	if t.Late {
		at += ", when the site waited no longer"
	}
	said := "."
	if t.Output != "" {
		said = ": " + tabular.Shorten(t.Output, 120)
	}
	switch t.Step {
	case "succeeded":
		return OK, "succeeded" + at + said
	case "failed":
		return Warning, "failed" + at + ", " + t.failure() + said
	case "refused":
		return Warning, "was refused by the client" + at + ": " + RefusalWords(t.Reason) + "."
	case "expired":
		return Note, "expired" + at + ": the client did not begin it in time."
	case "cancelled":
		return Note, "was cancelled" + at + "."
	}
	return Warning, "has no known end: the client began it, and the site waited for its answer until " + f.when(t.At) + "."
}

// failure is what a task failed of.
func (t Task) failure() string {
	switch t.Reason {
	case "timeout":
		return "because its time was over"
	case "interrupted":
		return "because the agent stopped while it ran"
	case "not_started":
		return "because its program could not be started: " + tabular.Shorten(t.Detail, 120)
	case "", "exit_code":
		return fmt.Sprintf("exit code %d", t.ExitCode)
	}
	return tabular.Shorten(strings.TrimSpace(t.Reason+" "+t.Detail), 120)
}

// refusals are the codes with which an agent refuses a task, in words.
var refusals = map[string]string{
	"bad_envelope":    "what came was no task",
	"bad_signature":   "the signature is not of this site's key",
	"unknown_key":     "its keys of the site are older than the one that signed the task",
	"wrong_site":      "the task is of another site",
	"wrong_client":    "the task is for another client",
	"expired":         "its time was over",
	"no_pack":         "the client does not have the pack and could not fetch it",
	"no_task":         "its pack has no such task",
	"not_for_this_os": "the machine has no command for it",
	"bad_parameter":   "a parameter has a value that the pack does not allow",
	"not_overridable": "a parameter was given that nobody may give",
	"denied_locally":  "the machine's own settings do not allow it",
	"report_only":     "the machine's agent only checks tasks: agent.tasks is report",
	"no_space":        "the machine has no space to remember it, or too many tasks wait there",
}

// RefusalWords say a code with which an agent refuses a task; a code that is not known stands for itself.
func RefusalWords(code string) string {
	if words, ok := refusals[code]; ok {
		return words
	}
	return cmp.Or(tabular.Shorten(code, 80), "it gave no reason")
}

// task tells what a person can do for the tasks that wait.
func (n *next) task() {
	if n.tasks.Stopped && len(n.tasks.Waiting) > 0 {
		n.add(time.Time{}, "To let tasks go on: `statewire notify resume`")
	}
	for _, t := range n.tasks.Waiting[:min(len(n.tasks.Waiting), shownTasks)] {
		if t.Approval {
			n.add(time.Time{}, "To agree to task %d, as somebody else than %s: `statewire tasks approve %d`", t.ID,
				person(t.Actor), t.ID)
		}
	}
	if slices.ContainsFunc(n.doneTasks, func(t Task) bool { return t.Step == "failed" || t.Step == "refused" }) {
		n.add(time.Time{}, "What a task wrote on the machine: `statewire tasks show ID --output --client %s`",
			WireID(n.client.ID))
	}
}

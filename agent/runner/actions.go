package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/agent/runner/process"
	"statewire/internal/topics"
	"statewire/packs"
	"statewire/smx"
)

const (
	// policyTask is the task that a request for the policy stands for.
	policyTask = "Statewire.Utility.Policy"
	// maxOutput bounds what is kept of a task's output.
	maxOutput = 1 << 20
	// maxLine bounds the line of output that goes into a state.
	maxLine = 500
	// usualPriority is that of reports with the outcome of a task.
	usualPriority = 5
	// taskVariable is how a program learns which task it is.
	taskVariable = "SW_TASK_GUID"
)

// commandActions are the built-in actions that this machine's own commands carry out.
func commandActions() []string {
	return []string{"quick-scan", "full-scan", "update-definitions"}
}

// ownCommand is the machine's own command for a built-in action; nil when there is none.
func (w *work) ownCommand() []string {
	for _, name := range commandActions() {
		if name == w.task.Action.BuiltIn {
			return w.rules.Commands[name]
		}
	}
	return nil
}

// able says whether this machine has what a task needs.
func (r *Runner) able(w *work) bool {
	switch w.task.Action.BuiltIn {
	case "":
		return r.d.Folder != ""
	case "policy", "send", "resync", "test-event":
		return true
	case "scan":
		return r.d.Scan != nil
	case "collect-logs":
		return r.d.Logs != nil
	case "restart-agent":
		return r.d.Restarts
	}
	return r.d.Folder != "" && len(w.ownCommand()) > 0
}

// act does what a task says.
func (r *Runner) act(ctx context.Context, id uuid.UUID, w *work, timeout time.Duration) outcome {
	switch action := w.task.Action; action.BuiltIn {
	case "policy":
		r.d.Agent.PollNow()
		return said("the policy is asked for")
	case "send":
		r.d.Agent.SendNow()
		return said("what waits is sent")
	case "resync":
		return tried("the whole cache is sent again", r.d.Agent.Resend())
	case "test-event":
		return r.testEvent(w)
	case "scan":
		text, err := r.d.Scan(ctx)
		return tried(text, err)
	case "collect-logs":
		text, err := r.d.Logs(ctx)
		return tried(string(text), err)
	case "restart-agent":
		return said("the agent starts again")
	case "":
		return r.program(ctx, id, w, timeout)
	}
	return r.command(ctx, id, w, timeout)
}

func said(text string) outcome {
	kept := text[:min(len(text), maxOutput)]
	return outcome{output: []byte(kept), size: uint64(len(text))}
}

func tried(text string, err error) outcome {
	o := said(text)
	if err != nil {
		o.code, o.detail, o.exit = notStarted, err.Error(), 1
	}
	return o
}

// testEvent raises a state with a text of whoever asked for it.
func (r *Runner) testEvent(w *work) outcome {
	text := ""
	for _, v := range w.values {
		if v.Name == "Text" {
			text = v.Value
		}
	}
	err := r.d.Agent.Raise(r.state(topics.TestEvent, w.task.ID, topics.TestEventRaised, text))
	r.d.Agent.SendNow()
	return tried("the test event is raised", err)
}

// state is one that the runner itself raises. Its parameters may be any bytes of a program.
func (r *Runner) state(topicType uint32, id string, state uint32, params ...string) cache.State {
	for i := range params {
		params[i] = smx.Spell(params[i])
	}
	return cache.State{Priority: usualPriority, Message: smx.Message{Time: r.clock.Wall(), TopicType: topicType,
		TopicID: id, StateID: state, Params: params}}
}

// command runs the machine's own command. What came of it is a state, too: its topic id is the task's name.
func (r *Runner) command(ctx context.Context, id uuid.UUID, w *work, timeout time.Duration) outcome {
	own := w.ownCommand()
	o := r.run(ctx, id, w, timeout, process.Spec{Path: own[0], Args: own[1:]})
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return o
	}
	state := uint32(topics.TaskSucceeded)
	if o.code != "" {
		state = topics.TaskFailed
	}
	err := r.d.Agent.Raise(r.state(topics.Task, w.task.ID, state, fmt.Sprint(o.exit), firstLine(o)))
	if err != nil {
		r.warn("outcome of a task not raised", "task", id, "err", err)
	}
	r.d.Agent.SendNow()
	return o
}

// firstLine is the first line of output, or why there is none.
func firstLine(o outcome) string {
	line, _, _ := strings.Cut(string(o.output), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		line = o.detail
	}
	return strings.ToValidUTF8(line[:min(len(line), maxLine)], "\uFFFD")
}

// program runs a command or a script of a pack.
func (r *Runner) program(ctx context.Context, id uuid.UUID, w *work, timeout time.Duration) outcome {
	var s process.Spec
	switch action := w.task.Action; {
	case action.Command != nil:
		s.Path, s.Args = action.Command.Path, action.Command.Fill(w.values)
	case action.Script != nil:
		s.Path, s.Script = action.Script.Interpreter, action.Script.Text
	default:
		return outcome{code: notStarted, detail: "the task has no action"}
	}
	return r.run(ctx, id, w, timeout, s)
}

// run runs a process within the bounds of a task.
func (r *Runner) run(ctx context.Context, id uuid.UUID, w *work, timeout time.Duration, s process.Spec) outcome {
	s.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, packs.Environment(w.values)...)
	s.Env = append(s.Env, taskVariable+"="+id.String()) // the last one counts, whatever a parameter is called
	s.Folder, s.Timeout, s.Output = r.d.Folder, timeout, maxOutput
	if limit := w.task.OutputLimit; limit > 0 {
		s.Output = min(s.Output, limit)
	}
	result, err := r.d.Process(ctx, s)
	o := outcome{exit: int32(result.ExitCode), output: result.Output, size: result.Size}
	switch {
	case err != nil && ctx.Err() == nil:
		o.code, o.detail = notStarted, err.Error()
	case err != nil:
		o.code, o.detail = interrupted, err.Error()
	case result.TimedOut:
		o.code, o.detail = timedOut, fmt.Sprintf("it took longer than %v", timeout)
	case result.ExitCode != 0:
		o.code, o.detail = exitCode, fmt.Sprintf("%s ended with %d", filepath.Base(s.Path), result.ExitCode)
	}
	return o
}

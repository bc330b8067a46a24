package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/backoff"
	"statewire/internal/humanize"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
)

// Waiting for the end of a task.
const (
	waitLook  = 300 * time.Millisecond // how often a command looks how far a task is
	waitFirst = 50 * time.Millisecond  // and at first: a connected client is done in less than a second
	waitGrace = time.Minute            // how long after its time the last words of clients may come
)

// waitFor waits until every client came to an end, shows how far that is, and says how it ended.
func (g *globals) waitFor(ctx context.Context, cmd *cobra.Command, q taskQueue, t manager.TaskStatus) error {
	for _, line := range madeWords(t) {
		fmt.Fprintln(cmd.ErrOrStderr(), line)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), waitWords(t))
	bar := newBar(cmd.ErrOrStderr(), t.Counts.Targets, "notify", "")
	look, told := waitFirst, onlyOffline(t.Counts)
	for !over(t, time.Now()) {
		if err := backoff.Sleep(ctx, look); err != nil {
			return goesOn(t)
		}
		look = min(2*look, waitLook)
		now, err := q.Show(ctx, manager.By{}, t.Task.String(), manager.ShowOptions{}, nil)
		switch {
		case ctx.Err() != nil:
			return goesOn(t)
		case err != nil:
			return fmt.Errorf("look how far task %d is: %w", t.ID, err)
		}
		t = now
		if alone := onlyOffline(t.Counts); alone != told {
			if told = alone; alone {
				_ = bar.Clear()
				fmt.Fprintln(cmd.ErrOrStderr(), waitWords(t))
			}
		}
		_ = bar.Set(atEnd(t.Counts))
	}
	_ = bar.Exit()
	return g.writeEnd(ctx, cmd, q, t)
}

// goesOn is what whoever interrupts the waiting hears: nothing was taken back.
func goesOn(t manager.TaskStatus) error {
	return fmt.Errorf("task %d goes on without this command: `statewire tasks show %d`", t.ID, t.ID)
}

// onlyOffline says that only clients that are not connected are waited for.
func onlyOffline(c manager.Counts) bool {
	return c.Offline > 0 && atEnd(c)+c.Offline >= c.Targets
}

// waitWords say for whom a command waits.
func waitWords(t manager.TaskStatus) string {
	const leave = "Ctrl-C ends the waiting, not the task."
	switch n := t.Counts.Offline; n {
	case 0:
		return fmt.Sprintf("waiting for %s. %s", counted(t.Counts.Targets-atEnd(t.Counts), "client", "clients"), leave)
	case 1:
		return fmt.Sprintf("1 client is offline; it gets it on coming back until %s. %s", humanize.Clock(t.NotAfter), leave)
	default:
		return fmt.Sprintf("%s are offline; they get it on coming back until %s. %s", counted(n, "client", "clients"),
			humanize.Clock(t.NotAfter), leave)
	}
}

// atEnd is how many clients do no more for a task.
func atEnd(c manager.Counts) int {
	return c.Succeeded + c.Failed + c.Refused + c.Expired + c.Cancelled + c.Unknown
}

// over says that nothing more is to be waited for.
func over(t manager.TaskStatus, now time.Time) bool {
	return t.State == manager.TaskEnded || t.State == manager.TaskCancelled || atEnd(t.Counts) >= t.Counts.Targets ||
		now.After(t.NotAfter.Add(waitGrace)) && t.Counts.Running == 0
}

// writeEnd writes how a task ended, first the clients that did not succeed. Its exit code says whether all did.
func (g *globals) writeEnd(ctx context.Context, cmd *cobra.Command, q taskQueue, t manager.TaskStatus) error {
	steps, err := stepsOf(ctx, q, t.Task.String(), manager.ShowOptions{})
	if err != nil {
		return err
	}
	if err := g.writeTask(ctx, cmd.OutOrStdout(), q, t, steps); err != nil {
		return err
	}
	if t.Counts.Succeeded == t.Counts.Targets {
		return nil
	}
	return &cli.ExitStatus{Code: cli.ExitFailed, Err: errors.New(endWords(t.Counts))}
}

// endWords say why not all is well.
func endWords(c manager.Counts) string {
	return fmt.Sprintf("%d of %s succeeded", c.Succeeded, counted(c.Targets, "client", "clients"))
}

// stepsOf collects the steps of a task.
func stepsOf(ctx context.Context, q taskQueue, id string, o manager.ShowOptions) ([]manager.StepStatus, error) {
	var steps []manager.StepStatus
	_, err := q.Show(ctx, manager.By{}, id, o, func(s manager.StepStatus) error {
		steps = append(steps, s)
		return nil
	})
	return steps, err
}

// badFirst orders steps for a person: what needs one stands first.
var badFirst = []wire.Step{wire.StepFailed, wire.StepRefused, wire.StepUnknown, wire.StepExpired, wire.StepRunning,
	wire.StepReceived, wire.StepPushed, wire.StepQueued, wire.StepCancelled, wire.StepSucceeded}

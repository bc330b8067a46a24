package runner

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
)

const (
	maxReady  = 8   // answers that wait for the channel
	maxUntold = 100 // of those that are not kept
)

type answer = wire.Answer

// answerOf says how far a task is.
func answerOf(t cache.Task, now time.Time) answer {
	step := wire.Step(t.Step)
	kind := wire.Response
	if step == wire.StepReceived || step == wire.StepRunning {
		kind = wire.Received
	}
	return answer{Kind: kind, Payload: wire.ResponseMessage{Time: now, Push: t.Push, TaskID: t.Number, Task: t.ID,
		Step: step,
		Code: t.Code, Detail: t.Detail, ExitCode: t.ExitCode, Started: t.Started, Finished: t.Finished,
		Output: wire.Output{Size: t.Size, Truncated: t.Cut, Text: t.Output}}.Encode()}
}

// tell puts a task among those of which the site is to be told.
func (r *Runner) tell(id uuid.UUID) {
	if r.tasks[id] != nil && !slices.Contains(r.say, id) {
		r.say = append(r.say, id)
	}
	r.fill()
}

// fill makes the answers that the channel takes next.
func (r *Runner) fill() {
	r.untold = r.untold[max(0, len(r.untold)-maxUntold):]
	for r.room() {
		switch {
		case len(r.untold) > 0:
			r.offer(r.untold[0])
			r.untold = r.untold[1:]
		case len(r.say) > 0:
			id := r.say[0]
			r.say = r.say[1:]
			r.offerStep(id)
		default:
			return
		}
	}
}

func (r *Runner) room() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ready) < maxReady
}

func (r *Runner) offer(a answer) {
	r.mu.Lock()
	r.ready = append(r.ready, a)
	r.mu.Unlock()
	poke(r.more)
}

// offerStep makes the answer of a task from what is kept of it.
func (r *Runner) offerStep(id uuid.UUID) {
	t := r.tasks[id]
	if t == nil {
		return
	}
	kept, known, err := r.d.Store.Task(id)
	if err != nil || !known {
		r.warn("task not read", "task", id, "err", err)
		return
	}
	kept.Push = t.Push
	r.offer(answerOf(kept, r.clock.Wall()))
}

// Connected lets everything be said again that the site has not confirmed.
func (r *Runner) Connected() {
	r.do(func(context.Context) {
		r.mu.Lock()
		r.ready = nil
		r.mu.Unlock()
		r.say = slices.Clone(r.order)
	})
}

// Confirmed says whose ends the site knows.
func (r *Runner) Confirmed(ids []uuid.UUID) {
	r.do(func(context.Context) {
		for _, id := range ids {
			r.confirm(id)
		}
	})
}

func (r *Runner) confirm(id uuid.UUID) {
	t := r.tasks[id]
	if t == nil || t.Open {
		return
	}
	next := t.Task
	next.Untold, next.Output = false, ""
	if err := r.d.Store.PutTask(next, "", [4]uint32{}); err != nil {
		r.warn("confirmation of a task not kept", "task", id, "err", err)
		return
	}
	r.drop(id)
}

// Answers has something when Take has.
func (r *Runner) Answers() <-chan struct{} { return r.more }

// Take returns what is to be sent, a few frames at a time.
func (r *Runner) Take() []wire.Answer {
	r.mu.Lock()
	some := r.ready
	r.ready = nil
	r.mu.Unlock()
	poke(r.poked) // for more
	return some
}

// Listed is a task as people see it.
type Listed struct {
	ID       uuid.UUID
	Number   uint64
	Name     string
	Step     string
	Code     string
	Received time.Time
	Started  time.Time
	Finished time.Time
	NotAfter time.Time
}

// Held are the tasks that have not ended, or whose end the site has not confirmed.
func (r *Runner) Held() (held []wire.Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.listed[:min(len(r.listed), maxHeld)] {
		held = append(held, wire.Held{Task: t.ID, Step: t.Step})
	}
	return held
}

// Counts are how many tasks are held, and how many of them run.
func (r *Runner) Counts() (held, running int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.listed {
		if t.Step == string(wire.StepRunning) {
			running++
		}
	}
	return len(r.listed), running
}

// list makes what others see of the tasks.
func (r *Runner) list() {
	listed := make([]Listed, 0, len(r.order))
	for _, id := range r.order {
		listed = append(listed, listedOf(r.tasks[id].Task))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = listed
}

func listedOf(t cache.Task) Listed {
	return Listed{ID: t.ID, Number: t.Number, Name: t.Name, Step: t.Step, Code: t.Code, Received: t.Received,
		Started: t.Started, Finished: t.Finished, NotAfter: t.NotAfter}
}

// List is every task whose id is known, by when it came.
func (r *Runner) List() (all []Listed, err error) {
	err = r.d.Store.Tasks(func(t cache.Task) { all = append(all, listedOf(t)) })
	slices.SortStableFunc(all, func(a, b Listed) int { return a.Received.Compare(b.Received) })
	return all, err
}

// inline is what an answer carries of an output: all of it, or its beginning.
func inline(output []byte, size uint64) (text string, cut bool) {
	if len(output) > wire.MaxInline {
		output = output[:wire.FirstInline]
	}
	text = strings.ToValidUTF8(string(bytes.TrimRight(output, "\x00")), "\uFFFD")
	if len(text) > wire.MaxInline {
		text = wire.Cut(text, wire.FirstInline)
	}
	return text, uint64(len(output)) < size
}

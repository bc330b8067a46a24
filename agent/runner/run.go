package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
)

const (
	// lookInterval is how often tasks are looked at that wait: time may have passed in sleep.
	lookInterval = time.Minute
	// retryInterval is the time after which a write is tried again that failed.
	retryInterval  = 10 * time.Second
	forgetInterval = time.Hour
	// overtime is what a task may take to end after its time-out.
	overtime = 10 * time.Second
)

// finished is a task that has ended.
type finished struct {
	task    uuid.UUID
	end     *end
	stopped bool // with the runner: nobody knows what it would have come to
}

// end is how a task ended.
type end struct {
	outcome
	started, finished time.Time
	restart           bool // the agent is to start again
	raised            bool // its whole output waits to be sent
}

// outcome is what came of an action.
type outcome struct {
	exit   int32
	output []byte // what is kept of it
	size   uint64 // of all of it
	code   string // why it failed; empty: it did not
	detail string
}

// recall reads what is kept. A task that was running has failed, unless it may run again; one that has not begun begins
// once the time is known.
func (r *Runner) recall() error {
	var all []cache.Task
	if err := r.d.Store.Tasks(func(t cache.Task) {
		if t.Open || t.Untold {
			t.Output = ""
			all = append(all, t)
		}
	}); err != nil {
		return fmt.Errorf("read the tasks that are kept: %w", err)
	}
	slices.SortStableFunc(all, func(a, b cache.Task) int { return a.Received.Compare(b.Received) })
	for _, t := range all {
		if r.repeatable(t) {
			t.Step, t.Started = string(wire.StepReceived), time.Time{}
			if err := r.d.Store.PutTask(t, "", [4]uint32{}); err != nil { // it runs again nevertheless
				r.warn("task that runs again not kept", "task", uuid.UUID(t.ID), "err", err)
			}
		}
		r.hold(t, 0, true)
		if t.Open && wire.Step(t.Step) == wire.StepRunning { // a full disk is no reason not to start
			held := r.tasks[t.ID]
			held.end = &end{outcome: outcome{code: interrupted, detail: "the agent ended while it ran"},
				started: t.Started, finished: r.clock.Wall()}
			r.conclude(held)
		}
	}
	return nil
}

// repeatable says whether a task that was running when the process ended may run again.
func (r *Runner) repeatable(t cache.Task) bool {
	if !t.Open || wire.Step(t.Step) != wire.StepRunning {
		return false
	}
	m, err := wire.DecodeRequest(t.Request)
	if err != nil {
		return false
	}
	w, err := r.plan(m)
	return err == nil && w.task.Repeatable
}

// begin lets tasks begin that are due, in the order in which they came, as long as not too many run.
func (r *Runner) begin(ctx context.Context) {
	if r.restart != nil {
		return
	}
	for _, id := range slices.Clone(r.order) {
		t := r.tasks[id]
		if t == nil || !t.Open || t.running || t.end != nil || !r.ripe(t) {
			continue
		}
		if r.running < maxRunning && r.clock.Boot() >= r.retry {
			r.start(ctx, t)
		}
	}
}

// ripe says whether a task may begin. One whose time is over has been refused hereby.
func (r *Runner) ripe(t *task) bool {
	if t.kept && !r.clock.known {
		return false // nobody can tell how long the agent was away
	}
	now := r.clock.now()
	if now.After(t.NotAfter) {
		r.refuseOpen(t, refuse(expired, "its time ended at %s, and it is %s", stamp(t.NotAfter), stamp(now)))
		return false
	}
	if t.kept {
		return !now.Before(t.Begin)
	}
	return r.clock.Boot() >= t.begin
}

// start begins a task. That it runs is on disk before it does.
func (r *Runner) start(ctx context.Context, t *task) {
	kept, known, err := r.d.Store.Task(t.ID)
	switch {
	case err != nil:
		r.fail("task not read", err)
		return
	case !known: // it must not hold up the others
		r.warn("task not begun", "task", uuid.UUID(t.ID), "err", errGone(known))
		r.drop(t.ID)
		return
	}
	m, err := wire.DecodeRequest(kept.Request)
	if err != nil {
		r.refuseOpen(t, refuse(noTask, "what was kept of it is not understood: %v", err))
		return
	}
	w, err := r.look(m) // what this machine allows may be something else by now
	if err != nil {
		r.refuseOpen(t, err)
		return
	}
	kept.Step, kept.Started, kept.Push = string(wire.StepRunning), r.clock.Wall(), t.Push
	if err := r.d.Store.PutTask(kept, "", [4]uint32{}); err != nil {
		r.fail("task not begun", err)
		return
	}
	t.Step, t.Started, t.running = kept.Step, kept.Started, true
	r.running++
	r.tell(t.ID)
	go r.execute(ctx, t.ID, w)
}

func errGone(known bool) error {
	if known {
		return nil
	}
	return errors.New("it is gone from the store")
}

// fail notes that the store does not take something, so that it is tried again later.
func (r *Runner) fail(what string, err error) {
	r.retry = r.clock.Boot() + retryInterval
	r.warn(what, "err", err)
}

// execute does what a task says, until its time is over.
func (r *Runner) execute(ctx context.Context, id uuid.UUID, w *work) {
	timeout := w.task.Timeout
	if asked := w.message.Timeout; asked > 0 {
		timeout = min(timeout, asked)
	}
	began := r.clock.Wall()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out := make(chan outcome, 1)
	go func() { out <- r.act(ctx, id, w, timeout) }()
	e := &end{started: began, restart: w.task.Action.BuiltIn == "restart-agent"}
	timer := time.NewTimer(timeout + overtime)
	defer timer.Stop()
	select {
	case e.outcome = <-out:
	case <-timer.C:
		e.outcome = outcome{code: timedOut, detail: fmt.Sprintf("it did not end %v after its time", overtime)}
	}
	stopped := context.Cause(ctx) == context.Canceled && e.code != ""
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && e.code != "" {
		e.code, e.detail = timedOut, fmt.Sprintf("it took longer than %v", timeout)
	}
	e.finished = r.clock.Wall()
	r.done <- finished{id, e, stopped}
}

// finish keeps how a task ended. Until that is on disk nobody is told. One that was stopped has not ended: whoever
// starts next finds it running.
func (r *Runner) finish(f finished) {
	if r.running--; f.stopped {
		return
	}
	t := r.tasks[f.task]
	t.running, t.end = false, f.end
	r.conclude(t)
}

// settle tries again to keep the ends that the store did not take.
func (r *Runner) settle() {
	if r.clock.Boot() < r.retry {
		return
	}
	for _, t := range r.tasks {
		if t.end != nil {
			r.conclude(t)
		}
	}
}

func (r *Runner) conclude(t *task) {
	if err := r.keep(t.ID, t.end); err != nil {
		r.fail("end of a task not kept", err)
		return
	}
	if t.end.restart && t.end.code == "" {
		r.restart = &restart{task: t.ID, asked: r.clock.Boot()}
	}
	t.end = nil
	r.tell(t.ID)
}

// keep puts the end of a task into the store: first its whole output, where that is long.
func (r *Runner) keep(id uuid.UUID, e *end) error {
	t := r.tasks[id]
	kept, known, err := r.d.Store.Task(id)
	if err != nil || !known {
		return errors.Join(err, errGone(known))
	}
	if !e.raised { // once, however often what follows fails
		if err := r.raiseOutput(id, e.output); err != nil {
			return err
		}
		e.raised = true
	}
	kept.Step, kept.Code, kept.Detail = string(wire.StepSucceeded), e.code, e.detail
	if e.code != "" {
		kept.Step = string(wire.StepFailed)
	}
	kept.ExitCode, kept.Started, kept.Finished, kept.Push = e.exit, e.started, e.finished, t.Push
	kept.Open, kept.Untold, kept.Request = false, true, nil
	kept.Size = max(e.size, uint64(len(e.output)))
	kept.Output, kept.Cut = inline(e.output, kept.Size)
	if err := r.d.Store.PutTask(kept, "", [4]uint32{}); err != nil {
		return err
	}
	r.log("task ended", "task", id, "name", kept.Name, "step", kept.Step, "code", kept.Code, "exit", kept.ExitCode,
		"took", e.finished.Sub(e.started))
	kept.Output = ""
	t.Task = kept
	return nil
}

// refuseOpen refuses a task that was taken on and has not begun.
func (r *Runner) refuseOpen(t *task, why error) {
	r.closeOpen(t, func(kept *cache.Task) { refused(kept, why) })
}

// closeOpen ends a task that has not begun, in the store and here.
func (r *Runner) closeOpen(t *task, how func(*cache.Task)) {
	next := t.Task
	how(&next)
	next.Open, next.Untold, next.Request, next.Finished = false, true, nil, r.clock.Wall()
	if err := r.d.Store.PutTask(next, "", [4]uint32{}); err != nil {
		r.fail("end of a task not kept", err)
		return
	}
	t.Task = next
	r.log("task ended", "task", uuid.UUID(t.ID), "name", t.Name, "step", t.Step, "code", t.Code)
	r.tell(t.ID)
}

// cancel takes a task back that has not begun. One that never came does not begin when it comes.
func (r *Runner) cancel(push uint64, envelope []byte) {
	var m wire.CancelMessage
	_, err := r.open(envelope, wire.CancelType, func(payload []byte) (_, _ uuid.UUID, _ time.Time, err error) {
		m, err = wire.DecodeCancel(payload)
		return m.Site, m.Client, m.Issued, err
	})
	if err != nil {
		r.doubt("cancellation not believed", "why", err)
		return
	}
	cancelled := func(t *cache.Task) { t.Step = string(wire.StepCancelled) }
	if t := r.tasks[m.Task]; t != nil && t.Open && !t.running && t.end == nil {
		t.Push = push
		r.closeOpen(t, cancelled)
		return
	}
	known, err := r.known(m.Task, push)
	if err != nil || known {
		return
	}
	t := cache.Task{ID: m.Task, Push: push, Received: r.clock.Wall(), Keep: r.clock.now().Add(2 * keepIDs), Untold: true}
	cancelled(&t)
	if err := r.d.Store.PutTask(t, "", [4]uint32{}); err != nil { // it could still come and begin: nobody is told
		r.warn("cancellation not kept", "task", m.Task, "err", err)
		return
	}
	if len(r.tasks) >= maxHeld {
		r.untold = append(r.untold, answerOf(t, r.clock.Wall()))
		return
	}
	r.hold(t, 0, false)
	r.tell(m.Task)
}

// forget drops the ids whose time is over by the greatest time that is on disk: what has passed since, and the site's
// own word, are gone with the next start of the machine, and a task whose id was forgotten would then be a new one.
func (r *Runner) forget() {
	now := r.clock.stored
	if r.clock.Boot() < r.forgot || now.IsZero() {
		return
	}
	r.forgot = r.clock.Boot() + forgetInterval
	var old [][16]byte
	err := r.d.Store.Tasks(func(t cache.Task) {
		if !t.Open && now.After(t.Keep) {
			old = append(old, t.ID)
		}
	})
	if err == nil && len(old) > 0 {
		err = r.d.Store.ForgetTasks(old)
	}
	if err != nil {
		r.warn("old tasks not forgotten", "err", err)
		return
	}
	for _, id := range old {
		r.drop(id)
	}
}

// drop keeps no account of a task any more; the store may.
func (r *Runner) drop(id uuid.UUID) {
	if r.tasks[id] == nil {
		return
	}
	delete(r.tasks, id)
	r.order = slices.DeleteFunc(r.order, func(other uuid.UUID) bool { return other == id })
}

// wait is the time until Run has something to do by itself.
func (r *Runner) wait() time.Duration {
	now, wait := r.clock.Boot(), time.Duration(forgetInterval)
	if r.restart != nil {
		wait = restartLook
	}
	for _, t := range r.tasks {
		switch {
		case t.end != nil:
			wait = min(wait, max(0, r.retry-now), retryInterval)
		case t.Open && !t.running:
			wait = min(wait, lookInterval)
			if begin := t.begin - now; begin > 0 {
				wait = min(wait, begin)
			}
			if r.retry > now {
				wait = min(wait, r.retry-now)
			}
		}
	}
	return max(wait, time.Millisecond)
}

const (
	restartLook = 100 * time.Millisecond
	// confirmPatience is how long a restart waits until the site knows that it succeeds; workPatience, until other tasks
	// have ended.
	confirmPatience = 5 * time.Second
	workPatience    = time.Minute
)

// restart is a restart of the agent that a task asked for.
type restart struct {
	task  uuid.UUID
	asked time.Duration
}

// due says whether the restart comes now: the result of the task that asked for it is on disk, the site most likely
// knows, and nothing runs.
func (s *restart) due(r *Runner) bool {
	if s == nil {
		return false
	}
	since := r.clock.Boot() - s.asked
	confirmed := r.tasks[s.task] == nil || since >= confirmPatience
	return confirmed && (r.running == 0 || since >= workPatience)
}

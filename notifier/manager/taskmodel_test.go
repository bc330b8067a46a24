package manager

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"statewire/notifier/wire"
	"statewire/store/storetest"
)

// taskWorld is a server, some clients that do tasks, the way between them and the manager, and the truth.
type taskWorld struct {
	*bench
	r       *rapid.T
	tasks   []uuid.UUID
	epoch   uint64
	got     uint64
	stopped bool
	clients []*taskClient
	queue   map[uint64]wire.Push // at the server, and not written
	gone    map[uint64]bool      // pushes that it was handed, ever
	results map[place]wire.Result
	flying  []wire.Result // that are on the way to the manager, at once
	files   [][]wire.Result
	ranks   map[place]wire.Step // as the manager last told
	done    map[place]int       // side effects
	resting map[uuid.UUID]bool  // tasks that somebody took back

	settling bool // nothing is lost any more
}

// place is a client in a task.
type place struct{ task, client uuid.UUID }

// taskClient is a machine that does tasks.
type taskClient struct {
	id        uuid.UUID
	session   uint64
	connected bool
	has       map[uuid.UUID]wire.Step
}

// Whatever is lost, doubled or late, and whoever is started anew: each task is done at most once, each step only goes
// on, and in the end each is what the client knows.
func TestModelOfTasks(t *testing.T) {
	root := memory(t)
	storetest.Checks(t, 60)
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(root, "tasks")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := newTaskWorld(t, r, dir)
		defer w.Close()
		for range rapid.IntRange(10, 80).Draw(r, "events") {
			w.event()
			w.check()
		}
		w.settle()
		w.compare()
	})
}

func newTaskWorld(t *testing.T, r *rapid.T, dir string) *taskWorld {
	w := &taskWorld{r: r, epoch: 1, bench: &bench{t: t, now: today, office: newOffice(), cfg: Config{Dir: dir,
		Box: filepath.Join(dir, "box"), Server: "push1", ServerID: 1, PresenceInterval: 1000 * time.Hour,
		Live: Live{Tasks: DefaultTasksConfig(), Throttle: 1}}},
		queue: map[uint64]wire.Push{}, gone: map[uint64]bool{}, results: map[place]wire.Result{},
		ranks: map[place]wire.Step{}, done: map[place]int{}, resting: map[uuid.UUID]bool{}}
	if err := os.MkdirAll(filepath.Join(w.cfg.Box, "bad"), 0o700); err != nil {
		r.Fatal(err)
	}
	w.open()
	for n := range 4 {
		w.clients = append(w.clients, &taskClient{id: id(n + 1), has: map[uuid.UUID]wire.Step{}})
	}
	return w
}

func (w *taskWorld) event() {
	c := w.clients[rapid.IntRange(0, len(w.clients)-1).Draw(w.r, "client")]
	switch rapid.SampledFrom([]string{"create", "come", "come", "go", "ask", "ask", "write", "write", "write", "run",
		"run",
		"tell", "tell", "lose", "file", "again", "restart", "server", "cancel", "minute", "stop"}).Draw(w.r, "event") {
	case "create":
		if len(w.tasks) < 4 {
			s := w.create(admin, order(1, 2, 3, 4))
			w.tasks = append(w.tasks, s.Task)
		}
	case "come":
		w.come(c)
	case "go":
		w.leave(c)
	case "ask":
		w.ask(rapid.Bool().Draw(w.r, "it gets there"))
	case "write":
		w.write()
	case "run":
		w.run(c)
	case "tell":
		w.tell(rapid.Bool().Draw(w.r, "twice"))
	case "lose":
		w.flying = nil
	case "file":
		w.file()
	case "again":
		if len(w.files) > 0 {
			w.bench.answers(1, w.files[rapid.IntRange(0, len(w.files)-1).Draw(w.r, "file")]...)
		}
	case "restart":
		w.restart()
	case "server":
		w.startServer()
	case "cancel":
		w.takeBack()
	case "minute":
		w.now = w.now.Add(time.Minute)
		w.step()
	case "stop":
		w.toggle()
	}
}

func (w *taskWorld) come(c *taskClient) {
	c.session++
	c.connected = true
	row := on(1, c.session, 1, 0)
	row.Client, row.Since, row.Last = c.id, w.now.Add(time.Duration(c.session)*time.Millisecond), w.now
	w.see(1, w.epoch, row)
	for task, step := range c.has { // what is unconfirmed is said again
		w.said(c, wire.Push{Task: task, Client: c.id}, step)
	}
}

func (w *taskWorld) leave(c *taskClient) {
	if !c.connected {
		return
	}
	c.connected = false
	row := off(1, c.session, 2, 0, wire.OfflineClosed)
	row.Client, row.Since, row.Last = c.id, w.now, w.now
	w.see(1, w.epoch, row)
}

// ask has the server take work, or lose it on the way.
func (w *taskWorld) ask(arrives bool) {
	work := w.bench.work(1, w.epoch, w.got)
	if !arrives || work.Number == w.got {
		return
	}
	w.got, w.stopped = work.Number, work.Stopped
	for _, p := range work.Pushes {
		if w.gone[p.Push] {
			w.r.Fatalf("push %d is handed out twice", p.Push)
		}
		w.gone[p.Push] = true
		w.queue[p.Push] = p
	}
	for _, p := range work.Cancels {
		w.cancelAt(p)
	}
}

// cancelAt drops what the server has in its queue, and tells the client.
func (w *taskWorld) cancelAt(p wire.Push) {
	for push, q := range w.queue {
		if q.Task == p.Task && q.Client == p.Client {
			delete(w.queue, push)
			w.bench.dropped(1, push, wire.DroppedCancelled)
		}
	}
	for _, c := range w.clients {
		if c.id == p.Client && c.connected {
			if step, has := c.has[p.Task]; !has || step == wire.StepReceived {
				c.has[p.Task] = wire.StepCancelled
			}
			w.said(c, p, c.has[p.Task])
		}
	}
}

// write writes the first push of the server's queue.
func (w *taskWorld) write() {
	if w.stopped || len(w.queue) == 0 {
		return
	}
	p := w.queue[slices.Min(slices.Collect(maps.Keys(w.queue)))]
	delete(w.queue, p.Push)
	for _, c := range w.clients {
		if c.id != p.Client {
			continue
		}
		if !c.connected || w.now.After(p.NotAfter) {
			w.bench.dropped(1, p.Push, wire.DroppedAway)
			return
		}
		w.note(wire.Result{Task: p.Task, Push: p.Push, Client: p.Client, Step: wire.StepPushed, Pushed: w.now, Pushes: 1})
		if _, has := c.has[p.Task]; !has && (w.settling || rapid.Bool().Draw(w.r, "it arrives")) {
			c.has[p.Task] = wire.StepReceived
		}
		if step, has := c.has[p.Task]; has {
			w.said(c, p, step)
		}
	}
}

// run has a client go on with a task.
func (w *taskWorld) run(c *taskClient) {
	for _, task := range w.tasks {
		switch c.has[task] {
		case wire.StepReceived:
			c.has[task] = wire.StepRunning
			w.done[place{task, c.id}]++
		case wire.StepRunning:
			c.has[task] = wire.StepSucceeded
		default:
			continue
		}
		if c.connected {
			w.said(c, wire.Push{Task: task, Client: c.id}, c.has[task])
		}
		return
	}
}

// said is what a client tells its server.
func (w *taskWorld) said(c *taskClient, p wire.Push, step wire.Step) {
	w.note(wire.Result{Task: p.Task, Push: p.Push, Client: c.id, Step: step})
}

// note has the server tell it at once, and in its next file.
func (w *taskWorld) note(r wire.Result) {
	key := place{r.Task, r.Client}
	if have, ok := w.results[key]; !ok || r.Step.Rank() >= have.Step.Rank() {
		w.results[key] = r
	}
	w.flying = append(w.flying, r)
}

// tell has some of what is on the way arrive, in any order.
func (w *taskWorld) tell(twice bool) {
	if len(w.flying) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.flying)-1).Draw(w.r, "which")
	w.bench.answers(1, w.flying[i])
	if !twice {
		w.flying = slices.Delete(w.flying, i, i+1)
	}
}

func (w *taskWorld) file() {
	results := slices.Collect(maps.Values(w.results))
	w.files = append(w.files, results)
	w.bench.answers(1, results...)
}

// startServer is the end of the server and its next start: its queue is lost, its results are durable.
func (w *taskWorld) startServer() {
	w.epoch, w.got, w.stopped = w.epoch+1, 0, false
	clear(w.queue)
	w.flying = nil
	for _, c := range w.clients {
		if c.connected && rapid.Bool().Draw(w.r, "it comes back") {
			w.come(c)
		} else {
			c.connected = false
		}
	}
	w.ask(true)
}

func (w *taskWorld) takeBack() {
	if len(w.tasks) == 0 {
		return
	}
	task := w.tasks[rapid.IntRange(0, len(w.tasks)-1).Draw(w.r, "task")]
	if _, err := w.Cancel(w.t.Context(), admin, task.String(), ""); err == nil {
		w.resting[task] = true
	} else if code(err) != "task_ended" {
		w.r.Fatal(err)
	}
}

func (w *taskWorld) toggle() {
	do := w.Stop
	if w.stop.Stopped {
		do = w.Resume
	}
	if err := do(w.t.Context(), admin, ""); err != nil {
		w.r.Fatal(err)
	}
}

// check holds every step against the one before, and the counts against the steps.
func (w *taskWorld) check() {
	for key, n := range w.done {
		if n > 1 {
			w.r.Fatalf("client %s did task %s %d times", key.client, key.task, n)
		}
	}
	for _, task := range w.tasks {
		status, steps := w.show(task.String())
		want := Counts{Targets: 4}
		for _, s := range steps {
			key := place{task, s.Client}
			if before := w.ranks[key]; s.Step.Rank() < before.Rank() || before.Told() && s.Step != before {
				w.r.Fatalf("client %s in task %s went from %s back to %s", s.Client, task, before, s.Step)
			}
			w.ranks[key] = s.Step
			if s.Late {
				want.Late++
				continue
			}
			if of := want.of(s.Step); of != nil {
				*of++
			}
		}
		have := status.Counts
		have.Queued, have.Offline = have.Queued+have.Offline, 0
		have.Expired, have.Cancelled, have.Unknown = have.Expired+have.Cancelled+have.Unknown-want.Late, 0, 0
		want.Expired, want.Cancelled, want.Unknown = want.Expired+want.Cancelled+want.Unknown, 0, 0
		if have != want {
			w.r.Fatalf("task %s: counts %+v, its steps are %+v", task, have, want)
		}
	}
	for id, c := range w.queues {
		if len(c.unwritten) > w.room() {
			w.r.Fatalf("server %d has %d pushes that it did not write", id, len(c.unwritten))
		}
	}
}

// settle has everybody come, and all be done that can be.
func (w *taskWorld) settle() {
	w.settling = true
	if w.stop.Stopped {
		w.toggle()
	}
	for range 12 {
		for _, c := range w.clients {
			w.come(c)
		}
		for range 30 {
			w.ask(true)
			w.write()
		}
		for range 10 {
			for _, c := range w.clients {
				w.run(c)
			}
		}
		w.file()
		w.check()
	}
}

// compare holds the manager's steps against what each client knows.
func (w *taskWorld) compare() {
	for _, task := range w.tasks {
		_, steps := w.show(task.String())
		for i, s := range steps {
			truth := w.clients[i].has[task]
			late := s.Step.Final() && !s.Step.Told() || s.Late
			if s.Step != truth && !(truth == "" && s.Step.Final() && !s.Step.Told()) && !(late && truth.Rank() < s.Step.Rank()) {
				w.r.Fatalf("task %s (taken back: %v): client %d is at %q, and counts as %s; %s", task, w.resting[task], i+1, truth,
					s.Step, fmt.Sprint(w.now.Sub(today)))
			}
			if truth == "" && !w.resting[task] && w.now.Sub(today) < time.Hour {
				w.r.Fatalf("client %d never got task %s", i+1, task)
			}
		}
	}
}

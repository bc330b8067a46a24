// Package runner carries out the tasks that a site asks a client for. Nothing runs that no task key of the site signed
// for this client, nothing runs twice whenever the process is killed, and nothing begins after its time; the wall clock
// is not asked. How a task ended is kept until the site has confirmed that it knows.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/agent/runner/process"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/trust"
)

const (
	maxRunning = 4   // tasks at a time
	maxWaiting = 100 // that have not begun
	maxHeld    = wire.MaxHeld
	// maxQueued bounds what others have asked of a runner and it has not looked at. What is dropped comes again when the
	// client signs in anew.
	maxQueued = 1000
)

// ErrRestart is what Run ends with when a task asks for a restart of the agent.
var ErrRestart = errors.New("a task asks for a restart of the agent")

// Store keeps what must outlive a restart. Every method is one transaction, durable when it returns.
type Store interface {
	// Task is what is kept of a task; false when its id is not known.
	Task(id [16]byte) (cache.Task, bool, error)
	// Tasks calls fn for everything that is kept.
	Tasks(fn func(cache.Task)) error
	// PutTask keeps a task, and the version of its pack as the one in force.
	PutTask(t cache.Task, pack string, version [4]uint32) error
	ForgetTasks(ids [][16]byte) error
	// PackVersion is the version of a pack that was in force last.
	PackVersion(pack string) ([4]uint32, bool, error)
	TaskTime() (cache.TaskTime, error)
	KeepTaskTime(t cache.TaskTime) error
}

// Client is the agent whose tasks these are.
type Client interface {
	Raise(states ...cache.State) error
	SendNow()
	PollNow()
	Resend() error
}

// Packs are the management packs that a client holds.
type Packs interface {
	// Get is a pack with this version and hash; an error when the client does not hold it.
	Get(id, version, hash string) (*packs.Pack, error)
}

// Deps is what a runner works with.
type Deps struct {
	Client uuid.UUID
	Site   func() string          // the site that the client enrolled with; empty: none
	Trust  func() *trust.Document // nil: none
	Store  Store
	Packs  Packs // beside the built-in one; nil: none
	Agent  Client
	Rules  Rules // this machine's own

	// Scan looks for package updates and says what it found, Logs is a text for whoever has to find out what is wrong with
	// the client. Nil where there is no such thing.
	Scan func(ctx context.Context) (string, error)
	Logs func(ctx context.Context) ([]byte, error)
	// Restarts says that whoever calls Run starts the agent again after ErrRestart.
	Restarts bool
	// Process runs a program; nil: process.Run. Simulated clients refuse what needs one.
	Process func(ctx context.Context, s process.Spec) (process.Result, error)
	Folder  string // for the files of scripts; empty: no program runs

	Version string       // of this program, for packs that want a newer one
	OS      string       // empty: this machine's
	Clock   Clock        // a zero one is the machine's
	Log     *slog.Logger // what every task does is Info
	Quiet   bool         // logs everything at Debug
}

// Runner carries out one client's tasks.
type Runner struct {
	// Constant after New.
	d     Deps
	clock clock
	poked chan struct{} // there is something in queue, or ready has room
	done  chan finished
	more  chan struct{} // there is something in ready

	// Owned by Run.
	tasks   map[uuid.UUID]*task // that have not ended, or of whose end the site is not sure
	order   []uuid.UUID         // the same, as they came
	running int
	say     []uuid.UUID // of whose step the site is to be told
	untold  []answer    // answers to what is not kept
	restart *restart    // nil: nobody asks for one
	forgot  time.Duration
	retry   time.Duration // a write failed: again at this steady time; 0 = none did
	doubted int           // what was not believed since it was logged
	doubtAt time.Duration // steady time before which it is not logged again

	// Guarded by mu.
	mu      sync.Mutex
	queue   []func(context.Context)
	ready   []answer
	listed  []Listed
	rules   Rules
	stopped bool
}

// task is what Run knows of a task beside the store.
type task struct {
	cache.Task               // without Request and Output
	begin      time.Duration // steady time before which it does not begin
	running    bool
	kept       bool // from before the start of this runner
	end        *end // how it ended, while the store has not got it
}

// New reads what is kept of tasks. A task that ran when the process ended has failed, unless it may run again. Nothing
// runs until Run.
func New(d Deps) (*Runner, error) {
	r := &Runner{d: d, poked: make(chan struct{}, 1), done: make(chan finished, maxRunning),
		more: make(chan struct{}, 1), tasks: map[uuid.UUID]*task{}, rules: d.Rules}
	r.d.Clock = d.Clock.orSystem()
	if d.Process == nil {
		r.d.Process = process.Run
	}
	if d.Folder != "" {
		err := errors.Join(os.MkdirAll(d.Folder, 0o700), process.Clean(d.Folder))
		if err != nil {
			return nil, fmt.Errorf("make the folder for tasks: %w", err)
		}
	}
	if err := r.clock.begin(r.d.Clock, d.Store, d.Site); err != nil {
		return nil, err
	}
	if err := r.recall(); err != nil {
		return nil, err
	}
	r.list()
	return r, nil
}

// Run carries tasks out until ctx ends. It returns ErrRestart when a task asks for one. What runs when ctx ends is
// stopped, and has failed for whoever starts the next runner.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.stop(cancel)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.poked:
			for _, fn := range r.asked() {
				fn(ctx)
			}
		case f := <-r.done:
			r.finish(f)
		case <-timer.C:
		}
		if ctx.Err() != nil { // whatever came at the same time: nothing begins any more
			return nil
		}
		r.settle()
		r.begin(ctx)
		r.forget()
		r.fill()
		r.list()
		if r.restart.due(r) {
			return ErrRestart
		}
		timer.Reset(r.wait())
	}
}

// stop ends what runs, and waits until nothing of it is left.
func (r *Runner) stop(cancel context.CancelFunc) {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	cancel()
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	for r.running > 0 {
		select {
		case f := <-r.done:
			if r.running--; !f.stopped {
				_ = r.keep(f.task, f.end) // or else it was interrupted
			}
		case <-timer.C:
			return
		}
	}
}

// stopPatience is how long a task may take to stop.
const stopPatience = 10 * time.Second

// do has fn called by Run, in turn. It never waits.
func (r *Runner) do(fn func(context.Context)) {
	r.mu.Lock()
	full := r.stopped || len(r.queue) >= maxQueued
	if !full {
		r.queue = append(r.queue, fn)
	}
	r.mu.Unlock()
	poke(r.poked)
}

func (r *Runner) asked() []func(context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.queue
	r.queue = nil
	return all
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Request takes a task that was delivered over the channel.
func (r *Runner) Request(push uint64, envelope []byte) {
	r.do(func(ctx context.Context) { r.take(ctx, push, envelope) })
}

// Lasting takes tasks of a policy. Those that are known already are passed over.
func (r *Runner) Lasting(envelopes [][]byte) {
	for _, envelope := range envelopes {
		r.Request(0, envelope)
	}
}

// Cancel takes a task back that has not begun.
func (r *Runner) Cancel(push uint64, envelope []byte) {
	r.do(func(context.Context) { r.cancel(push, envelope) })
}

// SignedTime takes a time that somebody passed on. Only one that a task key of the site signed counts.
func (r *Runner) SignedTime(at wire.SignedTime) {
	r.do(func(context.Context) { r.heed(at) })
}

// SiteTime takes a time that nobody vouches for. It can only end tasks.
func (r *Runner) SiteTime(at time.Time) {
	r.do(func(context.Context) { r.clock.hear(at) })
}

// Configure puts this machine's own rules into force.
func (r *Runner) Configure(rules Rules) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = rules
}

func (r *Runner) own() Rules {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules
}

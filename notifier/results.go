package notifier

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/internal/backoff"
	"statewire/internal/durable"
	"statewire/notifier/wire"
)

const (
	// toldAtOnce and toldBytes bound what the manager is told in one call.
	toldAtOnce = 1000
	toldBytes  = 4 << 20
	// untoldRows and untoldBytes bound the results that wait for a manager that is slow. A file tells the rest.
	untoldRows  = 100_000
	untoldBytes = 32 << 20
	// stepsKept bounds the steps that wait for the next file, and stepsPerClient those of one client: as many as it can
	// hold when it signs in, and do meanwhile.
	stepsKept      = 100_000
	stepsPerClient = 600
	// unfinishedResults begins the name of a result file that is being written.
	unfinishedResults = ".bts-"
)

// results tells the manager how far clients are with their tasks: at once, and again by file. A result that was
// confirmed to its client is in the spool until its file is durable.
type results struct {
	// Constant after newResults.
	s    *Server
	more chan struct{} // has room for one: there is something to tell

	filing sync.Mutex // held while files are written

	// Guarded by mu.
	mu      sync.Mutex
	tell    []wire.Result // at once
	bytes   int           // of their outputs
	drops   []wire.Dropped
	steps   []wire.Result // for the next file; those of the spool are not among them
	of      map[uuid.UUID]int
	pushes  int // among steps
	version uint64
	err     error // of the last file
}

func newResults(s *Server) *results {
	return &results{s: s, more: make(chan struct{}, 1), of: map[uuid.UUID]int{}}
}

// response takes what a client says of a task. It speaks for itself alone: whose result it is its certificate decides.
func (s *Server) response(session *session, kind wire.Kind, payload []byte) error {
	m, err := wire.DecodeResponse(payload)
	if err == nil && m.Step.Final() != (kind == wire.Response) {
		err = fmt.Errorf("a frame of type %d with step %s", kind, m.Step)
	}
	if err != nil {
		return &wire.FrameError{Code: wire.CloseBadFrame, Text: err.Error()}
	}
	at := s.now().UTC()
	if kind == wire.Received {
		s.results.step(wire.Result{Task: m.Task, TaskID: m.TaskID, Push: m.Push, Client: session.caller.Client,
			Step: m.Step, Received: at, Started: m.Started})
		return nil
	}
	s.spool.add(session, record{client: session.caller.Client, at: at, payload: payload, response: m})
	return nil
}

// held takes what a client says at its sign-in. That it has a task is all that this tells of one that ended: its exit
// code and output come with the response, which it sends again.
func (r *results) held(m wire.SignInMessage) {
	at := r.s.now().UTC()
	for _, h := range m.Held {
		step := wire.StepReceived
		if wire.Step(h.Step) == wire.StepRunning {
			step = wire.StepRunning
		}
		if h.Task != uuid.Nil {
			r.step(wire.Result{Task: h.Task, Client: m.Client, Step: step, Received: at})
		}
	}
}

// step takes a step that a client sends again when this server forgets it.
func (r *results) step(row wire.Result) {
	r.mu.Lock()
	full := r.of[row.Client] >= stepsPerClient || len(r.steps)-r.pushes >= stepsKept
	if !full {
		r.of[row.Client]++
		r.steps = append(r.steps, row)
		r.tellOne(row)
	}
	r.mu.Unlock()
	r.count(row, !full)
}

// pushed takes a frame that was written.
func (r *results) pushed(row wire.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pushes < stepsKept {
		r.steps = append(r.steps, row)
		r.pushes++
	}
	r.tellOne(row)
}

// durable takes results that are in the spool.
func (r *results) durable(rows []wire.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		r.tellOne(row)
	}
}

// dropped takes a push that will not be written.
func (r *results) dropped(d wire.Dropped) {
	if r.s.deps.Manager == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drops = append(r.drops, d)
	r.ring()
}

func (r *results) count(row wire.Result, taken bool) {
	result := string(row.Step)
	if !taken {
		result = "refused"
	}
	r.s.metrics.results.WithLabelValues(result).Inc()
}

// tellOne must be called with mu held.
func (r *results) tellOne(row wire.Result) {
	size := rowBytes(row)
	if r.s.deps.Manager == nil || len(r.tell) >= untoldRows || r.bytes+size > untoldBytes {
		return
	}
	r.tell, r.bytes = append(r.tell, row), r.bytes+size
	r.ring()
}

func (r *results) ring() {
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// run tells the manager what there is until ctx is done. One call follows the other: what comes meanwhile gathers.
func (r *results) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.more:
		}
		for failures := 0; ; {
			told, err := r.tellSome(ctx)
			if !told && err == nil {
				break
			}
			if err == nil {
				failures = 0
				continue
			}
			failures++
			r.s.log.Debug("results are told later, or by file", "err", err)
			if backoff.Sleep(ctx, min(backoff.Pause(failures, 0), 30*time.Second)) != nil {
				return
			}
		}
	}
}

// tellSome tells some results; false: there were none. What does not get through stays.
func (r *results) tellSome(ctx context.Context) (bool, error) {
	told := wire.Results{Server: r.s.deps.Name, ServerID: r.s.deps.ServerID, Epoch: r.s.epoch, Time: r.s.now().UTC()}
	r.mu.Lock()
	bytes := 0
	for n := range r.tell {
		if bytes += rowBytes(r.tell[n]); n == toldAtOnce || n > 0 && bytes > toldBytes {
			break
		}
		told.Results = r.tell[:n+1]
	}
	r.tell = r.tell[len(told.Results):]
	n := min(len(r.drops), toldAtOnce)
	told.Dropped, r.drops = r.drops[:n], r.drops[n:]
	r.mu.Unlock()
	if len(told.Results)+n == 0 {
		return false, nil
	}
	within, cancel := context.WithTimeout(ctx, seenWithin)
	defer cancel()
	err := r.s.deps.Manager.Results(within, told)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.tell = append(told.Results[:len(told.Results):len(told.Results)], r.tell...)
		r.drops = append(told.Dropped[:n:n], r.drops...)
		return true, err
	}
	for _, row := range told.Results {
		r.bytes -= rowBytes(row)
	}
	return true, nil
}

// files writes result files until ctx is done.
func (r *results) files(ctx context.Context) {
	r.clean()
	for backoff.Sleep(ctx, r.s.cfg.Load().ResultsInterval) == nil {
		r.file()
	}
}

// clean removes what an earlier run did not finish.
func (r *results) clean() {
	entries, _ := os.ReadDir(r.s.deps.Box) // the presence reports tell of a box that cannot be read
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinishedResults) {
			os.Remove(filepath.Join(r.s.deps.Box, e.Name()))
		}
	}
}

// file writes what there is. Results leave the spool once their file is durable.
func (r *results) file() {
	r.filing.Lock()
	defer r.filing.Unlock()
	r.mu.Lock()
	steps, of, pushes := r.steps, r.of, r.pushes
	r.steps, r.of, r.pushes = nil, map[uuid.UUID]int{}, 0
	r.mu.Unlock()
	rows := steps
	segments, err := r.s.spool.seal()
	for err == nil && (len(rows) > 0 || len(segments) > 0) {
		var written *segment
		if len(segments) > 0 {
			var ended []wire.Result
			written, segments = segments[0], segments[1:]
			if ended, err = r.s.spool.read(written); err != nil {
				break
			}
			rows = append(rows[:len(rows):len(rows)], ended...)
		}
		if err = r.write(rows); err != nil {
			break
		}
		rows, steps = nil, nil
		if written != nil {
			r.s.spool.release(written)
		}
	}
	r.putBack(steps, of, pushes)
	r.note(err)
	r.s.spool.heal()
}

// putBack keeps the steps that were not written for the next file.
func (r *results) putBack(steps []wire.Result, of map[uuid.UUID]int, pushes int) {
	if len(steps) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps, r.pushes = append(steps, r.steps...), r.pushes+pushes
	for id, n := range of {
		r.of[id] += n
	}
}

// write puts rows into the box, in as many files as they need.
func (r *results) write(rows []wire.Result) error {
	for len(rows) > 0 {
		n := fitting(rows)
		r.mu.Lock()
		r.version++
		p := wire.Results{Server: r.s.deps.Name, ServerID: r.s.deps.ServerID, Epoch: r.s.epoch, Version: r.version,
			Time: r.s.now().UTC(), Results: together(rows[:n])}
		r.mu.Unlock()
		err := durable.Write(r.s.deps.Box, wire.ResultsName(), unfinishedResults, p.Encode(), reportMode)
		if err != nil {
			r.s.metrics.resultFiles.WithLabelValues("failed").Inc()
			return fmt.Errorf("write a result file into %s: %w", r.s.deps.Box, err)
		}
		r.s.metrics.resultFiles.WithLabelValues("written").Inc()
		rows = rows[n:]
	}
	return nil
}

// note keeps how the last file went, and speaks when that changed.
func (r *results) note(err error) {
	r.mu.Lock()
	had := r.err
	r.err = err
	r.mu.Unlock()
	switch {
	case err != nil && had == nil:
		r.s.log.Error("result files are not written; results stay in the spool, and clients keep theirs once it is full",
			"err", err)
	case err == nil && had != nil:
		r.s.log.Info("result files are written again", "box", r.s.deps.Box)
	}
}

// ready is why the last result file could not be written; nil when it could.
func (r *results) ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return fmt.Errorf("notifier: result files are not written: %w", r.err)
	}
	return nil
}

// last tells what is left when the server stops.
func (r *results) last() {
	r.s.spool.flush()
	r.file()
	if r.s.deps.Manager == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = r.tellSome(ctx); err != nil {
			return
		}
	}
}

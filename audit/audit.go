// Package audit records every action before its effect, in a chain that shows tampering: each line names the hash of
// the line before, and a signed head names the last one. An action whose line is not on the disk never happens.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"

	"statewire/internal/control"
	"statewire/internal/durable"
)

// Code is what a refusal says whose action could not be recorded.
const Code = "audit_unavailable"

// ErrUnavailable says that the action could not be recorded, and that nothing was done.
var ErrUnavailable = errors.New(Code)

// Unavailable says that an action could not be recorded for this reason, and so was not done.
func Unavailable(cause error) error { return &unavailable{cause} }

// unavailable is an ErrUnavailable with its cause.
type unavailable struct{ cause error }

func (e *unavailable) Error() string {
	if control.Code(e.cause) == Code {
		return e.cause.Error() // as another process said it
	}
	return fmt.Sprintf("nothing was done, because it cannot be recorded (%s): %v", Code, e.cause)
}

func (e *unavailable) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

// ErrorCode is what the error is called on its way to another process.
func (e *unavailable) ErrorCode() string { return Code }

// ErrInUse says that another process has the log.
var ErrInUse = errors.New("the audit log is in use")

// Outcomes of an action.
const (
	Done    = "done"
	Failed  = "failed"
	Unknown = "unknown" // the process ended before the action said how it went
)

// Outcome is how an action went that returned err, for the function that Begin returns.
func Outcome(err error) (outcome, detail string) {
	if err != nil {
		return Failed, err.Error()
	}
	return Done, ""
}

// Action is what somebody is about to do.
type Action struct {
	Actor   string // local:UID, token:ID, client:GUID or site
	Role    string // what the actor was allowed as: viewer, operator, admin; may be empty
	From    string // the address it came from; empty for this machine
	Action  string // client.revoke, resync.request
	Object  string // what it is done to
	Targets int    // how many clients it means
	Params  []byte `json:"-"` // hashed only: they may hold what a log must not
	Reason  string // as the actor gave it
}

// Options are what Open may be told; the zero value will do.
type Options struct {
	Site       string                // names the key of a new log
	Copy       func(Head)            // is told each signed head, one at a time; nil tells nobody
	Log        *slog.Logger          // nil discards
	Clock      func() time.Time      // nil is time.Now
	Registerer prometheus.Registerer // nil registers nothing
}

// Log is the audit log of a site. One process at a time has it.
type Log struct {
	// Constant after Open.
	dir      string
	lock     *os.File
	signer   note.Signer
	copy     func(Head)
	log      *slog.Logger
	now      func() time.Time
	metrics  *metrics
	openFile func(path string, create bool) (file, error)
	syncDir  func(dir string) error

	writing sync.Mutex // held while lines go to the disk
	file    file       // Guarded by writing, as all that follows.
	month   string     // of the file
	size    int64      // of its lines that are on the disk
	seq     uint64     // of the last of them
	sum     string     // its hash
	dirty   bool       // the file may have bytes after them
	unnamed bool       // the file is new, and the folder was not synced since
	owed    []*entry   // lines that are true already and could not be written yet

	heads    sync.Mutex // held while a head is made
	headLast uint64     // the seq of the last one. Guarded by heads.

	mu     sync.Mutex
	queue  []*entry // Guarded by mu, as all that follows.
	last   Head     // what the next head says, without its note
	timer  *time.Timer
	headAt time.Time // when the last head was made
	closed bool
	timing sync.WaitGroup // a timer that is set
}

// Open takes the log in dir and makes it where there is none. It moves a line that a crash cut aside, gives an action
// that has no outcome the outcome Unknown, and fails with ErrInUse when another process has the log.
func Open(dir string, o Options) (*Log, error) {
	l := &Log{dir: dir, copy: o.Copy, log: o.Log, now: o.Clock, metrics: newMetrics(o.Registerer), openFile: openFile,
		syncDir: durable.SyncFolder}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	if err := l.open(o.Site); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit log: %w", err), l.release())
	}
	return l, nil
}

func (l *Log) open(site string) (err error) {
	if err := makeDir(l.dir); err != nil {
		return err
	}
	if l.lock, err = take(filepath.Join(l.dir, lockFile)); err != nil {
		return err
	}
	if l.signer, err = openKey(l.dir, site); err != nil {
		return err
	}
	return l.recover()
}

// Begin records an action, and returns once its line is on the disk; before that nothing may be done, and after an
// error nothing at all. How it went is told to finish, once. Safe for concurrent use: actions that begin at the same
// time share one write.
func (l *Log) Begin(ctx context.Context, a Action) (finish func(outcome, detail string), err error) {
	end, err := l.begin(ctx, actionEntry(a))
	if err != nil {
		return nil, err
	}
	return func(outcome, detail string) { _ = end(outcome, detail) }, nil // where it fails it is owed
}

func (l *Log) begin(ctx context.Context, e *entry) (finish func(outcome, detail string) error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("record %s: %w", e.action.Action, err)
	}
	if err := e.fits(); err != nil {
		return nil, err
	}
	if err := l.append(e); err != nil {
		return nil, err
	}
	var once sync.Once
	return func(outcome, detail string) (err error) {
		once.Do(func() { err = l.append(outcomeEntry(e, outcome, detail)) })
		return err
	}, nil
}

// Close signs the last line, and lets another process have the log. What was begun and not finished gets its outcome at
// the next start.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	if l.timer != nil && l.timer.Stop() {
		l.timing.Done()
	}
	l.mu.Unlock()
	l.timing.Wait()

	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	waits := len(l.owed) + len(l.queue)
	l.mu.Unlock()
	if waits > 0 {
		l.flush()
	}
	return errors.Join(l.writeHead(), l.release())
}

// release closes what is open. The caller has the log to itself.
func (l *Log) release() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
	}
	l.file = nil
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

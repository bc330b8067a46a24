package site

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"statewire/audit"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/store"
)

const (
	// auditWait is how long an action waits for another process to give the audit log back.
	auditWait = 15 * time.Second
	auditLook = 50 * time.Millisecond
	// headsLook is how often the store is given the signed head.
	headsLook = 5 * time.Second
)

// auditLog is the audit log of this process, or of another one.
type auditLog interface {
	Begin(ctx context.Context, a audit.Action) (finish func(outcome, detail string), err error)
}

// auditLog is where this process appends: to its own log, or through the process with the identity role.
func (s *Site) auditLog() auditLog {
	if s.identity != nil {
		return s.identity.Audit
	}
	return audit.Dial(IdentitySocket(s.cfg.Data), s.log)
}

// Auditor appends to the audit log of a data directory for a command: through the process that runs the identity role,
// or, where none does, by itself, with the log's lock as long as an action lasts.
type Auditor struct {
	// Constant after NewAuditor.
	data   string
	log    *slog.Logger
	remote *audit.Client

	mu   sync.Mutex
	own  *audit.Log // Guarded by mu, as all that follows. nil while no action lasts
	uses int
}

// NewAuditor touches nothing before the first action.
func NewAuditor(data string, log *slog.Logger) *Auditor {
	return &Auditor{data: data, log: log, remote: audit.Dial(IdentitySocket(data), log)}
}

// Recorder keeps acts in the log.
func (a *Auditor) Recorder() control.Recorder { return audit.Recorder(a) }

// Begin is audit.Log.Begin.
func (a *Auditor) Begin(ctx context.Context, action audit.Action) (finish func(outcome, detail string), err error) {
	for deadline := time.Now().Add(auditWait); ; {
		if Listens(IdentitySocket(a.data)) {
			return a.remote.Begin(ctx, action)
		}
		log, err := a.take()
		switch {
		case err == nil:
			return a.begin(ctx, log, action)
		case !errors.Is(err, audit.ErrInUse) || time.Now().After(deadline):
			return nil, audit.Unavailable(err)
		}
		if err := backoff.Sleep(ctx, auditLook); err != nil {
			return nil, err
		}
	}
}

func (a *Auditor) begin(ctx context.Context, log *audit.Log, action audit.Action) (func(string, string), error) {
	finish, err := log.Begin(ctx, action)
	if err != nil {
		a.leave()
		return nil, err
	}
	var once sync.Once
	return func(outcome, detail string) {
		once.Do(func() {
			finish(outcome, detail)
			a.leave()
		})
	}, nil
}

// take opens the log, unless an action has it open.
func (a *Auditor) take() (*audit.Log, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own == nil {
		own, err := audit.Open(AuditDir(a.data), audit.Options{Log: a.log})
		if err != nil {
			return nil, err
		}
		a.own = own
	}
	a.uses++
	return a.own, nil
}

// leave closes the log after the last action.
func (a *Auditor) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.uses--; a.uses > 0 {
		return
	}
	if err := a.own.Close(); err != nil {
		a.log.Error("audit log not closed", "err", err)
	}
	a.own = nil
}

// copyHeads gives the store each signed head of the audit log that it finds, until ctx is done: whoever changes the log
// later would have to change the store, too.
func copyHeads(ctx context.Context, data string, db *store.Store, log *slog.Logger) error {
	var last audit.Head
	for {
		head, err := audit.ReadHead(AuditDir(data))
		if err == nil && head.Note != last.Note && head.Seq > 0 {
			if err = putHead(ctx, db, head); err == nil {
				last = head
			} else if ctx.Err() == nil {
				log.Warn("head of the audit log not copied to the store", "err", err, "retry_in", headsLook)
			}
		}
		if backoff.Sleep(ctx, headsLook) != nil {
			return nil
		}
	}
}

func putHead(ctx context.Context, db *store.Store, h audit.Head) error {
	return db.Insert(ctx, `INSERT INTO audit_heads (time, seq, hash, note)`, []time.Time{h.Time}, []uint64{h.Seq},
		[]string{h.Hash}, []string{h.Note})
}

// StoredHeads hands over the heads of the audit log that a store has, the oldest first.
func StoredHeads(ctx context.Context, db *store.Store, take func(audit.Head)) error {
	return db.EachRow(ctx, `SELECT time, seq, hash, note FROM audit_heads FINAL ORDER BY seq, time`, nil,
		func(scan func(...any) error) error {
			var h audit.Head
			err := scan(&h.Time, &h.Seq, &h.Hash, &h.Note)
			if err == nil {
				take(h)
			}
			return err
		})
}

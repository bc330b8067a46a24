package notifier

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

const (
	// gather is how long changes of presence gather before the manager is told of them together.
	gather = 100 * time.Millisecond
	// seenAtOnce bounds what it is told in one call.
	seenAtOnce = 5000
	// seenWithin bounds such a call.
	seenWithin = 5 * time.Second
	// untoldKept bounds what waits for a manager that is slow. The next report tells the rest.
	untoldKept = 100_000
)

// teller tells the manager of changes at once. What it does not get through, the next report tells.
type teller struct {
	s    *Server       // Constant after New.
	more chan struct{} // has room for one: there is something to tell

	// Guarded by mu.
	mu   sync.Mutex
	rows map[uuid.UUID]wire.Row // the last of each client
}

// tell has the manager told of a change.
func (t *teller) tell(row wire.Row) {
	if t.s.deps.Manager == nil {
		return
	}
	t.mu.Lock()
	if len(t.rows) < untoldKept {
		t.rows[row.Client] = row
	}
	t.mu.Unlock()
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// run tells what there is until ctx is done.
func (t *teller) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.more:
		}
		if backoff.Sleep(ctx, gather) != nil {
			return
		}
		for t.step(ctx) {
		}
	}
}

// step tells some changes; false: there were none.
func (t *teller) step(ctx context.Context) bool {
	rows := t.take()
	if len(rows) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, seenWithin)
	defer cancel()
	err := t.s.deps.Manager.Seen(ctx, wire.Seen{Server: t.s.deps.Name, ServerID: t.s.deps.ServerID, Epoch: t.s.epoch,
		Rows: rows})
	if err != nil {
		t.s.log.Debug("changes of presence are told by the next report", "count", len(rows), "err", err)
	}
	return true
}

func (t *teller) take() []wire.Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := make([]wire.Row, 0, min(len(t.rows), seenAtOnce))
	for id, row := range t.rows {
		if len(rows) == seenAtOnce {
			return rows
		}
		rows = append(rows, row)
		delete(t.rows, id)
	}
	t.rows = map[uuid.UUID]wire.Row{}
	return rows
}

// last tells what is left when the server stops.
func (t *teller) last() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for ctx.Err() == nil && t.step(ctx) {
	}
}

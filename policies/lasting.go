package policies

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

const (
	// taskWait is how long a poll waits for the lasting tasks of its client.
	taskWait = time.Second
	// taskPause is how long nobody is asked for them once they did not come.
	taskPause = 10 * time.Second
)

// lasting asks for the lasting tasks of clients. A client that polls never waits for long: while nobody answers,
// policies come without tasks, and those come with a later poll.
type lasting struct {
	// Constant after newLasting.
	tasks tasks
	log   *slog.Logger

	mu     sync.Mutex
	failed time.Time // Guarded by mu. When nobody answered last; zero: they answer.
}

func newLasting(from tasks, log *slog.Logger) *lasting { return &lasting{tasks: from, log: log} }

func (l *lasting) of(ctx context.Context, client smx.ClientID) [][]byte {
	if l.tasks == nil || l.pauses() {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, taskWait)
	defer cancel()
	envelopes, err := l.tasks.Lasting(within, uuid.UUID(client))
	if ctx.Err() == nil { // else it is the poll that went away
		l.note(err)
	}
	if err != nil {
		return nil
	}
	return envelopes
}

func (l *lasting) pauses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.failed.IsZero() && time.Since(l.failed) < taskPause
}

// note keeps whether somebody answered, and logs it where that is news.
func (l *lasting) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && !l.failed.IsZero():
		l.failed = time.Time{}
		l.log.Info("policies come with lasting tasks again")
	case err != nil:
		if l.failed.IsZero() {
			l.log.Warn("policies come without lasting tasks, which are asked for again", "in", taskPause, "err", err)
		}
		l.failed = time.Now()
	}
}

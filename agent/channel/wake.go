package channel

import (
	"sync"
	"time"
)

// wakeInterval is the least time between two wakes that are obeyed.
const wakeInterval = time.Minute

// waker obeys wakes, one in a minute: the second one waits for the minute's end, and all that come meanwhile are that
// one.
type waker struct {
	obey func() // Constant.

	// Guarded by mu.
	mu    sync.Mutex
	last  time.Time // at which one was obeyed
	later *time.Timer
}

func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := wakeInterval - time.Since(w.last)
	switch {
	case w.later != nil:
	case w.last.IsZero() || wait <= 0:
		w.last = time.Now()
		w.obey()
	default:
		w.later = time.AfterFunc(wait, w.due)
	}
}

func (w *waker) due() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.later == nil { // stopped
		return
	}
	w.later, w.last = nil, time.Now()
	w.obey()
}

func (w *waker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.later != nil {
		w.later.Stop()
		w.later = nil
	}
}

package notifier

import (
	"context"
	"time"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

// askPause is the least time between two questions that brought nothing.
const askPause = time.Second

// work asks the manager for work, one held question after the other.
type work struct {
	s *Server // Constant after New.

	// Owned by run.
	got    uint64 // the number of the last work
	waking []mark // of work whose wakes are not handed out yet
	woken  uint64 // the number of the last work whose wakes are
}

// mark is where the wakes of a work end in the queue.
type mark struct{ number, wakes uint64 }

// run asks until ctx is done. A manager that is away is asked again, ever more seldom.
func (w *work) run(ctx context.Context) {
	if w.s.deps.Manager == nil {
		return
	}
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		news, err := w.ask(ctx)
		pause := time.Duration(0)
		switch {
		case err != nil:
			pause = min(backoff.Pause(failures, 0), 30*time.Second)
			if failures++; failures == 1 && ctx.Err() == nil {
				w.s.log.Warn("the notification manager is away; the channel goes on", "err", err)
			}
		case failures > 0:
			failures = 0
			w.s.log.Info("the notification manager is back")
		}
		if err == nil && !news {
			pause = max(pause, askPause-time.Since(began))
		}
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// ask asks once and does what comes; it says whether something did. Its question is dropped for a new one once wakes
// that the last one did not know of are handed out.
func (w *work) ask(ctx context.Context) (news bool, err error) {
	s := w.s
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	if empty := s.queue.handedOut(); w.wakes() < w.got {
		go func() {
			select {
			case <-empty:
				cancel()
			case <-asking.Done():
			}
		}()
	}
	messages := s.messages.take()
	work, err := s.deps.Manager.Work(asking, wire.Ask{Server: s.deps.Name, ServerID: s.deps.ServerID, Epoch: s.epoch,
		Version: s.presence.lastVersion(), Got: w.got, Woken: w.woken,
		Stopped: s.queue.stopped.Load(), Messages: messages})
	if err != nil {
		s.messages.putBack(messages)
		if asking.Err() != nil {
			err = ctx.Err()
		}
		return true, err
	}
	changed := s.queue.stop(work.Stopped)
	s.setTime(work.Time)
	if work.Number == w.got {
		return changed, nil
	}
	w.do(work)
	w.got = work.Number
	w.waking = append(w.waking, mark{work.Number, s.queue.added()})
	return true, nil
}

// wakes is the number of the last work whose wakes are handed out: those of a server that stops before come again to
// the one that starts.
func (w *work) wakes() uint64 {
	done := w.s.queue.done()
	for len(w.waking) > 0 && w.waking[0].wakes <= done {
		w.woken, w.waking = w.waking[0].number, w.waking[1:]
	}
	return w.woken
}

// do does what the manager wants.
func (w *work) do(work wire.Work) {
	for _, to := range work.Raise {
		w.s.hub.raise(to)
	}
	for _, gone := range work.End {
		w.s.hub.elsewhere(gone)
	}
	if work.Full {
		w.s.presence.askFull()
	}
	w.s.queue.wake(work.Wakes)
	w.s.queue.cancel(work.Cancels)
	w.s.queue.add(work.Pushes)
}

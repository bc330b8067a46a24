package notifier

import (
	"context"
	"time"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

const (
	// askPause is the least time between two questions that brought nothing.
	askPause = time.Second
	// wakeWithin bounds how long work counts as not got because its wakes wait for the throttle.
	wakeWithin = 15 * time.Second
)

// work asks the manager for work, one held question after the other.
type work struct {
	s *Server // Constant after New.

	got uint64 // Owned by run: the number of the last work
}

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

// ask asks once and does what comes; it says whether something did.
func (w *work) ask(ctx context.Context) (news bool, err error) {
	s := w.s
	messages := s.messages.take()
	work, err := s.deps.Manager.Work(ctx, wire.Ask{Server: s.deps.Name, ServerID: s.deps.ServerID, Epoch: s.epoch,
		Version: s.presence.lastVersion(), Got: w.got, Messages: messages})
	if err != nil {
		s.messages.putBack(messages)
		return false, err
	}
	if work.Number == w.got {
		return false, nil
	}
	w.do(work)
	if !w.woken(ctx) {
		return true, ctx.Err()
	}
	w.got = work.Number
	return true, nil
}

// woken waits until the wakes are handed out: those of a server that stops before come again to the one that starts.
func (w *work) woken(ctx context.Context) bool {
	within := time.NewTimer(wakeWithin)
	defer within.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-w.s.waker.handedOut():
	case <-within.C:
	}
	return true
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
	w.s.waker.add(work.Wakes)
}

package inbox

import (
	"context"
	"errors"
	"log/slog"
	"statewire/inbox/disk"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// told is a watcher that tells what a test says.
type told struct {
	found  chan fsnotify.Event
	failed chan error
	closed bool
}

func newTold() *told {
	return &told{found: make(chan fsnotify.Event), failed: make(chan error)}
}

func (w *told) Events() <-chan fsnotify.Event { return w.found }
func (w *told) Errors() <-chan error          { return w.failed }
func (w *told) Close() error                  { w.closed = true; return nil }

// wakeTest runs in a bubble where time passes only when all wait.
func wakeTest(t *testing.T, watch func() (disk.Watcher, error),
	run func(t *testing.T, l *Loader, wake <-chan struct{})) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(DefaultConfig(), "/model", newModel(), slog.New(slog.DiscardHandler))
		l := loader(t, d, 10, 1)
		var last disk.Watcher
		l.watch = func() (w disk.Watcher, err error) {
			w, err = watch()
			last = w
			return w, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		wake := l.Wake(ctx)
		run(t, l, wake)
		cancel()
		synctest.Wait() // and leaves no goroutine
		if w, ok := last.(*told); ok && !w.closed {
			t.Error("the watcher was not closed")
		}
	})
}

// wakes says after how long the next wake comes.
func wakes(wake <-chan struct{}) time.Duration {
	began := time.Now()
	<-wake
	return time.Since(began)
}

func TestAnArrivalWakesAtOnce(t *testing.T) {
	var w *told
	wakeTest(t, func() (disk.Watcher, error) { w = newTold(); return w, nil },
		func(t *testing.T, l *Loader, wake <-chan struct{}) {
			for _, op := range []fsnotify.Op{fsnotify.Create, fsnotify.Write} {
				for range 3 { // any number of events before it is taken are one wake
					w.found <- fsnotify.Event{Op: op}
				}
				synctest.Wait()
				if took := wakes(wake); took != 0 {
					t.Errorf("%v: woke after %v", op, took)
				}
			}
			w.found <- fsnotify.Event{Op: fsnotify.Remove} // what the loader itself does
			synctest.Wait()
			select {
			case <-wake:
				t.Error("woke for a file that went")
			default:
			}
		})
}

func TestAnOverflowWakesAtOnce(t *testing.T) {
	var w *told
	wakeTest(t, func() (disk.Watcher, error) { w = newTold(); return w, nil },
		func(t *testing.T, l *Loader, wake <-chan struct{}) {
			w.failed <- fsnotify.ErrEventOverflow
			if took := wakes(wake); took != 0 {
				t.Errorf("woke %v after hints were lost", took)
			}
			w.found <- fsnotify.Event{Op: fsnotify.Create} // and watches on
			if took := wakes(wake); took != 0 {
				t.Errorf("woke after %v", took)
			}
		})
}

func TestWithoutHintsEveryPollWakes(t *testing.T) {
	poll := DefaultConfig().PollInterval
	tests := []struct {
		name  string
		watch func() (disk.Watcher, error)
	}{
		{"a watcher that says nothing", func() (disk.Watcher, error) { return newTold(), nil }},
		{"folders that can't be watched", func() (disk.Watcher, error) { return nil, errNoSpace }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wakeTest(t, test.watch, func(t *testing.T, l *Loader, wake <-chan struct{}) {
				for range 3 {
					if took := wakes(wake); took > poll || took < poll*8/10 {
						t.Errorf("woke after %v, polls every %v", took, poll)
					}
				}
			})
		})
	}
}

func TestABrokenWatchIsTriedAgainAtTheNextPoll(t *testing.T) {
	var first, second *told
	tries := 0
	watch := func() (disk.Watcher, error) {
		switch tries++; tries {
		case 1:
			first = newTold()
			return first, nil
		case 2:
			return nil, errNoSpace
		}
		second = newTold()
		return second, nil
	}
	wakeTest(t, watch, func(t *testing.T, l *Loader, wake <-chan struct{}) {
		first.failed <- errors.New("broken")
		if took := wakes(wake); took != 0 {
			t.Errorf("woke %v after the watch broke", took)
		}
		if !first.closed {
			t.Error("the broken watcher was not closed")
		}
		<-wake // a poll, where watching fails again
		<-wake // and one where it works
		second.found <- fsnotify.Event{Op: fsnotify.Create}
		if took := wakes(wake); took != 0 || tries != 3 {
			t.Errorf("woke after %v, %d attempts to watch", took, tries)
		}
		close(second.found)
		if took := wakes(wake); took == 0 {
			t.Error("a watcher that ended wakes")
		}
	})
}

func TestAPostponedFileWakesWhenItIsDue(t *testing.T) {
	wakeTest(t, func() (disk.Watcher, error) { return nil, errNoSpace },
		func(t *testing.T, l *Loader, wake <-chan struct{}) {
			l.dir.disk.(*model).drop(disk.Folder(Normal), "A.SMX", "x")
			for _, delay := range []time.Duration{1, 2, 4} {
				c := claim(t, l)
				c.Postpone(c.Files[0])
				if took := wakes(wake); took != delay*time.Second {
					t.Errorf("woke after %v, due after %v s", took, delay)
				}
			}
		})
}

package manager

import (
	"log/slog"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// hints tell that something came into a folder. Any of them may be missing: whoever waits for them polls, too.
type hints struct {
	dir     string
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil where folders cannot be watched
	came    chan struct{}
	done    sync.WaitGroup
}

func watchBox(dir string, log *slog.Logger) *hints {
	h := &hints{dir: dir, log: log, came: make(chan struct{}, 1)}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		h.watcher = watcher
		err = watcher.Add(dir)
		h.done.Go(h.run)
	}
	if err != nil {
		log.Warn("the box of presence files cannot be watched; it is polled", "box", dir, "err", err)
	}
	return h
}

func (h *hints) run() {
	events, errs := h.watcher.Events, h.watcher.Errors
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			if e.Has(fsnotify.Create) {
				h.send()
			}
		case _, ok := <-errs:
			if !ok {
				return
			}
			h.send() // whatever was lost may be there
		}
	}
}

func (h *hints) send() {
	select {
	case h.came <- struct{}{}:
	default:
	}
}

func (h *hints) events() <-chan struct{} { return h.came }

// again watches the folder that is there now: another one may have taken its place.
func (h *hints) again() {
	if h.watcher != nil {
		_ = h.watcher.Add(h.dir) // polling goes on
	}
}

func (h *hints) close() {
	if h.watcher == nil {
		return
	}
	if err := h.watcher.Close(); err != nil {
		h.log.Warn("closing the watch of the box failed", "err", err)
	}
	h.done.Wait()
}

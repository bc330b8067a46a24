package disk

import (
	"time"

	"github.com/fsnotify/fsnotify"
)

// stamps watches by looking at the folders' times once a second. What the system offers instead opens every file in a
// folder, which a million waiting files forbid.
type stamps struct {
	// Constant after watch.
	disk  *Unix
	found chan fsnotify.Event
	stop  chan struct{}
	done  chan struct{}

	seen [laneFolders]time.Time // Owned by run.
}

// Watch watches the lanes.
func (k *Unix) Watch() (Watcher, error) {
	s := &stamps{disk: k, found: make(chan fsnotify.Event), stop: make(chan struct{}), done: make(chan struct{})}
	s.changed()
	go s.run()
	return s, nil
}

func (s *stamps) run() {
	defer close(s.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.look()
		}
	}
}

func (s *stamps) look() {
	if !s.changed() {
		return
	}
	select {
	case s.found <- fsnotify.Event{Op: fsnotify.Create}:
	case <-s.stop:
	}
}

func (s *stamps) changed() (changed bool) {
	for lane := range laneFolders {
		// A folder that can't be looked at shows in the next claim.
		if at, err := s.disk.Stamp(lane); err == nil && !at.Equal(s.seen[lane]) {
			s.seen[lane], changed = at, true
		}
	}
	return changed
}

func (s *stamps) Events() <-chan fsnotify.Event { return s.found }
func (s *stamps) Errors() <-chan error          { return nil }

func (s *stamps) Close() error {
	close(s.stop)
	<-s.done
	return nil
}

package inbox

import "sync"

// sharedSync lets callers share one sync of a folder: do returns the result of a sync that began after do was called.
// Syncs never overlap, so a failure is known to all before the next one begins; the kernel reports it to one only.
type sharedSync struct {
	running sync.Mutex

	mu   sync.Mutex
	next *syncRound // Guarded by mu. The round that has not begun, nil when nobody waits for one.
}

type syncRound struct {
	// Guarded by running.
	done bool
	err  error
}

func (s *sharedSync) do(sync func() error) error {
	round := s.join()
	s.running.Lock()
	defer s.running.Unlock()
	if !round.done {
		s.begin()
		round.err = sync()
		round.done = true
	}
	return round.err
}

func (s *sharedSync) join() *syncRound {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = new(syncRound)
	}
	return s.next
}

// begin makes whoever comes from now on wait for another round.
func (s *sharedSync) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = nil
}

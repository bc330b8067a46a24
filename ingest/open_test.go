package ingest

import (
	"errors"
	"sync"
	"testing"
)

// Files are read while the store opens. One that does not open leaves them where they are.
func TestFilesAreReadWhileTheStoreOpens(t *testing.T) {
	s := newSite(t)
	claimed, missing := make(chan struct{}), errors.New("made up")
	note := sync.OnceFunc(func() { close(claimed) })
	s.watchLog(func(text string, _ map[string]string) {
		if text == "claimed chunk" {
			note()
		}
	})
	s.drop("a.SMX", bare(client(1), message(1)))
	s.deps.Open = func() error { <-claimed; return missing }
	if _, err := s.loader().Drain(t.Context()); !errors.Is(err, missing) {
		t.Errorf("drained into a store that does not open: %v", err)
	}
	s.restart()
	opened := 0
	s.deps.Open = func() error { opened++; return nil }
	l := s.loader()
	for range 2 {
		if _, err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if opened != 1 {
		t.Errorf("the store was opened %d times", opened)
	}
	s.expect("SELECT count() FROM current_states", "1")
	s.closeInbox()
	s.expectEmpty()
}

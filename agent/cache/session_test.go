package cache

import (
	"errors"
	"testing"
)

func TestSessionsAreNeverUsedTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		next := func(want uint64) {
			t.Helper()
			if got, err := s.NextSession(); err != nil || got != want {
				t.Fatalf("next session is %d, %v; want %d", got, err, want)
			}
		}
		next(1)
		next(2)
		s.reopen()
		next(3)
		if err := s.KeepSession(2); err != nil {
			t.Fatal(err)
		}
		next(4) // a lesser one changes nothing
		if err := s.KeepSession(812); err != nil {
			t.Fatal(err)
		}
		s.reopen()
		next(813)
		for _, lie := range []uint64{813 + mostSkipped + 1, maxSession, 1<<64 - 1} {
			if err := s.KeepSession(lie); !errors.Is(err, ErrSession) {
				t.Errorf("session %d: %v, want a refusal", lie, err)
			}
		}
		next(814)
		image, err := s.Image()
		if err != nil {
			t.Fatal(err)
		}
		next(815)
		if err := s.Restore(image); err != nil {
			t.Fatal(err)
		}
		next(815) // a machine that is set back to an image does not know better: the server tells it
	})
}

package identity

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/internal/control"
)

// Who enrolled or renewed after the backup from which the state came goes on: the authority's signature is its own. Who
// is refused in the state stays so.
func TestCertificatesThatABackupDoesNotKnow(t *testing.T) {
	s := newSite(t)
	state := filepath.Join(s.dir, "identity", stateFile)
	first, lost := s.enrolled(t, one), s.enrolled(t, uuid.New())
	if err := s.Revoke(t.Context(), lost.Key(), "stolen"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	s.clock.add(time.Hour)
	renewed, _, err := s.renewed(t, first, csr(t))
	if err != nil {
		t.Fatal(err)
	}
	later := s.enrolled(t, two)
	s.Close()
	if err := os.WriteFile(state, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	s.clock.add(time.Hour)
	for name, c := range map[string]Caller{"renewed since": renewed, "enrolled since": later} {
		request := csr(t)
		next, answer, err := s.renewed(t, c, request)
		if err != nil || next.Number <= c.Number || next.Key() != c.Key() {
			t.Errorf("%s: %+v, %v", name, next, err)
			continue
		}
		if _, again, err := s.renewed(t, c, request); err != nil || again.Certificate != answer.Certificate {
			t.Errorf("%s, a lost answer: %v", name, err)
		}
	}
	if got, err := s.Client(t.Context(), later.Key()); err != nil || got.State != "enrolled" {
		t.Errorf("%+v, %v", got, err)
	}
	lost.Number++ // as if it had renewed since
	if _, _, err := s.renewed(t, lost, csr(t)); code(err) != "401 certificate_revoked" {
		t.Errorf("revoked: %v", err)
	}
}

// Only what is newer counts as seen, and only what was issued.
func TestSeenNeverGoesBack(t *testing.T) {
	s := newSite(t)
	first := s.enrolled(t, one)
	second, _, err := s.renewed(t, first, csr(t))
	if err != nil {
		t.Fatal(err)
	}
	future := second
	future.Number += 1000
	stranger := Caller{Client: two, Number: 1}
	for _, step := range []struct {
		seen []Caller
		want uint64
	}{
		{[]Caller{first}, first.Number}, {[]Caller{future, stranger}, first.Number},
		{[]Caller{second, first}, second.Number}, {[]Caller{first}, second.Number},
	} {
		if err := s.Seen(t.Context(), step.seen); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Client(t.Context(), clientKey(one)); err != nil || got.Used != step.want {
			t.Errorf("after %v: %+v, %v", step.seen, got, err)
		}
	}
	if _, err := s.Client(t.Context(), clientKey(two)); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("a stranger is known: %v", err)
	}
}

func TestOldStateIsForgotten(t *testing.T) {
	s := newSite(t)
	first := s.enrolled(t, one)
	if _, _, err := s.renewed(t, first, csr(t)); err != nil {
		t.Fatal(err)
	}
	s.enrolled(t, two)
	if err := s.Revoke(t.Context(), clientKey(two), "stolen"); err != nil {
		t.Fatal(err)
	}
	count := func(bucket []byte) (n int) {
		_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucket).Stats().KeyN; return nil })
		return n
	}
	grace := DefaultConfig().RenewGrace
	for _, step := range []struct {
		at                      time.Time
		issued, tokens, revoked int
	}{
		{first.NotAfter.Add(grace), 3, 2, 1},
		{first.NotAfter.Add(grace + time.Second), 0, 0, 0},
	} {
		s.clock.add(step.at.Sub(s.clock.now()))
		for range 160 { // it goes on by a day each time
			if err := s.tidy(); err != nil {
				t.Fatal(err)
			}
		}
		denied, err := readDenied(filepath.Join(s.dir, "identity", deniedFile))
		if n := count(bucketIssued); n != step.issued || count(bucketKeys) != step.issued || len(denied) != step.revoked ||
			err != nil {
			t.Errorf("at %s: %d certificates, %d keys, denied %v, %v", step.at, n, count(bucketKeys), denied, err)
		}
	}
	if n := count(bucketTokens); n != 0 {
		t.Errorf("%d tokens", n)
	}
	if _, err := s.Client(t.Context(), clientKey(one)); err != nil {
		t.Errorf("a client that was here is known: %v", err)
	}
}

// A number is never given twice, not even when an old backup was restored.
func TestNumbersOnlyGrow(t *testing.T) {
	s := newSite(t)
	backup := filepath.Join(s.dir, "backup")
	state := filepath.Join(s.dir, "identity", stateFile)
	s.Close()
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	first := s.enrolled(t, one)
	s.clock.add(time.Minute)
	s.Close()
	if err := os.Rename(backup, state); err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	second := s.enrolled(t, one)
	if second.Number <= first.Number {
		t.Errorf("%d after %d", second.Number, first.Number)
	}
	s.clock.add(-24 * time.Hour)
	if third := s.enrolled(t, two); third.Number <= second.Number {
		t.Errorf("with a clock that was set back: %d after %d", third.Number, second.Number)
	}
}

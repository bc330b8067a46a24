package identity

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAttackTenWrongTokensOfAnAddressAreEnough(t *testing.T) {
	s := newTokenSite(t)
	made := s.make(Wanted{Role: Viewer, Life: day})
	s.log.lines = nil
	for n := range failuresAllowed {
		if code := s.code(fmt.Sprintf("swt_%08d", n), "10.0.0.1"); code != "401 token_invalid" {
			t.Fatalf("guess %d: %s", n+1, code)
		}
		s.at = s.at.Add(time.Second)
	}
	_, err := s.Verify(t.Context(), made.Token, "10.0.0.1")
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Status != 429 || !refused.Retry ||
		refused.After != failureTime-10*time.Second {
		t.Errorf("a good token behind ten guesses: %+v", refused)
	}
	if code := s.code(made.Token, "10.0.0.2"); code != "" {
		t.Errorf("another address: %s", code)
	}
	if len(s.log.lines) != 1 || s.log.lines[0].Action != "token.blocked" || s.log.lines[0].From != "10.0.0.1" ||
		s.log.lines[0].Object != "address:10.0.0.1" || s.log.lines[0].Actor != "site" {
		t.Errorf("the audit has %+v, want one line that says who waits", s.log.lines)
	}
	s.at = tokenDay.Add(failureTime - time.Nanosecond)
	if code := s.code(made.Token, "10.0.0.1"); code != "429 too_many_failures" {
		t.Errorf("in the tenth minute: %s", code)
	}
	s.at = tokenDay.Add(failureTime)
	if code := s.code(made.Token, "10.0.0.1"); code != "" {
		t.Errorf("after ten minutes: %s", code)
	}
	if code := s.code("swt_", "10.0.0.1"); code != "401 token_invalid" {
		t.Errorf("one guess more: %s", code)
	}
	if code := s.code(made.Token, "10.0.0.1"); code != "429 too_many_failures" {
		t.Errorf("ten guesses within ten minutes again: %s", code)
	}
}

func TestAttackTenWrongSecretsOfATokenAreEnoughFromWherever(t *testing.T) {
	s := newTokenSite(t)
	made := s.make(Wanted{Role: Viewer, Life: day})
	s.log.lines = nil
	for n := range failuresAllowed {
		if code := s.code(otherSecret(made.Token), fmt.Sprintf("10.0.%d.1", n)); code != "401 token_invalid" {
			t.Fatalf("guess %d: %s", n+1, code)
		}
	}
	if code := s.code(made.Token, "10.1.1.1"); code != "429 too_many_failures" {
		t.Errorf("the token from a fresh address: %s", code)
	}
	if len(s.log.lines) != 1 || s.log.lines[0].Object != "token:"+made.ID {
		t.Errorf("the audit has %+v", s.log.lines)
	}
	s.log.refuse = errors.New("full")
	for n := range 2 * failuresAllowed {
		want := "401 token_invalid"
		if n >= failuresAllowed {
			want = "429 too_many_failures"
		}
		if code := s.code("swt_", "10.2.2.2"); code != want {
			t.Errorf("guess %d while the audit is full: %s", n+1, code)
		}
	}
}

func TestAttackParallelGuessesAreNotMoreThanTen(t *testing.T) {
	s := newTokenSite(t)
	for round := range 100 {
		var looked atomic.Int64
		var all, ready sync.WaitGroup
		const guesses = 32
		ready.Add(guesses)
		s.now = func() time.Time { ready.Done(); ready.Wait(); return tokenDay } // so that all begin at once
		for n := range guesses {
			all.Go(func() {
				_, err := s.Verify(t.Context(), fmt.Sprintf("swt_AAAAAAAA_%d", n), fmt.Sprintf("10.0.0.%d", round))
				var refused *Refusal
				if errors.As(err, &refused) && refused.Code == "token_invalid" {
					looked.Add(1)
				}
			})
		}
		all.Wait()
		if n := looked.Load(); n != failuresAllowed {
			t.Fatalf("%d guesses were looked at, want %d", n, failuresAllowed)
		}
	}
}

func TestAttackANetworkIsOneAddress(t *testing.T) {
	s := newTokenSite(t)
	for n := range failuresAllowed {
		s.code("swt_", fmt.Sprintf("2001:db8:0:1::%x", n+1))
	}
	for from, want := range map[string]string{"2001:db8:0:1:ffff::9": "429 too_many_failures",
		"2001:db8:0:2::1": "401 token_invalid"} {
		if code := s.code("swt_", from); code != want {
			t.Errorf("%s: %s, want %s", from, code, want)
		}
	}
	for n := range failuresAllowed {
		s.code("swt_", []string{"10.0.0.1", "::ffff:10.0.0.1"}[n%2])
	}
	if code := s.code("swt_", "10.0.0.1"); code != "429 too_many_failures" {
		t.Errorf("the same address in two spellings: %s", code)
	}
}

func TestAttackManyAddressesTakeBoundedMemory(t *testing.T) {
	f := newFailures()
	for n := range 3 * 2 * failersKept {
		for range 3 {
			f.count(fmt.Sprint("address:", n), tokenDay)
		}
	}
	if n := f.of.Len(); n != 2*failersKept {
		t.Errorf("%d are remembered, want %d", n, 2*failersKept)
	}
	for range 100 {
		f.count("address:x", tokenDay)
	}
	if times, _ := f.of.Get("address:x"); len(times) > failuresAllowed {
		t.Errorf("%d failures of one are kept", len(times))
	}
}

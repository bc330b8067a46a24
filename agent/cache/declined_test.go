package cache

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/smx"
	"statewire/smx/policy"
)

// asks is a policy that asks for a resync.
func asks(number uint32, next uint64) policy.Document {
	return policy.Document{Resync: &policy.Resync{Number: number, NextSerial: next, Issued: testPacking.Time,
		Reason: "missing"}}
}

// A serial to continue from may be a million above the client's own. One more is declined, and the resync answered all
// the same.
func TestASerialFarAboveTheOwnIsDeclined(t *testing.T) {
	for _, tc := range []struct {
		name     string
		own      uint64
		next     uint64
		accepted bool // by a person at the site
		declined bool
		first    uint64 // of the answer
	}{
		{"a million above", 3, 1_000_003, false, false, 1_000_003},
		{"one more", 3, 1_000_004, false, true, 4},
		{"one more, and accepted", 3, 1_000_004, true, false, 1_000_004},
		{"a million above nothing", 0, 1_000_000, false, false, 1_000_000},
		{"one more than that", 0, 1_000_001, false, true, 1},
		{"at the end of all serials", 3, smx.MaxSerial, false, true, 4},
		{"near the end, and accepted", 3, smx.MaxSerial - 9, true, false, smx.MaxSerial - 9},
		{"behind the end", 3, smx.MaxSerial + 1, false, true, 4},
		{"behind the end, and accepted", 3, smx.MaxSerial + 1, true, true, 4},
		{"behind the end, and near", smx.MaxSerial - 9, smx.MaxSerial + 1, false, true, smx.MaxSerial - 8},
		{"below the own", 3, 2, false, false, 4},
		{"below the own, and accepted", 3, 2, true, false, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s *opened) {
				if err := s.Continue(tc.own); err != nil {
					t.Fatal(err)
				}
				put(t, s, detected("a", 1))
				request := asks(1, tc.next).Resync
				request.Accepted = tc.accepted
				begun, err := s.Adopt(PolicyState{Accepted: testPacking.Time}, request)
				if err != nil || !begun {
					t.Fatalf("begun %v, %v", begun, err)
				}
				s.reopen()
				want := Declined{}
				if tc.declined {
					want = Declined{NextSerial: tc.next, Number: 1, Time: testPacking.Time}
				}
				if got := summary(t, s).Declined; got != want {
					t.Errorf("declined %+v, want %+v", got, want)
				}
				packed(t, s, fmt.Sprintf("%d:a=1 %d:complete(%d)", tc.first, tc.first+1, tc.first))
			})
		})
	}
}

// What was declined is told until a later request is plausible, and can be accepted: that one serial, and once.
func TestADeclinedSerialIsAccepted(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		adopt := func(number uint32, next uint64) {
			t.Helper()
			if _, err := s.Adopt(PolicyState{}, asks(number, next).Resync); err != nil {
				t.Fatal(err)
			}
		}
		put(t, s, detected("a", 1))
		if err := s.AcceptSerial(5_000_000); err == nil || strings.Contains(err.Error(), "write") {
			t.Error("a serial was accepted that nobody declined")
		}
		adopt(1, 5_000_000)
		adopt(2, 2)
		if got := summary(t, s).Declined; got != (Declined{}) {
			t.Errorf("still declined: %+v", got)
		}
		adopt(3, 5_000_000)
		if err := s.AcceptSerial(6_000_000); err == nil ||
			!strings.HasPrefix(err.Error(), "the serial that was declined is 5000000") {
			t.Errorf("another serial was accepted: %v", err)
		}
		if err := s.AcceptSerial(5_000_000); err != nil {
			t.Fatal(err)
		}
		if err := s.AcceptSerial(5_000_000); err == nil {
			t.Error("accepted twice")
		}
		s.reopen()
		packed(t, s, "5000000:a=1 5000001:complete(5000000)")
		adopt(4, smx.MaxSerial+1)
		if err := s.AcceptSerial(smx.MaxSerial + 1); !errors.Is(err, ErrUsedUp) {
			t.Errorf("a serial behind the end was accepted: %v", err)
		}
	})
}

// What was declined is told no more once the client itself has come near it.
func TestADeclinedSerialThatCameNearIsToldNoMore(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		if _, err := s.Adopt(PolicyState{}, asks(1, 5_000_000).Resync); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct{ own, told uint64 }{{3_999_999, 5_000_000}, {4_000_000, 0}} {
			if err := s.Continue(step.own); err != nil {
				t.Fatal(err)
			}
			if got := summary(t, s).Declined.NextSerial; got != step.told {
				t.Errorf("at %d it tells of %d, want %d", step.own, got, step.told)
			}
		}
	})
}

// An answer that has no serial for its completion ends nothing either.
func TestAnAnswerMayRunOutOfSerials(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("a", 1), detected("b", 1))
		packed(t, s, "1:a=1 2:b=1")
		settle(t, s, Accepted)
		if err := errors.Join(s.Continue(smx.MaxSerial-2), s.Resend()); err != nil {
			t.Fatal(err)
		}
		packed(t, s, fmt.Sprintf("%d:a=1 %d:b=1", uint64(smx.MaxSerial)-1, uint64(smx.MaxSerial)))
		settle(t, s, Accepted)
		if report, err := s.Pack(testPacking); report != nil || !errors.Is(err, ErrUsedUp) {
			t.Errorf("packed %s, %v", texts(report), err)
		}
	})
}

// A new id keeps what the client holds, in the order in which it was raised, and begins at serial 1: also in a store at
// its end.
func TestANewIDKeepsWhatTheClientHolds(t *testing.T) {
	path := t.TempDir() + "/agent.db"
	file, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	first := file.Own()
	s := file.Client(first)
	put(t, s, detected("z", 1), detected("bad", 1))
	packed(t, s, "1:z=1 2:bad=1")
	if err := s.Halve(testPacking.Build); err != nil {
		t.Fatal(err)
	}
	settle(t, s, Accepted)
	settle(t, s, Refused)
	instant := detected("now", 1)
	instant.Instant = true
	put(t, s, detected("b", 1), instant)
	if _, err := s.Adopt(PolicyState{Document: []byte("p"), ETag: "e"}, asks(3, 90).Resync); err != nil {
		t.Fatal(err)
	}
	packed(t, s, "0:now=1")
	put(t, s, detected("a", 1))
	if err := s.Continue(smx.MaxSerial); err != nil {
		t.Fatal(err)
	}
	old, own, err := file.NewID()
	if err != nil || old != first || own == first || file.Own() != own {
		t.Fatalf("from %s to %s: %v", old, own, err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = Open(path, Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	s = file.Client(own)
	if ids, err := file.Clients(); err != nil || len(ids) != 1 || ids[0] != own {
		t.Errorf("clients %v, %v", ids, err)
	}
	sum := summary(t, s)
	if sum.LastSerial != 0 || sum.States != 3 || sum.Unsent != 4 || sum.Answering || sum.DeadLetters != 1 ||
		sum.Declined != (Declined{}) {
		t.Errorf("summary %+v", sum)
	}
	if kept, err := s.Policy(); err != nil || kept.Document != nil || kept.Number != 0 {
		t.Errorf("policy %+v, %v", kept, err)
	}
	packed(t, s, "1:z=1 2:b=1 0:now=1 3:a=1")
	settle(t, s, Accepted)
	packed(t, s, "none")
}

// One lie with the greatest number, from the end of time, does not make a client deaf; an old copy is no new request.
func TestARequestWithTheGreatestNumberEndsNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		adopt := func(number uint32, issued time.Time, want bool) {
			t.Helper()
			begun, err := s.Adopt(PolicyState{}, &policy.Resync{Number: number, NextSerial: 1, Issued: issued})
			if err != nil || begun != want {
				t.Errorf("request %d of %v: begun %v, %v", number, issued, begun, err)
			}
			s.reopen()
		}
		end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		adopt(1, testPacking.Time, true)
		adopt(1<<32-1, end, true)
		adopt(2, testPacking.Time.Add(time.Hour), true)
		adopt(1, testPacking.Time, false)
		adopt(1<<32-1, end, false)
		adopt(2, testPacking.Time.Add(time.Hour), false)
		adopt(2, testPacking.Time.Add(2*time.Hour), true)
		for n := range uint32(requestsKept) {
			adopt(100+n, testPacking.Time, true)
		}
		adopt(100, testPacking.Time, false)
		adopt(99+requestsKept, testPacking.Time, false)
	})
}

// A store of an earlier version knows the last request alone.
func TestAnOldStoreKnowsItsLastRequest(t *testing.T) {
	old := PolicyState{Number: 5, Issued: testPacking.Time}
	for _, tc := range []struct {
		number uint32
		issued time.Time
		fresh  bool
	}{{5, testPacking.Time, false}, {4, testPacking.Time.Add(-time.Hour), false}, {6, testPacking.Time, true},
		{1, testPacking.Time.Add(time.Hour), true}} {
		if got := old.Fresh(&policy.Resync{Number: tc.number, Issued: tc.issued}); got != tc.fresh {
			t.Errorf("request %d of %v: %v", tc.number, tc.issued, got)
		}
	}
	old.done(&policy.Resync{Number: 6, Issued: testPacking.Time.Add(time.Hour)})
	if old.Fresh(&policy.Resync{Number: 5, Issued: testPacking.Time}) {
		t.Error("the request that the old store knew is carried out again")
	}
}

package cache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"statewire/smx"
)

// TestARingCountsWhatItHolds adds records of many sizes to a list with both bounds, as a plain list does.
func TestARingCountsWhatItHolds(t *testing.T) {
	const most, mostBytes = 8, 100
	var r ring
	var want [][]byte
	memory := NewMemory(0)
	for i := range 200 {
		record := make([]byte, 10*(1+i*i%6)) // so that some lists are exactly as long as they may be
		record[0] = byte(i)
		if i == 150 {
			record = make([]byte, 2*mostBytes) // the newest stays, whatever its size
		}
		want = append(want, record)
		size := func() (n int) {
			for _, w := range want {
				n += len(w)
			}
			return n
		}
		for len(want) > 1 && (len(want) > most || size() > mostBytes) {
			want = want[1:]
		}
		var got [][]byte
		if err := memory.change(func(s records, _ *meta) error {
			if err := r.add(s, keyDead, record, most, mostBytes); err != nil {
				return err
			}
			return s.ascend([]byte{keyDead}, func(_, value []byte) (bool, error) {
				got = append(got, slices.Clone(value))
				return true, nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		if r.count != uint64(len(want)) || r.bytes != uint64(size()) || !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("after %d records the list says %d records of %d bytes and holds %d; want %d of %d",
				i+1, r.count, r.bytes, len(got), len(want), size())
		}
	}
}

// TestDeadLettersAreBoundedByTheirBytes fills the list with letters of which few fit.
func TestDeadLettersAreBoundedByTheirBytes(t *testing.T) {
	memory := openMemory()
	const size = maxDeadBytes/5 + 1
	for i := range 12 {
		state := detected(fmt.Sprint(i), 1)
		state.Details = string(make([]byte, size))
		put(t, memory, state)
		packed(t, memory, fmt.Sprintf("%d:%d=1", i+1, i))
		settle(t, memory, Refused)
		dead, err := memory.DeadLetters()
		if want := min(i+1, 4); err != nil || len(dead) != want || dead[len(dead)-1].State.TopicID != fmt.Sprint(i) ||
			summary(t, memory).DeadLetters != want {
			t.Fatalf("%d dead letters after %d, %v", len(dead), i+1, err)
		}
	}
}

// TestACompletionThatIsToComeCountsAsUnsent follows the count from the request to the end of the answer.
func TestACompletionThatIsToComeCountsAsUnsent(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		unsent := func(when string, want uint32, answering bool) {
			t.Helper()
			if sum := summary(t, s); sum.Unsent != want || sum.Answering != answering {
				t.Errorf("%s: %d unsent, answering %v; want %d, %v", when, sum.Unsent, sum.Answering, want, answering)
			}
		}
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		unsent("of an empty cache", 1, true)
		packed(t, s, "1:complete(1)")
		unsent("of an empty cache, under way", 1, true)
		settle(t, s, Accepted)
		unsent("of an empty cache, at the relay", 0, false)

		two := testPacking
		two.Build = func(r *Report) []byte { return make([]byte, len(r.States)*(maxReportBytes/2-1)) }
		put(t, s, detected("a", 1), detected("b", 1))
		unsent("without a request", 2, false)
		packedBy(t, s, two, "2:a=1 3:b=1")
		settle(t, s, Accepted)
		put(t, s, detected("c", 1))
		packedBy(t, s, two, "4:c=1")
		settle(t, s, Accepted)
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		unsent("nothing is packed", 4, true)
		s.reopen()
		unsent("after a restart", 4, true)
		packedBy(t, s, two, "5:a=1 6:b=1")
		unsent("the first half under way", 4, true)
		settle(t, s, Accepted)
		unsent("the first half at the relay", 2, true)
		packedBy(t, s, two, "7:c=1 8:complete(5)")
		unsent("the rest under way", 2, true)
		settle(t, s, Accepted)
		unsent("all at the relay", 0, false)
	})
}

// TestWhenTheOldestUnsentStateWasRaised takes the oldest of what waits and what is under way.
func TestWhenTheOldestUnsentStateWasRaised(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		at := func(id string, minute int) State {
			state := detected(id, 1)
			state.Raised = testPacking.Time.Add(time.Duration(minute) * time.Minute)
			return state
		}
		oldest := func(minute int) {
			t.Helper()
			if got, want := summary(t, s).OldestUnsent,
				testPacking.Time.Add(time.Duration(minute)*time.Minute); !got.Equal(want) {
				t.Errorf("the oldest was raised at %v, want %v", got, want)
			}
		}
		put(t, s, at("b", 5), at("a", 3), at("c", 9))
		oldest(3)
		report, err := s.Pack(testPacking)
		if err != nil || len(report.States) != 3 {
			t.Fatal(report, err)
		}
		put(t, s, at("a", 12))
		oldest(3)
		settle(t, s, Accepted)
		oldest(12)
	})
}

// TestADigestForgetsNothingThatIsHeld compares the claim's digest with that of what the client lists.
func TestADigestForgetsNothingThatIsHeld(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("a", 1), detected("b", 2), detected("a", 3))
		held, err := s.Held()
		if err != nil || len(held) != 2 {
			t.Fatal(held, err)
		}
		var digest uint64
		for i := range held {
			digest = smx.StateDigest(digest, smx.PayloadHash(&held[i].Message))
		}
		if sum := summary(t, s); sum.Digest != digest || sum.States != 2 {
			t.Errorf("%d states with digest %x, want 2 with %x", sum.States, sum.Digest, digest)
		}
	})
}

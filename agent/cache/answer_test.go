package cache

import (
	"fmt"
	"testing"
	"time"

	"statewire/smx/policy"
)

func TestARefusedReportIsHalvedDownToTheGuiltyState(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("a", 1), detected("b", 1), detected("c", 1), detected("d", 1), detected("e", 1))
		packed(t, s, "1:a=1 2:b=1 3:c=1 4:d=1 5:e=1")
		halve := func() {
			t.Helper()
			if err := s.Halve(testPacking.Build); err != nil {
				t.Fatal(err)
			}
			s.reopen()
		}
		halve()
		pending(t, s, "1:a=1 2:b=1 3:c=1")
		halve()
		pending(t, s, "1:a=1 2:b=1")
		settle(t, s, Accepted)
		pending(t, s, "3:c=1")
		if err := s.Halve(testPacking.Build); err == nil {
			t.Error("a single state was halved")
		}
		settle(t, s, Refused)
		pending(t, s, "4:d=1 5:e=1")
		put(t, s, detected("d", 2))
		halve()
		settle(t, s, Refused) // d=1, which d=2 has replaced
		pending(t, s, "5:e=1")
		settle(t, s, Accepted)
		packed(t, s, "6:d=2")
		settle(t, s, Accepted)
		if dead, err := s.DeadLetters(); err != nil || len(dead) != 2 || dead[0].State.TopicID != "c" ||
			dead[0].End.Code != "c" || dead[1].State.TopicID != "d" {
			t.Errorf("dead letters %+v, %v", dead, err)
		}
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		packed(t, s, "7:a=1 8:b=1 9:e=1 10:d=2 11:complete(7)") // c is not held any more
	})
}

func TestDeadLettersAreBounded(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		for i := range maxDeadLetters + 5 {
			put(t, s, detected(fmt.Sprint(i), 1))
			packed(t, s, fmt.Sprintf("%d:%d=1", i+1, i))
			settle(t, s, Refused)
		}
		dead, err := s.DeadLetters()
		if err != nil || len(dead) != maxDeadLetters || dead[0].State.TopicID != "5" ||
			summary(t, s).DeadLetters != maxDeadLetters {
			t.Errorf("%d dead letters from %+v on, %v", len(dead), dead[0], err)
		}
		if at := summary(t, s).LastSent; !at.IsZero() {
			t.Errorf("the relay took nothing, and the last send was at %v", at)
		}
	})
}

func TestTheAnswerToAResync(t *testing.T) {
	adopt := func(t *testing.T, s contract, number uint32, next uint64, issued time.Time, want bool) {
		t.Helper()
		begun, err := s.Adopt(PolicyState{ETag: fmt.Sprint(number), Document: []byte("p")},
			&policy.Resync{Number: number, NextSerial: next, Issued: issued})
		if err != nil || begun != want {
			t.Fatalf("begun is %v (%v), want %v", begun, err, want)
		}
	}
	t0 := testPacking.Time
	eachStore(t, func(t *testing.T, s *opened) {
		adopt(t, s, 1, 1, t0, true)
		packed(t, s, "1:complete(1)") // an empty cache is answered too
		settle(t, s, Accepted)
		put(t, s, detected("a", 1), detected("b", 1))
		packed(t, s, "2:a=1 3:b=1")
		put(t, s, detected("c", 1))
		adopt(t, s, 2, 101, t0.Add(time.Hour), true)
		s.reopen()
		pending(t, s, "2:a=1 3:b=1") // what was under way goes first
		settle(t, s, Accepted)
		put(t, s, detected("b", 2), detected("d", 1))
		packed(t, s, "101:d=1") // new states go on
		settle(t, s, Accepted)
		if !summary(t, s).Answering {
			t.Error("the answer is forgotten")
		}
		s.reopen()
		packed(t, s, "102:a=1 103:c=1 104:b=2 105:complete(101)")
		if sum := summary(t, s); !sum.Answering || sum.Unsent != 4 || sum.LastSerial != 105 {
			t.Errorf("summary %+v", sum)
		}
		settle(t, s, Accepted)
		if sum := summary(t, s); sum.Answering || sum.Unsent != 0 || sum.States != 4 {
			t.Errorf("summary %+v", sum)
		}
		adopt(t, s, 2, 500, t0.Add(time.Hour), false) // carried out already
		adopt(t, s, 1, 500, t0, false)                // older: another relay's copy
		packed(t, s, "none")
		adopt(t, s, 1, 50, t0.Add(2*time.Hour), true) // a restored site counts anew; own serials are ahead
		packed(t, s, "106:a=1 107:c=1 108:b=2 109:d=1 110:complete(106)")
		settle(t, s, Accepted)
		if kept, err := s.Policy(); err != nil || kept.Number != 2 || !kept.Issued.Equal(t0.Add(2*time.Hour)) ||
			kept.ETag != "1" {
			t.Errorf("policy %+v, %v", kept, err)
		}
	})
}

func TestABigAnswerIsSplitAndItsCompletionComesLast(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		var all []State
		for i := range maxReportStates {
			all = append(all, detected(fmt.Sprintf("%06d", i), 1))
		}
		put(t, s, all...)
		if report, err := s.Pack(testPacking); err != nil || len(report.States) != maxReportStates {
			t.Fatal(err)
		}
		settle(t, s, Accepted)
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		report, err := s.Pack(testPacking)
		if err != nil || len(report.States) != maxReportStates || !report.Answer || report.First != maxReportStates+1 {
			t.Fatalf("%d states from %d on, %v", len(report.States), report.First, err)
		}
		settle(t, s, Accepted)
		packed(t, s, fmt.Sprintf("%d:complete(%d)", 2*maxReportStates+1, maxReportStates+1))
	})
}

func TestAReportThatIsTooLongIsCutShort(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		long := testPacking
		long.Build = func(r *Report) []byte { return make([]byte, len(r.States)*(maxReportBytes/2-1)) }
		put(t, s, detected("a", 1), detected("b", 1), detected("c", 1), detected("d", 1), detected("e", 1))
		for _, want := range []string{"1:a=1 2:b=1", "3:c=1 4:d=1", "5:e=1"} {
			packedBy(t, s, long, want)
			settle(t, s, Accepted)
		}
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"6:a=1 7:b=1", "8:c=1 9:d=1", "10:e=1 11:complete(6)", "none"} {
			packedBy(t, s, long, want)
			if want != "none" {
				settle(t, s, Accepted)
			}
		}
	})
}

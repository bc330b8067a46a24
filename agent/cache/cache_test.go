package cache

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"statewire/smx"
)

func TestAReportUnderWayOutlivesARestart(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("a", 1), detected("b", 1), detected("a", 2))
		packed(t, s, "1:b=1 2:a=2")
		put(t, s, detected("b", 3))
		s.reopen()
		pending(t, s, "1:b=1 2:a=2")
		if _, err := s.Pack(testPacking); err == nil {
			t.Error("a second report was packed while one is under way")
		}
		if sum := summary(t, s); sum.LastSerial != 2 || sum.States != 2 || sum.Unsent != 3 {
			t.Errorf("summary %+v", sum)
		}
		settle(t, s, Accepted)
		s.reopen()
		pending(t, s, "none")
		packed(t, s, "3:b=3")
		settle(t, s, Accepted)
		packed(t, s, "none")
		if sum := summary(t, s); sum.LastSerial != 3 || sum.Unsent != 0 || !sum.LastSent.Equal(testPacking.Time) {
			t.Errorf("summary %+v", sum)
		}
		if err := s.Settle(Settlement{Outcome: Accepted}); err == nil {
			t.Error("settled what is not under way")
		}
	})
}

func TestHeldBackTopicsWaitAndCoalesce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		other := detected("x", 1)
		other.TopicType = 300
		put(t, s, detected("a", 1), other, detected("b", 1))
		held := testPacking
		held.Allow = func(topicType uint32) bool { return topicType != topicDetection }
		packedBy(t, s, held, "1:x=1")
		settle(t, s, Accepted)
		put(t, s, detected("a", 2))
		packedBy(t, s, held, "none")
		s.reopen()
		packed(t, s, "2:b=1 3:a=2")
	})
}

func TestWhatWasSentIsListedAndBounded(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		for i := range 30 {
			put(t, s, detected("a", uint32(i)))
			packed(t, s, fmt.Sprintf("%d:a=%d", i+1, i))
			settle(t, s, Accepted)
		}
		put(t, s, detected("b", 1))
		packed(t, s, "31:b=1")
		sent, err := s.Sent()
		if err != nil || len(sent) != 21 || sent[0].Serial != 11 || sent[19].Receipt != "r" || sent[19].File != "f" ||
			sent[19].StateID != 29 {
			t.Fatalf("%d sent: %+v, %v", len(sent), sent, err)
		}
		if last := sent[20]; last.Serial != 31 || last.Outcome != Unsettled || !last.Sent.IsZero() ||
			!last.Packed.Equal(testPacking.Time) {
			t.Errorf("under way: %+v", last)
		}
	})
}

func TestHeldTellsWhereAStateStands(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("sent", 1))
		packed(t, s, "1:sent=1")
		settle(t, s, Accepted)
		put(t, s, detected("underway", 1))
		packed(t, s, "2:underway=1")
		instant := detected("waits", 1)
		instant.Instant = true
		put(t, s, detected("waits", 1), instant)
		held, err := s.Held()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range held {
			got = append(got, fmt.Sprint(h.TopicID, " ", h.Place))
		}
		if want := []string{"sent sent", "underway under way", "waits waiting", "waits waiting"}; !slices.Equal(got, want) {
			t.Errorf("held %v, want %v", got, want)
		}
	})
}

// What was sent already waits again once the whole cache is asked for.
func TestHeldWaitsForTheAnswerToAResync(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("sent", 1))
		packed(t, s, "1:sent=1")
		settle(t, s, Accepted)
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		held, err := s.Held()
		if err != nil || len(held) != 1 || held[0].Place != Waits {
			t.Errorf("held %+v, %v; want it waiting", held, err)
		}
	})
}

func TestHeldOfSomeTopicTypes(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		other, instant := detected("b", 1), detected("c", 1)
		other.TopicType, instant.Instant = topicScan, true
		put(t, s, detected("a", 1), other, instant)
		for _, tt := range []struct {
			types []uint32
			want  string
		}{{nil, "a b c "}, {[]uint32{topicDetection}, "a c "}, {[]uint32{topicScan, 7}, "b "}, {[]uint32{7}, ""}} {
			held, err := s.Held(tt.types...)
			got := ""
			for _, h := range held {
				got += h.TopicID + " "
			}
			if err != nil || got != tt.want {
				t.Errorf("of %v it holds %q, %v; want %q", tt.types, got, err, tt.want)
			}
		}
	})
}

// A report is made of what has room in it. A client whose cache is larger than its memory would otherwise be ended by
// the system at every attempt to send.
func TestAReportIsNotMadeOfTheWholeCache(t *testing.T) {
	const topics = maxReportBytes/smx.MaxDetailsBytes + 2
	eachStore(t, func(t *testing.T, s *opened) {
		most, p := 0, testPacking
		p.Build = func(r *Report) []byte {
			size := 0
			for i := range r.States {
				size += len(r.States[i].Details)
			}
			most = max(most, size)
			return make([]byte, size)
		}
		for i := range topics {
			a := detected(fmt.Sprintf("%02d", i), 1)
			a.Details = strings.Repeat("d", smx.MaxDetailsBytes)
			put(t, s, a)
		}
		drain := func() (messages int) {
			for {
				report, err := s.Pack(p)
				if err != nil {
					t.Fatal(err)
				}
				if report == nil {
					return messages
				}
				messages += len(report.States)
				settle(t, s, Accepted)
			}
		}
		if n := drain(); n != topics || most > maxReportBytes {
			t.Errorf("%d messages of reports tried with up to %d bytes; want %d and at most %d", n, most, topics, maxReportBytes)
		}
		if err := s.Resend(); err != nil {
			t.Fatal(err)
		}
		if n := drain(); n != topics+1 || most > maxReportBytes || summary(t, s).Answering {
			t.Errorf("the answer is %d messages of reports tried with up to %d bytes; want %d and at most %d",
				n, most, topics+1, maxReportBytes)
		}
	})
}

func TestTheStoreIsBoundedAndSaysSo(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		var all []State
		for i := range maxTopics {
			all = append(all, detected(fmt.Sprintf("%06d", i), 1))
		}
		for chunk := range slices.Chunk(all, 2000) { // one transaction of all would take minutes
			put(t, s, chunk...)
		}
		if err := s.Put(detected("one", 1)); !errors.Is(err, ErrFull) {
			t.Errorf("one topic more: %v, want a refusal", err)
		}
		put(t, s, detected("000000", 2)) // a known topic is still taken
		if err := s.Put(detected("000000", 3), detected("one", 1)); !errors.Is(err, ErrFull) {
			t.Errorf("a known and a new topic: %v, want a refusal", err)
		}
		held, err := s.Held()
		if err != nil || len(held) != maxTopics || held[0].StateID != 2 {
			t.Errorf("%d held, the first in state %d (%v); want all or none of a refused call", len(held), held[0].StateID, err)
		}
	})
}

func TestRestoredFromAnImage(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		put(t, s, detected("a", 1))
		packed(t, s, "1:a=1")
		image, err := s.Image()
		if err != nil {
			t.Fatal(err)
		}
		settle(t, s, Accepted)
		put(t, s, detected("b", 1))
		packed(t, s, "2:b=1")
		if err := s.Restore(image); err != nil {
			t.Fatal(err)
		}
		pending(t, s, "1:a=1")
		settle(t, s, Accepted)
		packed(t, s, "none")
		if err := s.Restore(nil); err != nil { // installed anew
			t.Fatal(err)
		}
		if sum := summary(t, s); sum != (Summary{}) {
			t.Errorf("an empty store holds %+v", sum)
		}
		if err := s.Continue(41); err != nil {
			t.Fatal(err)
		}
		put(t, s, detected("c", 1))
		packed(t, s, "42:c=1")
	})
}

func TestTheDigestIsThatOfThePayloads(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		a, b := detected("a", 1), detected("b", 2)
		script := detected("script", 1)
		script.Instant = true
		put(t, s, a, b, script, detected("a", 7))
		a.StateID = 7
		want := smx.StateDigest(smx.PayloadHash(&a.Message), smx.PayloadHash(&b.Message))
		if sum := summary(t, s); sum.Digest != want || sum.States != 2 {
			t.Errorf("summary %+v, want digest %d of 2 states", sum, want)
		}
	})
}

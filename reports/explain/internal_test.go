package explain

import (
	"testing"
	"time"

	"statewire/internal/serials"
)

// TestARunThatJumpedIsApart has both sides of the edge, below a serial that arrived and below one that was only
// claimed.
func TestARunThatJumpedIsApart(t *testing.T) {
	for _, c := range []struct {
		missing serials.Run
		seen    uint64
		jumps   int
	}{{serials.Run{First: 11, Last: 1_000_009}, 1_000_010, 0}, {serials.Run{First: 11, Last: 1_000_010}, 1_000_011, 1},
		{serials.Run{First: 11, Last: 1_000_010}, 10, 0},
		{serials.Run{First: 11, Last: 1_000_011}, 10, 1}} {
		if lost, jumps := parted([]serials.Run{c.missing}, c.seen); len(jumps) != c.jumps || len(lost) != 1-c.jumps {
			t.Errorf("%v below %d: lost %v, jumped %v", c.missing, c.seen, lost, jumps)
		}
	}
}

// TestAGapCheckIsForetoldAtOrAfterAMoment has checks every time.Hour, the last one half an time.Hour ago.
func TestAGapCheckIsForetoldAtOrAfterAMoment(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	e := evidence{now: now, lastCheck: now.Add(-time.Hour / 2), schedule: Schedule{CheckInterval: time.Hour}}
	for after, want := range map[time.Duration]time.Duration{-time.Hour: time.Hour / 2, 0: time.Hour / 2,
		time.Hour / 2: time.Hour / 2, time.Hour/2 + 1: 3 * time.Hour / 2, 3 * time.Hour / 2: 3 * time.Hour / 2,
		2 * time.Hour: 5 * time.Hour / 2} {
		if got := e.checkAfter(now.Add(after)); !got.Equal(now.Add(want)) {
			t.Errorf("%v from now: the check is %v from now, want %v", after, got.Sub(now), want)
		}
	}
}

// TestTheNextPollIsForetoldByThePolicyInterval: not by the one of sends, and not in the past.
func TestTheNextPollIsForetoldByThePolicyInterval(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]time.Time{10 * time.Minute: now.Add(50 * time.Minute),
		59 * time.Minute: now.Add(time.Minute), time.Hour: {}, 2 * time.Hour: {}} {
		n := next{evidence: &evidence{now: now, header: header{claimedTime: now.Add(-ago)},
			schedule: Schedule{PolicyInterval: time.Hour, SendInterval: 15 * time.Minute}}}
		if got := n.nextPoll(); !got.Equal(want) {
			t.Errorf("%v after a poll the next is at %v, want %v", ago, got, want)
		}
	}
}

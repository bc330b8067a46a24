package gaps

import (
	"fmt"
	"testing"
	"time"

	"statewire/internal/serials"
	"statewire/smx"
)

// A serial is a jump from 1,000,001 above the greatest one known on; what is missing below it is counted apart.
func TestWhereASerialJumps(t *testing.T) {
	const most = smx.MaxSerial
	s := newSite(t)
	var names, want []string
	for _, tc := range []struct {
		name    string
		arrived []serials.Run
		claim   uint64
		want    string // ranges and messages that count; those apart
	}{
		{"a million above", []serials.Run{run(1, 1), run(1_000_001, 1_000_001)}, 0, "1 999999; 0 0"},
		{"one more", []serials.Run{run(1, 1), run(1_000_002, 1_000_002)}, 0, "0 0; 1 1000000"},
		{"the first message ever, a million above nothing", []serials.Run{run(1_000_000, 1_000_000)}, 0,
			"1 999999; 0 0"},
		{"the first message ever, one more", []serials.Run{run(1_000_001, 1_000_001)}, 0, "0 0; 1 1000000"},
		{"the first message ever is 5,000,000", []serials.Run{run(5_000_000, 5_000_000)}, 0, "0 0; 1 4999999"},
		{"a claim a million above", []serials.Run{run(1, 1)}, 1_000_001, "1 1000000; 0 0"},
		{"an accepted claim that jumps", []serials.Run{run(1, 1)}, 1_000_002, "0 0; 1 1000001"},
		{"a claim that a message stands above", []serials.Run{run(1, 1), run(1_000_002, 1_000_002)}, 1_000_001,
			"0 0; 1 1000000"},
		{"two jumps, and a message lost beside them",
			[]serials.Run{run(1, 1), run(3, 50), run(1e15, 1e15), run(most-1, most)}, 0,
			fmt.Sprintf("1 1; 2 %d", uint64(most)-53)},
		{"the greatest serial alone", []serials.Run{run(most, most)}, 0, fmt.Sprintf("0 0; 1 %d", uint64(most)-1)},
		{"late arrivals below a jump", []serials.Run{run(1, 50), run(1e15, 1e15), run(52, 60)}, 0,
			"1 1; 1 999999999999939"},
		{"a jump, then the image before it", []serials.Run{run(1, 50), run(1e15, 1e15+5), run(40, 60)}, 0,
			"0 0; 1 999999999999939"},
		{"a jump that arrived but for its end", []serials.Run{run(1, 50), run(100, 2_000_000)}, 0, "1 49; 0 0"},
	} {
		n := len(names) + 1
		names, want = append(names, tc.name), append(want, tc.want)
		s.arrived(n, tc.arrived...)
		if tc.claim > 0 {
			s.claim(n, tc.claim)
		}
	}
	dry := s.check(Options{At: epoch, DryRun: true})
	out := s.check(Options{At: epoch})
	recorded, err := s.finder.Recorded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n, rule := range names {
		got := s.rows(`SELECT concat(toString(countIf(SerialJump = 0)), ' ',
			toString(sumIf(toUInt64(LastSerial - FirstSerial + 1), SerialJump = 0)), '; ',
			toString(countIf(SerialJump = 1)), ' ',
			toString(sumIf(toUInt64(LastSerial - FirstSerial + 1), SerialJump = 1)))
			FROM SR_MissingMessageRanges WHERE ClientID = '%s'`, clientN(n+1))
		if fmt.Sprint(got) != "[('"+want[n]+"')]" {
			t.Errorf("%s: %v, want %s", rule, got, want[n])
		}
	}
	for what, f := range map[string]Found{"dry run": dry.Found, "check": out.Found, "recorded": recorded} {
		if f.Ranges != 6 || f.Messages != 3_000_049 || f.Jumps != 10 || f.JumpMessages != out.JumpMessages ||
			f.JumpMessages < 2*most {
			t.Errorf("%s counts %d ranges, %.0f messages, and %d, %.0f apart", what, f.Ranges, f.Messages, f.Jumps,
				f.JumpMessages)
		}
	}
}

// A range becomes one below a jump when the message above it arrives, and stays known since then.
func TestAClaimedRangeTurnsIntoAJump(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(1, 1))
	s.claim(1, 1_000_001)
	s.check(Options{At: epoch})
	s.arrived(1, run(1_000_002, 1_000_002))
	out := s.check(Options{At: epoch.Add(time.Hour), Since: aCheck})
	if out.Ranges != 0 || out.Jumps != 1 || out.Late != 0 {
		t.Errorf("%+v", out)
	}
	got := s.rows("SELECT FirstSerial, LastSerial, SerialJump, DetectedTime = toDateTime64('2026-03-01 08:00:00', 6, " +
		"'UTC') FROM SR_MissingMessageRanges")
	if fmt.Sprint(got) != "[(2,1000001,1,1)]" {
		t.Error(got)
	}
}

// What was claimed and is claimed no more did not arrive late.
func TestAClaimThatIsWithdrawnDidNotArrive(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(1, 5), run(8, 9))
	s.claim(1, 900_000)
	s.check(Options{At: epoch})
	s.exec("ALTER TABLE client_claims DELETE WHERE 1 SETTINGS mutations_sync = 1")
	s.arrived(1, run(7, 7))
	out := s.check(Options{At: epoch.Add(time.Hour)})
	if out.Late != 1 || out.Ranges != 1 || out.Messages != 1 {
		t.Errorf("%+v", out)
	}
}

package resync

import (
	"fmt"
	"testing"
	"time"

	"statewire/smx"
)

// A serial is a jump from 1,000,001 above the greatest one known on; what is missing below it is counted apart.
func TestWhereASerialJumps(t *testing.T) {
	const most = smx.MaxSerial
	s := newSite(t)
	var names, want []string
	for _, tc := range []struct {
		name    string
		arrived []span
		claim   uint64
		want    string // ranges and messages that count; those apart
	}{
		{"a million above", []span{{1, 1}, {1_000_001, 1_000_001}}, 0, "1 999999; 0 0"},
		{"one more", []span{{1, 1}, {1_000_002, 1_000_002}}, 0, "0 0; 1 1000000"},
		{"the first message ever, a million above nothing", []span{{1_000_000, 1_000_000}}, 0, "1 999999; 0 0"},
		{"the first message ever, one more", []span{{1_000_001, 1_000_001}}, 0, "0 0; 1 1000000"},
		{"the first message ever is 5,000,000", []span{{5_000_000, 5_000_000}}, 0, "0 0; 1 4999999"},
		{"a claim a million above", []span{{1, 1}}, 1_000_001, "1 1000000; 0 0"},
		{"an accepted claim that jumps", []span{{1, 1}}, 1_000_002, "0 0; 1 1000001"},
		{"a claim that a message stands above", []span{{1, 1}, {1_000_002, 1_000_002}}, 1_000_001, "0 0; 1 1000000"},
		{"two jumps, and a message lost beside them", []span{{1, 1}, {3, 50}, {1e15, 1e15}, {most - 1, most}}, 0, fmt.Sprintf("1 1; 2 %d", uint64(most)-53)},
		{"the greatest serial alone", []span{{most, most}}, 0, fmt.Sprintf("0 0; 1 %d", uint64(most)-1)},
		{"late arrivals below a jump", []span{{1, 50}, {1e15, 1e15}, {52, 60}}, 0, "1 1; 1 999999999999939"},
		{"a jump, then the image before it", []span{{1, 50}, {1e15, 1e15 + 5}, {40, 60}}, 0, "0 0; 1 999999999999939"},
		{"a jump that arrived but for its end", []span{{1, 50}, {100, 2_000_000}}, 0, "1 49; 0 0"},
	} {
		n := len(names) + 1
		names, want = append(names, tc.name), append(want, tc.want)
		s.arrived(n, tc.arrived...)
		if tc.claim > 0 {
			s.claim(n, tc.claim)
		}
	}
	dry := s.check(findOptions{At: epoch, DryRun: true})
	out := s.check(findOptions{At: epoch})
	recorded, err := s.finder.recorded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n, rule := range names {
		got := s.rows(`SELECT concat(toString(countIf(SerialJump = 0)), ' ', toString(sumIf(toUInt64(LastSerial - FirstSerial + 1), SerialJump = 0)), '; ',
			toString(countIf(SerialJump = 1)), ' ', toString(sumIf(toUInt64(LastSerial - FirstSerial + 1), SerialJump = 1)))
			FROM SR_MissingMessageRanges WHERE ClientID = '%s'`, clientN(n+1))
		if fmt.Sprint(got) != "[('"+want[n]+"')]" {
			t.Errorf("%s: %v, want %s", rule, got, want[n])
		}
	}
	for what, f := range map[string]found{"dry run": dry, "check": out, "recorded": recorded} {
		if f.Ranges != 6 || f.Messages != 3_000_049 || f.Jumps != 10 || f.JumpMessages != out.JumpMessages || f.JumpMessages < 2*most {
			t.Errorf("%s counts %d ranges, %.0f messages, and %d, %.0f apart", what, f.Ranges, f.Messages, f.Jumps, f.JumpMessages)
		}
	}
}

// A range becomes one below a jump when the message above it arrives, and stays known since then.
func TestAClaimedRangeTurnsIntoAJump(t *testing.T) {
	s := newSite(t)
	s.arrived(1, span{1, 1})
	s.claim(1, 1_000_001)
	s.check(findOptions{At: epoch})
	s.arrived(1, span{1_000_002, 1_000_002})
	out := s.check(findOptions{At: epoch.Add(time.Hour), Since: aCheck})
	if out.Ranges != 0 || out.Jumps != 1 || out.Late != 0 {
		t.Errorf("%+v", out)
	}
	got := s.rows("SELECT FirstSerial, LastSerial, SerialJump, DetectedTime = toDateTime64('2026-03-01 08:00:00', 6, 'UTC') FROM SR_MissingMessageRanges")
	if fmt.Sprint(got) != "[(2,1000001,1,1)]" {
		t.Error(got)
	}
}

// What was claimed and is claimed no more did not arrive late.
func TestAClaimThatIsWithdrawnDidNotArrive(t *testing.T) {
	s := newSite(t)
	s.arrived(1, span{1, 5}, span{8, 9})
	s.claim(1, 900_000)
	s.check(findOptions{At: epoch})
	s.exec("ALTER TABLE client_claims DELETE WHERE 1 SETTINGS mutations_sync = 1")
	s.arrived(1, span{7, 7})
	out := s.check(findOptions{At: epoch.Add(time.Hour)})
	if out.Late != 1 || out.Ranges != 1 || out.Messages != 1 {
		t.Errorf("%+v", out)
	}
}

// A lie in a claim is a flag: it opens no range, reaches no policy, hides no claim that can be true.
func TestAClaimThatJumpsIsKeptAside(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		b.check(CheckOptions{})
		c, other, stranger := client(1), client(2), client(3)
		b.arrive(c, 1, 10)
		b.arrive(other, 1, 10)
		b.poll(c, smx.MaxSerial-2)
		b.poll(other, 1_000_010)
		b.poll(stranger, 1_000_001)
		r := b.check(CheckOptions{})
		b.equal("gaps", r.Gaps.Rows, []Gap{{other.UUID(), 11, 1_000_010, b.now, false}})
		b.equal("counted", []any{r.Gaps.Clients, int(r.Gaps.Messages), r.Gaps.Jumps, r.Gaps.Aside}, []any{1, 1_000_000, 0, 2})
		b.equal("metric", metric(t, b.reg, "statewire_claims_aside"), 2)
		b.equal("no policy", b.poll(c, 12).Resync == nil, true)
		r = b.check(CheckOptions{})
		b.equal("a true claim opens a range", r.Gaps.Rows[0], Gap{c.UUID(), 11, 12, b.now, false})
		b.equal("its policy", b.poll(c, 12).Resync.NextSerial, 13)
		b.equal("both polled", b.count("SELECT uniqExact(client_id) FROM client_claims WHERE claimed_time > 0"), 3)
		b.equal("kept", b.count("SELECT any(last_serial) FROM claims_aside WHERE client_id = '"+c.UUID()+"'"), uint64(smx.MaxSerial-2))
		b.equal("what it holds is not believed", b.count("SELECT count() FROM client_caches WHERE last_serial > 2000000"), 0)
	})
}

// A claim is measured anew with each poll: by what arrived meanwhile.
func TestAClaimIsMeasuredByWhatArrived(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	c := client(1)
	b.poll(c, 3_000_005)
	b.equal("kept aside", b.check(CheckOptions{}).Gaps.Aside, 1)
	b.arrive(c, 3_000_004, 3_000_004)
	b.poll(c, 3_000_005)
	r := b.check(CheckOptions{})
	b.equal("believed", []any{r.Gaps.Aside, r.Gaps.Messages, r.Gaps.Jumps}, []any{0, 1, 1})
}

// What a client claimed before, and claims no more, is measured in the same way.
func TestAGreaterClaimBeforeIsMeasuredByWhatArrived(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	c := client(1)
	b.arrive(c, 3_000_004, 3_000_004)
	b.poll(c, 3_000_005)
	b.poll(c, 5)
	r := b.check(CheckOptions{})
	b.equal("kept aside, missing", []any{r.Gaps.Aside, r.Gaps.Messages, b.count("SELECT count() FROM claims_aside")}, []any{0, 1, uint64(0)})
}

func TestAnAcceptedClaimReachesPolicies(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		b.check(CheckOptions{})
		c, plain := client(1), client(2)
		b.arrive(c, 1, 10)
		b.arrive(plain, 1, 10)
		b.poll(c, 7_000_000)
		b.check(CheckOptions{})
		for _, wrong := range []Target{{All: true}, {Clients: []smx.ClientID{plain}}} {
			if _, err := s.Accept(t.Context(), wrong, AcceptOptions{Claim: true, By: "ann"}); err == nil {
				t.Errorf("%+v was accepted", wrong)
			}
		}
		target := Target{Clients: []smx.ClientID{c, plain}}
		dry, err := s.Accept(t.Context(), target, AcceptOptions{Claim: true, DryRun: true, By: "ann"})
		b.equal("dry run", []any{dry.Claims, dry.Clients, err}, []any{1, 1, nil})
		b.equal("dry run writes nothing", b.count("SELECT count() FROM accepted_claims"), 0)
		out, err := s.Accept(t.Context(), target, AcceptOptions{Claim: true, By: "ann"})
		b.equal("accepted", []any{out.Claims, out.Clients, out.Ranges, err}, []any{1, 1, 0, nil})
		r := b.check(CheckOptions{})
		b.equal("counted apart", []any{r.Gaps.Ranges, r.Gaps.Jumps, int(r.Gaps.JumpMessages), r.Gaps.Aside}, []any{0, 1, 6_999_990, 0})
		b.equal("policy", b.poll(c, 7_000_003).Resync.NextSerial, 7_000_001)
		b.equal("measured from there", int(b.check(CheckOptions{}).Gaps.JumpMessages), 6_999_993)
		b.poll(c, 8_000_001)
		b.equal("and no farther", b.check(CheckOptions{}).Gaps.Aside, 1)
	})
}

// A baseline settles a claim that a person took for a lie.
func TestABaselineSettlesAClaimThatIsKeptAside(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	c := client(1)
	b.arrive(c, 1, 10)
	b.poll(c, smx.MaxSerial)
	b.equal("shown", b.check(CheckOptions{}).Gaps.Aside, 1)
	b.wait(time.Second)
	if _, err := b.Accept(t.Context(), Target{Clients: []smx.ClientID{c}}, AcceptOptions{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	b.equal("settled", b.check(CheckOptions{}).Gaps.Aside, 0)
	b.wait(time.Second)
	b.poll(c, smx.MaxSerial)
	b.equal("shown again", b.check(CheckOptions{}).Gaps.Aside, 1)
}

// A jump is asked for like any gap, but once: a client that completed a resync has nothing to fill it with.
func TestAJumpIsAskedForOnce(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	forged, real := client(1), client(2)
	for _, c := range []smx.ClientID{forged, real} {
		b.arrive(c, 1, 50)
		b.arrive(c, 1e15, 1e15)
	}
	r := b.check(CheckOptions{})
	b.equal("fleet", []any{r.Gaps.Clients, r.Gaps.Ranges, r.Gaps.Messages, r.Gaps.Jumps, r.Gaps.Oldest.IsZero()}, []any{0, 0, 0, 2, true})
	b.equal("asked", r.IssuedTotal, 2)
	b.equal("next", b.poll(forged, 50).Resync.NextSerial, uint64(1e15)+1)
	b.wait(time.Minute)
	b.complete(forged, 51, 60) // it goes on with its own serials
	b.arrive(forged, 51, 59)
	b.complete(real, 1e15+1, 1e15+9)
	b.arrive(real, 1e15+1, 1e15+8)
	b.wait(100 * time.Hour)
	dry := b.check(CheckOptions{DryRun: true})
	r = b.check(CheckOptions{})
	b.equal("foreseen", dry.IssuedTotal, 0)
	b.equal("not again", []any{r.IssuedTotal, r.Outstanding, r.Gaps.Jumps}, []any{0, 0, 1})
	b.equal("what is left", r.Gaps.Rows, []Gap{{forged.UUID(), 61, 1e15 - 1, b.now.Add(-100*time.Hour - time.Minute), true}})
	b.arrive(forged, 65, 65)
	b.equal("a lost message beside it counts", b.check(CheckOptions{}).IssuedTotal, 1)
}

// A lie does not vanish behind the truth that is told before the store hears of either.
func TestALieBetweenTwoPollsIsNoted(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	lied, honest := client(1), client(2)
	b.arrive(lied, 1, 10)
	b.arrive(honest, 3_000_000, 3_000_000)
	b.poll(lied, 10)
	b.poll(lied, smx.MaxSerial-2)
	b.wait(time.Second)
	b.poll(lied, 11)
	b.poll(lied, 12)
	b.poll(honest, 3_000_002) // believed, although an older poll comes behind it
	b.poll(honest, 4)
	r := b.check(CheckOptions{})
	b.equal("gaps", r.Gaps.Rows, []Gap{{lied.UUID(), 11, 12, b.now, false}, {honest.UUID(), 1, 2_999_999, b.now, true}, {honest.UUID(), 3_000_001, 3_000_002, b.now, false}})
	b.equal("aside", r.Gaps.Aside, 1)
	b.equal("what was claimed", b.count("SELECT any(last_serial) FROM claims_aside"), uint64(smx.MaxSerial-2))
	b.equal("what it holds", b.count("SELECT any(last_serial) FROM client_caches FINAL WHERE client_id = '"+lied.UUID()+"'"), 12)
}

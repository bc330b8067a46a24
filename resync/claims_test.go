package resync

import (
	"testing"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

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
		b.equal("gaps", r.Gaps.Rows, []gaps.Gap{gap(other, 11, 1_000_010, b.now, false)})
		b.equal("counted", []any{r.Gaps.Clients, int(r.Gaps.Messages), r.Gaps.Jumps, r.Gaps.Aside},
			[]any{1, 1_000_000, 0, 2})
		b.equal("metric", metric(t, b.reg, "statewire_claims_aside"), 2)
		b.equal("no policy", b.poll(c, 12).Resync == nil, true)
		r = b.check(CheckOptions{})
		b.equal("a true claim opens a range", r.Gaps.Rows[0], gap(c, 11, 12, b.now, false))
		b.equal("its policy", b.poll(c, 12).Resync.NextSerial, 13)
		b.equal("both polled", b.count("SELECT uniqExact(client_id) FROM client_claims WHERE claimed_time > 0"), 3)
		b.equal("kept", b.count("SELECT any(last_serial) FROM claims_aside WHERE client_id = '"+c.UUID()+"'"),
			uint64(smx.MaxSerial-2))
		b.equal("what it holds is not believed",
			b.count("SELECT count() FROM client_caches WHERE last_serial > 2000000"), 0)
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
	b.equal("kept aside, missing", []any{r.Gaps.Aside, r.Gaps.Messages, b.count("SELECT count() FROM claims_aside")},
		[]any{0, 1, uint64(0)})
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
		b.equal("counted apart", []any{r.Gaps.Ranges, r.Gaps.Jumps, int(r.Gaps.JumpMessages), r.Gaps.Aside},
			[]any{0, 1, 6_999_990, 0})
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
	b.equal("fleet", []any{r.Gaps.Clients, r.Gaps.Ranges, r.Gaps.Messages, r.Gaps.Jumps, r.Gaps.Oldest.IsZero()},
		[]any{0, 0, 0, 2, true})
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
	b.equal("what is left", r.Gaps.Rows,
		[]gaps.Gap{gap(forged, 61, 1e15-1, b.now.Add(-100*time.Hour-time.Minute), true)})
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
	b.equal("gaps", r.Gaps.Rows, []gaps.Gap{gap(lied, 11, 12, b.now, false), gap(honest, 1, 2_999_999, b.now, true),
		gap(honest, 3_000_001, 3_000_002, b.now, false)})
	b.equal("aside", r.Gaps.Aside, 1)
	b.equal("what was claimed", b.count("SELECT any(last_serial) FROM claims_aside"), uint64(smx.MaxSerial-2))
	b.equal("what it holds",
		b.count("SELECT any(last_serial) FROM client_caches FINAL WHERE client_id = '"+lied.UUID()+"'"), 12)
}

package resync

import (
	"fmt"
	"testing"
	"time"

	"statewire/smx"
)

// foretold makes a dry run and the real check right after it, and holds all that one says against the other.
func (b *bench) foretold(what string) Result {
	b.t.Helper()
	dry, real := b.check(CheckOptions{DryRun: true}), b.check(CheckOptions{})
	plain := func(r Result) string {
		r.Took, r.DryRun, r.At = 0, false, time.Time{}
		return fmt.Sprintf("%+v", r)
	}
	if d, r := plain(dry), plain(real); d != r {
		b.t.Errorf("%s: the dry run says\n%s\nthe check\n%s", what, d, r)
	}
	return real
}

// reasons are how many clients a check asked for each reason.
func reasons(r Result) map[string]int {
	out := map[string]int{}
	for _, one := range r.Issued {
		out[one.Reason]++
	}
	return out
}

// A site lives through everything that decides whom a check asks; before each check a dry run says what it will do.
func TestADryRunSaysWhatTheCheckDoes(t *testing.T) {
	s, cfg := newSite(t), DefaultConfig()
	cfg.MaxOutstanding = 6
	b := newBenchOn(t, s.store, cfg, minute(60))
	clash := func(client int, serial uint64, at int) { // another message under the serial
		s.message(client, serial, 500, uint64(100*client+at), minute(at), "")
	}
	for _, client := range []int{1, 2, 3} {
		s.arrived(client, span{5, 9})
	}
	s.arrived(9, span{1, 1}, span{3, 3})
	s.arrived(20, span{1, 1}, span{smx.SerialJump + 10, smx.SerialJump + 10})
	s.arrived(21, span{1, 1}, span{3, 3}, span{smx.SerialJump + 10, smx.SerialJump + 10})
	r := b.foretold("young gaps")
	b.equal("young gaps are held", []any{r.IssuedTotal, r.HeldTotals, r.Gaps.Ranges, r.Gaps.Jumps}, []any{0, map[string]int{heldAge: 6}, 5, 2})

	b.wait(49 * time.Hour)
	for _, client := range []int{4, 5, 6, 7, 12} {
		clash(client, 1, 1)
		s.arrived(client, span{1, 1}, span{1, 1})
	}
	clash(4, 1, 2)
	clash(5, 1, 2)
	clash(5, 1, 3) // twice is one conflict to see
	clash(6, 1, 2)
	s.event(6, event{2, 99, 5, 700, ""})                                         // settled before a check saw it
	s.polled(7, 1, 0, minute(4), 1)                                              // holds another state
	s.polled(12, 1, 0, minute(4), 1)                                             // the same, and serials that are missing: not compared
	s.claim(12, 4)                                                               //
	s.polled(9, 3, 0, minute(4), 1)                                              // was not compared while its gap was open
	s.arrived(9, span{2, 2})                                                     //
	s.arrived(8, span{2, 2})                                                     // a young gap
	s.event(20, event{smx.SerialJump + 11, 7, 100, 700, fmt.Sprintf("'%d'", 1)}) // it answered, and the jump stays
	b.unread = Unread{Clients: map[smx.ClientID]struct{}{smx.ClientID(clientN(3)): {}}}
	if _, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{smx.ClientID(clientN(3)), smx.ClientID(clientN(8))}}, RequestOptions{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r = b.foretold("all reasons, and the bound")
	b.equal("asked", []any{reasons(r), r.Gaps.Conflicts, r.Gaps.Differs}, []any{map[string]int{reasonConflict: 2, reasonDiffers: 2, reasonMissing: 1}, 2, 2})
	b.equal("held", r.HeldTotals, map[string]int{heldUnread: 1, heldBound: 2, heldAge: 1, heldInterval: 1})
	r = b.foretold("nothing new")
	b.equal("nobody", []any{r.IssuedTotal, r.Gaps.Opened, r.Gaps.Closed}, []any{0, 0, 0})

	b.wait(24 * time.Hour)
	b.unread = Unread{}
	later := int(b.now.Sub(epoch) / time.Minute)
	s.event(4, event{9, 77, later, 700, "'2'"}) // answered, and went back again after that
	clash(4, 1, later+1)
	clash(5, 1, later+1) // a conflict that is open already
	s.message(7, 1, 500, 1, minute(later), "")
	r = b.foretold("after an answer")
	b.equal("conflicts", r.Gaps.Conflicts, 3)
	s.polled(7, 1, 0, minute(later+2), 701)
	b.wait(cfg.MergeInterval)
	r = b.foretold("after the interval")
	b.unread = Unread{Everybody: true, Reason: "a file that names nobody"}
	b.wait(cfg.MergeInterval)
	s.arrived(30, span{4, 4})
	r = b.foretold("nobody may be asked")
	b.equal("asked while it is unknown whose reports wait", []any{r.IssuedTotal, r.HeldTotals[heldUnknown] > 0}, []any{0, true})
}

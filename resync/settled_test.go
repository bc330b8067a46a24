package resync

import (
	"fmt"
	"testing"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

// A person asked, and the client could not be asked yet: what was accepted since settles the request, what was accepted
// before does not.
func TestABaselineEndsAnOlderRequest(t *testing.T) {
	b := newBench(t, soon())
	b.arrive(client(1), 1, 9)
	b.arrive(client(2), 1, 9)
	ask := func(c smx.ClientID) {
		t.Helper()
		if _, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{c}}, RequestOptions{By: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	accept := func(c smx.ClientID) {
		t.Helper()
		if _, err := b.Accept(t.Context(), Target{Clients: []smx.ClientID{c}}, AcceptOptions{By: "bob"}); err != nil {
			t.Fatal(err)
		}
	}
	b.unread = gaps.Unread{Everybody: true}
	ask(client(1))
	accept(client(2))
	b.wait(time.Minute)
	accept(client(1))
	ask(client(2))
	b.wait(time.Minute)
	b.unread = gaps.Unread{}
	r := b.check(CheckOptions{})
	b.equal("asked", []any{r.IssuedTotal, issuedTo(r)[client(2).UUID()].Reason}, []any{1, reasonRequested})
	b.wait(100 * time.Hour)
	b.equal("asked later", issuedTo(b.check(CheckOptions{}))[client(1).UUID()], Issued{})
}

// The relay's clock was set back while the client answered: its completion came before the request, by the clock, and
// under a serial of the answer. Serials decide.
func TestAnAnswerUnderAClockThatWasSetBack(t *testing.T) {
	b := newBench(t, soon())
	b.arrive(client(1), 5, 9) // asked by the check
	b.arrive(client(2), 1, 9) // asked by a person
	b.arrive(client(3), 5, 9) // completes under a serial of before
	if _, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{client(2)}},
		RequestOptions{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r := b.check(CheckOptions{})
	b.equal("outstanding", r.Outstanding, 3)
	asked := b.now
	b.wait(-time.Hour)
	b.arrive(client(1), 10, 11)
	b.complete(client(1), 10, 12)
	b.complete(client(2), 10, 10)
	b.complete(client(3), 0, 9)
	b.now = asked.Add(time.Minute)
	b.equal("outstanding after the answers", b.check(CheckOptions{}).Outstanding, 1)
	b.equal("offered", []bool{b.poll(client(1), 12).Resync != nil, b.poll(client(2), 10).Resync != nil,
		b.poll(client(3), 9).Resync != nil}, []bool{false, false, true})
	b.wait(100 * time.Hour)
	r = b.check(CheckOptions{})
	b.equal("asked again", []any{issuedTo(r)[client(1).UUID()], issuedTo(r)[client(2).UUID()]},
		[]any{Issued{}, Issued{}})
}

// What arrived at the moment of the request was on its way before it.
func TestACompletionOfTheMomentOfTheRequest(t *testing.T) {
	b := newBench(t, soon())
	b.arrive(client(1), 5, 9)
	b.equal("issued", b.check(CheckOptions{}).IssuedTotal, 1)
	b.complete(client(1), 0, 8)
	b.wait(time.Second)
	b.equal("outstanding", b.check(CheckOptions{}).Outstanding, 1)
}

// --at is only the clock of the check: neither the site's own clock nor what is due by it changes.
func TestACheckByAGivenClockLeavesNoTraceInTheSitesOwn(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.arrive(client(1), 1, 9)
	b.check(CheckOptions{})
	clock := func() string {
		return fmt.Sprint(b.count("SELECT count() FROM resync_clock"), " ",
			b.count("SELECT toUnixTimestamp(max(checked_time)) FROM resync_clock"))
	}
	before := clock()
	for _, at := range []time.Duration{-30 * 24 * time.Hour, 30 * 24 * time.Hour} {
		b.equal("kind", b.check(CheckOptions{At: b.now.Add(at)}).Kind, kindFull)
		b.equal("the clock that is kept", clock(), before)
		b.wait(time.Hour)
		b.equal("the next own check", b.check(CheckOptions{}).Kind, kindIncremental)
		before = clock()
	}
	b.wait(23 * time.Hour)
	b.equal("a day after the first", b.check(CheckOptions{}).Kind, kindFull)
	b.equal("another process", newBenchOn(t, b.db, DefaultConfig(), b.now).check(CheckOptions{}).Gaps.Ranges, 0)
}

// A check keeps what it found, each number in its own column.
func TestACheckKeepsEachNumberInItsColumn(t *testing.T) {
	b := newBench(t, DefaultConfig())
	r := Result{At: today, Kind: kindFull, Took: 8 * time.Second, IssuedTotal: 6, Waiting: 7, UnreadReason: "why",
		Gaps: gaps.Found{Clients: 1, Ranges: 2, Messages: 3, Conflicts: 4, Differs: 5}}
	if err := b.ledger.keepCheck(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const columns = "[clients, ranges, toUInt64(messages), conflicts, differing, issued, held, took_ms]"
	b.equal("rows with the right numbers",
		b.count("SELECT count() FROM resync_checks WHERE "+columns+" = [1, 2, 3, 4, 5, 6, 7, 8000] AND kind = 'full' "+
			"AND text = 'why'"), 1)
}

// Whoever a person asked for is asked before those who were asked and did not answer, however long ago the wish for
// those was.
func TestWhoWasNeverAskedComesBeforeWhoDidNotAnswer(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxOutstanding = 1
	b := newBench(t, cfg)
	for n := range 2 {
		b.arrive(client(n), 1, 9)
	}
	wish := func(n int) RequestResult {
		t.Helper()
		r, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{client(n)}},
			RequestOptions{By: "ann", Rows: -1})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	b.equal("asked", wish(0).IssuedTotal, 1)
	b.wait(time.Minute)
	b.equal("waits", wish(1).HeldTotals, map[string]int{heldBound: 1})
	b.wait(cfg.MergeInterval)
	r := b.check(CheckOptions{})
	b.equal("asked next", []any{r.IssuedTotal, r.Issued[0].Client}, []any{1, client(1).UUID()})
}

package resync

import (
	"testing"
	"time"

	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store/storetest"
)

func TestAGapIsAskedForOnceItIsOldEnoughAndNotAgainBefore72Hours(t *testing.T) {
	b := newBench(t, DefaultConfig())
	c := client(1)
	b.arrive(c, 1, 3)
	b.arrive(c, 7, 9)
	r := b.check(CheckOptions{})
	b.equal("gaps", r.Gaps.Rows, []gaps.Gap{gap(c, 4, 6, b.now, false)})
	b.equal("clients, ranges, messages", []any{r.Gaps.Clients, r.Gaps.Ranges, r.Gaps.Messages}, []any{1, 1, 3})
	b.equal("issued at first sight", r.IssuedTotal, 0)
	b.equal("held at first sight", r.HeldTotals, map[string]int{heldAge: 1})

	b.wait(48*time.Hour - time.Second)
	b.equal("issued before the age", b.check(CheckOptions{}).IssuedTotal, 0)
	b.wait(time.Second)
	r = b.check(CheckOptions{})
	b.equal("issued", r.Issued, []Issued{{c.UUID(), 1, gaps.Missing, "", 10, b.now}})
	asked := b.now
	p := b.poll(c, 9)
	b.equal("policy", *p.Resync, policy.Resync{Number: 1, NextSerial: 10, Issued: b.now, Reason: gaps.Missing})
	b.equal("seen by others",
		b.count("SELECT count() FROM SR_ClientMessageStats WHERE LastResyncIssuedTime = '"+
			b.now.Format(time.DateTime)+"'"), 1)

	b.wait(72*time.Hour - time.Second)
	r = b.check(CheckOptions{})
	b.equal("issued within the merge interval", r.IssuedTotal, 0)
	b.equal("held within the merge interval", r.HeldTotals, map[string]int{heldInterval: 1})
	b.equal("outstanding", r.Outstanding, 1)
	b.wait(time.Second)
	r = b.check(CheckOptions{})
	b.equal("reissued when unanswered", r.Issued,
		[]Issued{{c.UUID(), 2, gaps.Missing, "", 10, asked.Add(72 * time.Hour)}})
	b.equal("number in the policy", b.poll(c, 9).Resync.Number, 2)
}

func TestACompletionClosesTheRangesAndTheRequest(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge = 0
	b := newBench(t, cfg)
	c := client(1)
	b.arrive(c, 5, 9)
	b.equal("issued", b.check(CheckOptions{}).IssuedTotal, 1)
	b.equal("asked", b.poll(c, 9).Resync != nil, true)
	b.wait(time.Minute)
	b.arrive(c, 10, 12)
	b.complete(c, 10, 13)
	r := b.check(CheckOptions{})
	b.equal("open ranges", r.Gaps.Ranges, 0)
	b.equal("outstanding", r.Outstanding, 0)
	b.equal("asked no more", b.poll(c, 13).Resync == nil, true)
	b.equal("completed", metric(t, b.reg, "statewire_resync_completed_total"), 1)
	b.equal("issued in all", metric(t, b.reg, "statewire_resync_issued_total"), 1)
	list, err := b.List(t.Context(), ListOptions{})
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %v %v", list, err)
	}
	b.equal("step", list[0].Step, stepCompleted)
	b.equal("age at completion", list[0].Age, time.Minute)
	b.wait(time.Hour)
	if list, err = b.List(t.Context(), ListOptions{}); err != nil {
		t.Fatal(err)
	}
	b.equal("and ever after", list[0].Age, time.Minute)
}

// The flaw that administrators of the older systems describe: a backlogged site asks again though the answer is
// waiting.
func TestNobodyIsAskedWhileTheirReportsWait(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge = 0
	tests := []struct {
		name   string
		unread gaps.Unread
		broken error
		hold   string
	}{
		{"the client's file waits", gaps.Unread{Clients: map[smx.ClientID]struct{}{client(1): {}}}, nil, heldUnread},
		{"a file waits that may hold anybody's", gaps.Unread{Everybody: true, Reason: "x.SMX"}, nil, heldUnknown},
		{"the inbox cannot be listed", gaps.Unread{}, errAway, heldUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, cfg)
			b.arrive(client(1), 5, 9)
			b.unread, b.broken = test.unread, test.broken
			for range 4 {
				r := b.check(CheckOptions{})
				b.equal("issued", r.IssuedTotal, 0)
				b.equal("held", r.HeldTotals, map[string]int{test.hold: 1})
				b.wait(100 * time.Hour)
			}
			asked, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{client(1)}},
				RequestOptions{By: "a person", Rows: -1})
			if err != nil {
				t.Fatal(err)
			}
			b.equal("issued on request", asked.IssuedTotal, 0)
			b.equal("the request waits", asked.HeldTotals, map[string]int{test.hold: 1})
			b.unread, b.broken = gaps.Unread{}, nil
			r := b.check(CheckOptions{})
			b.equal("issued once it is read", issuedTo(r)[client(1).UUID()].Reason, reasonRequested)
			b.equal("by whom", issuedTo(r)[client(1).UUID()].By, "a person")
		})
	}
}

func TestNeverMoreThanTheBoundAndPlacesAreRefilled(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge, cfg.MaxOutstanding = 0, 3
	b := newBench(t, cfg)
	for n := range 10 {
		b.arrive(client(n), 5, 9)
	}
	r := b.check(CheckOptions{})
	b.equal("issued", r.IssuedTotal, 3)
	b.equal("waiting", r.Waiting, 7)
	b.equal("held", r.HeldTotals, map[string]int{heldBound: 7})
	seen := map[string]bool{}
	for round := range 3 {
		first := r.Issued[0].Client
		for _, one := range r.Issued {
			if seen[one.Client] {
				t.Errorf("%s was asked twice", one.Client)
			}
			seen[one.Client] = true
		}
		id, err := smx.ParseUUID(first)
		if err != nil {
			t.Fatal(err)
		}
		b.wait(time.Minute)
		b.complete(id, 10, 10)
		if err := b.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err = b.Service.check(t.Context(), CheckOptions{refill: true, Rows: -1})
		b.leave()
		if err != nil {
			t.Fatal(err)
		}
		b.equal("refilled", r.IssuedTotal, 1)
		b.equal("outstanding", r.Outstanding, 3)
		b.equal("waiting", r.Waiting, 6-round)
	}
}

func TestTwoCheckersIssueOneResync(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge = 0
	db := storetest.New(t)
	a, b := newBenchOn(t, db, cfg, today), newBenchOn(t, db, cfg, today.Add(time.Second))
	for n := range 20 {
		a.arrive(client(n), 5, 9)
	}
	failed := make(chan error, 2)
	for _, one := range []*bench{a, b} {
		go func() {
			_, err := one.Check(t.Context(), CheckOptions{})
			failed <- err
		}()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	a.equal("resyncs", a.count("SELECT count() FROM resyncs FINAL"), 20)
	a.equal("numbers", a.count("SELECT max(number) FROM resyncs FINAL"), 1)
	for _, one := range []*bench{a, b} {
		one.equal("issued at the next look", one.check(CheckOptions{}).IssuedTotal, 0)
		one.equal("asked", one.poll(client(1), 9).Resync.Number, 1)
	}
}

func TestAnotherProcessGoesOnWhereTheFirstStopped(t *testing.T) {
	cfg := DefaultConfig()
	b := newBench(t, cfg)
	b.arrive(client(1), 5, 9)
	b.arrive(client(2), 1, 9)
	b.check(CheckOptions{})
	b.wait(24 * time.Hour)
	b = newBenchOn(t, b.db, cfg, b.now)
	if err := b.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.equal("missing before the first check", metric(t, b.reg, "statewire_missing_messages"), 4)
	b.equal("for so long", metric(t, b.reg, "statewire_missing_oldest_age_seconds"), 24*3600)
	b.check(CheckOptions{})
	b.wait(24 * time.Hour)
	r := b.check(CheckOptions{})
	b.equal("the age went on over the restart", r.IssuedTotal, 1)
	b.poll(client(1), 9)
	b.poll(client(3), 4)
	if err := b.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = newBenchOn(t, b.db, cfg, b.now)
	r = b.check(CheckOptions{})
	b.equal("not issued again", r.IssuedTotal, 0)
	b.equal("still outstanding", r.Outstanding, 1)
	b.equal("still offered", b.poll(client(1), 9).Resync.Number, 1)
	b.equal("picked up before the restart", b.count("SELECT count() FROM resync_pickups FINAL"), 1)
	b.equal("a claim alone opens a gap", r.Gaps.Ranges, 2)
}

func TestAnOldClockNeitherExpiresNorAsksEverybody(t *testing.T) {
	cfg := DefaultConfig()
	for _, jump := range []time.Duration{10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			b := newBench(t, cfg)
			b.arrive(client(1), 5, 9)
			b.check(CheckOptions{})
			b.wait(48 * time.Hour)
			b.equal("issued", b.check(CheckOptions{}).IssuedTotal, 1)
			for n := range 20 {
				b.arrive(client(10+n), 5, 9)
			}
			b.check(CheckOptions{})

			start := b.now.Add(jump)
			b = newBenchOn(t, b.db, cfg, start)
			r := b.check(CheckOptions{})
			b.equal("issued after the jump", r.IssuedTotal, 0)
			b.equal("outstanding after the jump", r.Outstanding, 1)
			b.equal("offered after the jump", b.poll(client(1), 9).Resync.Number, 1)
			b.wait(47 * time.Hour)
			b = newBenchOn(t, b.db, cfg, b.now) // another start does not lose the new reckoning
			b.equal("issued before the age by the new clock", b.check(CheckOptions{}).IssuedTotal, 0)
			b.wait(time.Hour)
			b.equal("issued at the age by the new clock", b.check(CheckOptions{}).IssuedTotal, 20)
			b.wait(24*time.Hour - time.Second)
			b.equal("the first one's interval goes on", b.check(CheckOptions{}).IssuedTotal, 0)
			b.wait(time.Second)
			r = b.check(CheckOptions{})
			b.equal("reissued after its interval", r.IssuedTotal, 1)
			b.equal("to whom", r.Issued[0].Client, client(1).UUID())
		})
	}
}

func TestThoseWhoDoNotAnswerComeLast(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge, cfg.MaxOutstanding = 0, 2
	b := newBench(t, cfg)
	for n := range 3 {
		b.arrive(client(n), 5, 9)
		b.check(CheckOptions{}) // one after the other, so that the oldest gaps are of 0 and 1
		b.wait(time.Minute)
	}
	b.arrive(client(3), 5, 9)
	var order []string
	for range 3 {
		b.wait(73 * time.Hour)
		for _, one := range b.check(CheckOptions{}).Issued {
			order = append(order, one.Client[34:])
		}
	}
	b.equal("asked in turn though nobody answers", order, []string{"02", "03", "00", "01", "02", "03"})
}

func TestWhatWaitsUnreadIsNotMissing(t *testing.T) {
	b := newBench(t, DefaultConfig())
	early, other, late := client(1), client(2), client(3)
	b.arrive(late, 1, 1)
	b.arrive(late, 5, 5)
	b.equal("gaps before", b.check(CheckOptions{}).Gaps.Rows, []gaps.Gap{gap(late, 2, 4, b.now, false)})
	known := b.now

	b.wait(time.Hour)
	b.unread = gaps.Unread{Clients: map[smx.ClientID]struct{}{early: {}, late: {}},
		Arriving: map[smx.ClientID][]serials.Run{early: {{First: 4, Last: 4}, {First: 2, Last: 3}},
			late: {{First: 6, Last: 7}, {First: 2, Last: 2}}}}
	b.arrive(early, 1, 1)
	b.poll(early, 4) // its claim was quicker than its last report
	b.arrive(other, 2, 2)
	b.arrive(late, 3, 3)
	b.arrive(late, 9, 9)
	r := b.check(CheckOptions{Rows: -1})
	b.equal("while they wait", r.Gaps.Rows,
		[]gaps.Gap{gap(late, 2, 2, known, false), gap(late, 4, 4, known, false), gap(other, 1, 1, b.now, false),
			gap(late, 8, 8, b.now, false)})
	b.equal("postponed", r.Gaps.Postponed, 2)

	b.unread = gaps.Unread{Partly: true}
	b.arrive(client(4), 2, 2)
	b.equal("with more than can be read", b.check(CheckOptions{}).Gaps.Opened, 0)

	b.unread = gaps.Unread{} // the files were set aside: nothing of these clients was loaded
	b.check(CheckOptions{})
	b.equal("missing afterwards", b.count("SELECT sum(LastSerial - FirstSerial + 1) FROM SR_MissingMessageRanges"),
		2+3+1+3+1)
}

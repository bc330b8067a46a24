package resync

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
)

func arriving(c smx.ClientID, runs ...serials.Run) gaps.Unread {
	return gaps.Unread{Clients: map[smx.ClientID]struct{}{c: {}}, Arriving: map[smx.ClientID][]serials.Run{c: runs}}
}

// Each source of what a client has given counts, whichever says most, and nothing of another client does.
func TestTheNextSerialIsBehindAllThatWasGiven(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	for n, tc := range []struct {
		name string
		fill func(b *bench, c smx.ClientID)
		last uint64
		want NextSerial
	}{
		{"of a client nobody heard of", func(*bench, smx.ClientID) {}, 0, NextSerial{1, false}},
		{"what it says itself", func(*bench, smx.ClientID) {}, 1431, NextSerial{1432, false}},
		{"stored", func(b *bench, c smx.ClientID) { b.arrive(c, 3, 20) }, 7, NextSerial{21, true}},
		{"claimed", func(b *bench, c smx.ClientID) {
			b.arrive(c, 3, 20)
			b.poll(c, 25)
			b.check(CheckOptions{})
		}, 7, NextSerial{26, true}},
		{"claimed, and not stored yet", func(b *bench, c smx.ClientID) {
			b.poll(c, 25)
		}, 7, NextSerial{26, true}},
		{"a lie between two polls, and not stored yet", func(b *bench, c smx.ClientID) {
			b.arrive(c, 1, 3)
			b.poll(c, 5_000_000)
			b.poll(c, 4)
		}, 0, NextSerial{5, true}},
		{"claimed, while the store takes it", func(b *bench, c smx.ClientID) {
			b.poll(c, 25)
			b.offers.take()
		}, 7, NextSerial{26, true}},
		{"a claim of nothing", func(b *bench, c smx.ClientID) { b.poll(c, 0) }, 0, NextSerial{1, true}},
		{"a claim that is kept aside", func(b *bench, c smx.ClientID) {
			b.arrive(c, 1, 2)
			b.poll(c, 9_000_000)
			b.check(CheckOptions{})
		}, 0, NextSerial{3, true}},
		{"a claim that jumps, and not stored yet", func(b *bench, c smx.ClientID) {
			b.arrive(c, 1, 2)
			b.poll(c, 9_000_000)
		}, 0, NextSerial{3, true}},
		{"a claim that jumps and was accepted", func(b *bench, c smx.ClientID) {
			b.poll(c, 9_000_000)
			b.check(CheckOptions{})
			if _, err := b.Accept(b.t.Context(), Target{Clients: []smx.ClientID{c}}, AcceptOptions{Claim: true}); err != nil {
				b.t.Fatal(err)
			}
			b.poll(c, 9_000_007)
		}, 0, NextSerial{9_000_008, true}},
		{"waiting in the inbox", func(b *bench, c smx.ClientID) {
			b.arrive(c, 3, 20)
			b.unread = arriving(c, serials.Run{First: 30, Last: 31}, serials.Run{First: 21, Last: 28})
		}, 7, NextSerial{32, true}},
		{"waiting in the inbox without a serial", func(b *bench, c smx.ClientID) { b.unread = arriving(c) }, 0,
			NextSerial{1, true}},
		{"reports without a serial", func(b *bench, c smx.ClientID) {
			if err := b.db.Insert(b.t.Context(), `INSERT INTO clients_seen (client_id, first_report_time, last_report_time)`,
				[]uuid.UUID{uuid.UUID(c)}, []time.Time{b.now}, []time.Time{b.now}); err != nil {
				b.t.Fatal(err)
			}
		}, 0, NextSerial{1, true}},
		{"of others", func(b *bench, c smx.ClientID) {
			b.arrive(client(99), 3, 20)
			b.poll(client(99), 30)
			b.unread = arriving(client(99), serials.Run{First: 31, Last: 40})
			b.unread.Partly = true // of that client's
		}, 2, NextSerial{3, false}},
		{"the last there is", func(b *bench, c smx.ClientID) { b.arrive(c, smx.MaxSerial, smx.MaxSerial) }, 0,
			NextSerial{smx.MaxSerial + 1, true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.unread = gaps.Unread{}
			tc.fill(b, client(n))
			got, err := b.NextSerial(t.Context(), uuid.UUID(client(n)), tc.last)
			if err != nil || got != tc.want {
				t.Errorf("%+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func TestASerialThatNoClientGivesIsRefused(t *testing.T) {
	b := newBench(t, soon())
	if got, err := b.NextSerial(t.Context(), uuid.UUID(client(1)), smx.MaxSerial+1); err == nil {
		t.Errorf("taken: %+v", got)
	}
}

// While files cannot be read that may be the client's, it waits: ten minutes at most, and whatever the reason.
func TestAClientWaitsWhileItsFilesCannotBeRead(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	n := 0
	for name, tc := range map[string]struct {
		unread   func(smx.ClientID) (gaps.Unread, error)
		greatest uint64
	}{
		"a file names nobody": {func(smx.ClientID) (gaps.Unread, error) {
			return gaps.Unread{Everybody: true, Reason: "X.SMX names nobody"}, nil
		}, 20},
		"more of its own wait than are read": {func(c smx.ClientID) (gaps.Unread, error) {
			own := arriving(c, serials.Run{First: 21, Last: 22})
			own.Partly = true
			return own, nil
		}, 22},
		"the inbox cannot be listed": {func(smx.ClientID) (gaps.Unread, error) { return gaps.Unread{}, errAway }, 20},
	} {
		for way, s := range map[string]service{"called": b.near(), "over the socket": overSocket(t, b)} {
			n++
			c := client(n)
			t.Run(name+", "+way, func(t *testing.T) {
				b.arrive(c, 1, 20)
				ask := func(blocked bool) (NextSerial, *BusyError) {
					b.unread, b.broken = gaps.Unread{}, nil
					if blocked {
						b.unread, b.broken = tc.unread(c)
					}
					next, err := s.NextSerial(t.Context(), uuid.UUID(c), 0)
					var busy *BusyError
					if err != nil && !errors.As(err, &busy) {
						t.Fatal(err)
					}
					return next, busy
				}
				_, busy := ask(true)
				b.equal("at once", busy != nil && busy.Reason != "", true)
				b.wait(busyWait - time.Nanosecond)
				_, busy = ask(true)
				b.equal("nearly ten minutes", busy != nil && busy.Waited == busyWait-time.Nanosecond, true)
				next, busy := ask(false)
				b.equal("read", []any{next, busy}, []any{NextSerial{21, true}, (*BusyError)(nil)})
				_, busy = ask(true)
				b.equal("from now on anew", busy != nil && busy.Waited == 0, true)
				b.wait(busyWait)
				next, busy = ask(true)
				b.equal("then serials are skipped", []any{next, busy},
					[]any{NextSerial{tc.greatest + busySkip, true}, (*BusyError)(nil)})
			})
		}
	}
}

// What was skipped is never asked for, and what lies below is not lost: the client is asked for its whole cache.
func TestSkippedSerialsAreAcceptedAtOnce(t *testing.T) {
	b := newBench(t, soon())
	b.check(CheckOptions{})
	c, other := client(1), client(2)
	b.arrive(c, 1, 5)
	b.arrive(c, 8, 20)
	b.arrive(other, 2, 9)
	b.poll(c, 20)
	r := b.check(CheckOptions{})
	b.equal("a gap before", r.Gaps.Ranges, 2)
	b.equal("asked", b.poll(c, 20).Resync != nil, true)

	b.unread = gaps.Unread{Everybody: true, Reason: "backlog"}
	if _, err := b.NextSerial(t.Context(), uuid.UUID(c), 0); err == nil {
		t.Fatal("not busy")
	}
	b.wait(busyWait)
	next, err := b.NextSerial(t.Context(), uuid.UUID(c), 0)
	b.equal("skipped", []any{next.Next, err}, []any{20 + busySkip, nil})
	b.equal("taken back", b.poll(c, next.Next-1).Resync == nil, true)
	b.wait(time.Minute)
	open := []gaps.Gap{gap(other, 1, 1, today, false)}
	b.equal("nothing is missing of it", b.check(CheckOptions{}).Gaps.Rows, open)

	// The files are read after all; the client goes on where it was told to.
	b.unread = gaps.Unread{}
	b.arrive(c, 21, 23)
	b.arrive(c, next.Next, next.Next+4)
	b.poll(c, next.Next+4)
	r = b.check(CheckOptions{Full: true})
	b.equal("nothing is missing of it when the files are read", r.Gaps.Rows, open)
	b.equal("no conflict", r.Gaps.Conflicts, 0)
	asked := issuedTo(r)[c.UUID()]
	b.equal("its cache is asked for", []any{asked.Reason, asked.By, asked.NextSerial, asked.Number},
		[]any{reasonRequested, enrolment, next.Next + 5, 2})
	b.equal("for that", b.poll(c, next.Next+4).Resync.NextSerial, next.Next+5)
	b.wait(time.Minute)
	b.complete(c, next.Next+5, next.Next+6)
	b.arrive(c, next.Next+5, next.Next+5)
	r = b.check(CheckOptions{Full: true})
	b.equal("done", []any{r.IssuedTotal, r.Gaps.Rows}, []any{0, open})

	// A lost message behind what was skipped is missing as any other is.
	b.arrive(c, next.Next+9, next.Next+9)
	r = b.check(CheckOptions{})
	b.equal("a later gap", r.Gaps.Messages, 3)
	again, err := b.NextSerial(t.Context(), uuid.UUID(c), 0)
	b.equal("never back", []any{again.Next, err}, []any{next.Next + 10, nil})
}

// A client that was told to skip and sent nothing yet is never given the same serials again.
func TestWhatWasGivenIsNotGivenAgain(t *testing.T) {
	b := newBench(t, soon())
	c := uuid.UUID(client(1))
	b.unread = gaps.Unread{Everybody: true, Reason: "backlog"}
	_, _ = b.NextSerial(t.Context(), c, 0)
	b.wait(busyWait)
	first, err := b.NextSerial(t.Context(), c, 0)
	b.equal("first", []any{first.Next, err}, []any{busySkip, nil})
	second, err := b.NextSerial(t.Context(), c, 0)
	b.equal("second", []any{second.Next, err}, []any{2*busySkip - 1, nil})
	b.unread = gaps.Unread{}
	third, err := b.NextSerial(t.Context(), c, 0)
	b.equal("third", []any{third, err}, []any{NextSerial{2*busySkip - 1, true}, nil})
}

// A person who accepts a client by its name lets it take the serial that policies name, however far that is above its
// own; one who accepts a collection looked at nobody.
func TestAnAcceptedClientMayTakeTheSerial(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		b.check(CheckOptions{})
		named, listed, plain := client(1), client(2), client(3)
		for _, c := range []smx.ClientID{named, listed, plain} {
			b.arrive(c, 5_000_000, 5_000_000)
		}
		accept := func(o AcceptOptions, clients ...smx.ClientID) {
			t.Helper()
			o.By = "ann"
			if _, err := s.Accept(t.Context(), Target{Clients: clients}, o); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.collections.Create(t.Context(),
			collections.Spec{Name: "some", Clients: []smx.ClientID{listed}}); err != nil {
			t.Fatal(err)
		}
		accept(AcceptOptions{DryRun: true}, plain)
		accept(AcceptOptions{}, named)
		if _, err := s.Accept(t.Context(), Target{Collection: "some"}, AcceptOptions{By: "ann"}); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Minute)
		request := func() {
			t.Helper()
			if _, err := s.Request(t.Context(), Target{Clients: []smx.ClientID{named, listed, plain}},
				RequestOptions{By: "ann"}); err != nil {
				t.Fatal(err)
			}
		}
		request()
		told := func(b *bench) (out []bool) {
			for _, c := range []smx.ClientID{named, listed, plain} {
				out = append(out, b.poll(c, 9).Resync.Accepted)
			}
			return out
		}
		b.equal("told", told(b), []bool{true, false, false})
		again := newBenchOn(t, b.db, soon(), b.now)
		again.check(CheckOptions{})
		b.equal("told by the next process", told(again), []bool{true, false, false})

		b.wait(time.Minute)
		b.arrive(named, 6_000_001, 6_000_001)
		request()
		b.equal("a serial a million above", told(b), []bool{false, false, false})
		b.wait(time.Minute)
		b.poll(named, 7_500_000)
		b.check(CheckOptions{})
		accept(AcceptOptions{Claim: true}, named)
		b.wait(time.Minute)
		request()
		b.equal("a claim", told(b), []bool{true, false, false})
	})
}

// Those who ask while the inbox is read share the next list; nobody gets one that began before.
func TestAListOfTheInboxIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, leave, made := newListing(), make(chan struct{}), 0
		list := func(context.Context) (gaps.Unread, error) {
			made++
			<-leave
			return gaps.Unread{Reason: strconv.Itoa(made)}, nil
		}
		got := make(chan string, 30)
		ask := func() {
			go func() {
				u, err := l.get(t.Context(), list)
				if err != nil {
					t.Error(err)
				}
				got <- u.Reason
			}()
			synctest.Wait()
		}
		ask()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.get(gone, list); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range 20 {
			ask()
		}
		for _, want := range []struct {
			list string
			n    int
		}{{"1", 1}, {"2", 20}} {
			leave <- struct{}{}
			synctest.Wait()
			for range want.n {
				if reason := <-got; reason != want.list {
					t.Errorf("got list %s, want %s", reason, want.list)
				}
			}
		}
		if made != 2 {
			t.Errorf("%d lists were made", made)
		}
	})
}

// Who asked longest ago makes room, and who was silent for long waits anew.
func TestPatienceIsBounded(t *testing.T) {
	p, now := newPatience(), today
	for n := range patientClients + 5 {
		p.waited(client(n), now.Add(time.Duration(n)*time.Millisecond))
	}
	if len(p.waits) != patientClients || p.waits[client(4)] != nil || p.waits[client(5)] == nil {
		t.Errorf("%d clients, %v, %v", len(p.waits), p.waits[client(4)], p.waits[client(5)])
	}
	at := func(minutes int) time.Duration {
		return p.waited(client(-1), now.Add(time.Duration(minutes)*time.Minute))
	}
	got := []time.Duration{at(0), at(30), at(59), at(90)}
	if want := []time.Duration{0, 30 * time.Minute, 59 * time.Minute, 0}; !slices.Equal(got, want) {
		t.Errorf("waited %v, want %v", got, want)
	}
}

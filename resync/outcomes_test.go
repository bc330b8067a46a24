package resync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/resync/gaps"
	"statewire/smx"
)

// history is what happened to one client, in minutes after today.
type history struct {
	b *bench
	c smx.ClientID
}

func (h history) at(minute int) []time.Time {
	return []time.Time{today.Add(time.Duration(minute) * time.Minute)}
}

func (h history) insert(sql string, columns ...any) {
	h.b.t.Helper()
	if err := h.b.db.Insert(h.b.t.Context(), sql,
		append([]any{[]uuid.UUID{uuid.UUID(h.c)}}, columns...)...); err != nil {
		h.b.t.Fatal(err)
	}
}

// asked issues a resync that continues from serial next.
func (h history) asked(minute int, number uint32, next uint64) {
	h.insert(`INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial)`,
		[]uint32{number}, h.at(minute), []string{gaps.Missing}, []string{""}, []uint64{next})
}

func (h history) pickedUp(minute int, number uint32) {
	h.insert(`INSERT INTO resync_pickups (client_id, number, picked_up_time)`, []uint32{number}, h.at(minute))
}

func (h history) expired(minute int, number uint32) {
	h.insert(`INSERT INTO resync_expiries (client_id, number, expired_time, interval_s)`, []uint32{number},
		h.at(minute), []uint64{60})
}

// reported is news: a message that the client never sent before.
func (h history) reported(minute int, serial uint64) { h.repeated(minute, serial, serial) }

// repeated is what the client sent before under serial of.
func (h history) repeated(minute int, serial, of uint64) {
	h.insert(`INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, payload_hash)`,
		[]uint64{serial}, h.at(minute), []uint32{500}, []string{"a"}, []uint64{of})
}

func (h history) completed(minute int, serial uint64) {
	h.b.now = h.at(minute)[0]
	h.b.complete(h.c, 0, serial)
}

func (h history) accepted(minute int) {
	h.insert(`INSERT INTO baselines (client_id, serial, accepted_time)`, []uint64{99}, h.at(minute))
}

// outcomes writes each client's requests as "number step answering completed expired", times in minutes.
func (b *bench) outcomes() map[string]string {
	b.t.Helper()
	now := b.now
	b.now = today.Add(5000 * time.Minute)
	list, err := b.List(b.t.Context(), ListOptions{Within: 400 * 24 * time.Hour})
	b.now = now
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	for i := len(list) - 1; i >= 0; i-- {
		line := fmt.Sprintf("%d %s", list[i].Number, list[i].Step)
		for _, t := range []time.Time{list[i].Answering, list[i].Completed, list[i].Expired} {
			if !t.IsZero() {
				line += fmt.Sprintf(" %g", t.Sub(today).Minutes())
			}
		}
		if before := out[list[i].Client]; before != "" {
			line = before + ", " + line
		}
		out[list[i].Client] = line
	}
	return out
}

// Each request has an outcome of its own: what another one comes to, later, changes it no more.
func TestEachRequestHasItsOwnOutcome(t *testing.T) {
	b := newBench(t, DefaultConfig())
	cases := []struct {
		name string
		live func(h history)
		want string
	}{
		{"nothing came", func(h history) { h.asked(0, 1, 11) }, "1 issued"},
		{"it was picked up", func(h history) { h.asked(0, 1, 11); h.pickedUp(5, 1) }, "1 picked up"},
		{"a report from before the pickup is no answer",
			func(h history) { h.asked(0, 1, 11); h.reported(4, 11); h.pickedUp(5, 1) }, "1 picked up"},
		{"a report below the next serial is no answer",
			func(h history) { h.asked(0, 1, 11); h.pickedUp(5, 1); h.reported(6, 10) }, "1 picked up"},
		{"the first report of the answer", func(h history) {
			h.reported(-9, 3)
			h.reported(-8, 4)
			h.asked(0, 1, 11)
			h.pickedUp(5, 1)
			h.repeated(7, 13, 3)
			h.repeated(6, 12, 4)
		}, "1 answering 6"},
		{"news is no answer, however much comes", func(h history) {
			h.reported(-9, 3)
			h.asked(0, 1, 11)
			h.pickedUp(5, 1)
			h.reported(6, 11)
			h.reported(7, 12)
			h.repeated(8, 13, 12)
		}, "1 picked up"},
		{"what is repeated before the pickup is no answer", func(h history) {
			h.reported(-9, 3)
			h.asked(0, 1, 11)
			h.repeated(4, 11, 3)
			h.pickedUp(5, 1)
		}, "1 picked up"},
		{"a repetition below the next serial is no answer", func(h history) {
			h.reported(-9, 3)
			h.asked(0, 1, 11)
			h.pickedUp(5, 1)
			h.repeated(6, 10, 3)
		}, "1 picked up"},
		{"a repetition of the moment of the pickup, of the last serial, under the next", func(h history) {
			h.reported(-9, 10)
			h.asked(0, 1, 11)
			h.pickedUp(5, 1)
			h.repeated(5, 11, 10)
		}, "1 answering 5"},
		{"the first completion counts", func(h history) { h.asked(0, 1, 11); h.completed(7, 13); h.completed(9, 20) },
			"1 completed 7"},
		{"a completion from before the request", func(h history) { h.completed(-1, 5); h.asked(0, 1, 11) }, "1 issued"},
		{"a completion of the moment of the request", func(h history) { h.completed(0, 10); h.asked(0, 1, 11) },
			"1 issued"},
		{"one under its serials, by a clock that was wrong",
			func(h history) { h.asked(0, 1, 11); h.completed(-60, 11) }, "1 completed -60"},
		{"the second was issued by a clock that was set back", func(h history) {
			h.asked(0, 1, 11)
			h.completed(20, 15)
			h.asked(-9000, 2, 16)
		}, "2 issued, 1 completed 20"},
		{"a counter went back, and only times are left", func(h history) {
			h.asked(0, 1, 11)
			h.asked(100, 2, 11)
			h.completed(90, 3)
			h.completed(110, 4)
		}, "1 completed 90, 2 completed 110"},
		{"never answered, then asked again and answered", func(h history) {
			h.asked(0, 1, 11)
			h.asked(100, 2, 11)
			h.completed(110, 12)
		}, "1 replaced, 2 completed 110"},
		{"answered each time", func(h history) {
			h.asked(0, 1, 11)
			h.completed(20, 15)
			h.asked(100, 2, 16)
			h.completed(130, 20)
		}, "1 completed 20, 2 completed 130"},
		{"two within an hour, the answer between them", func(h history) {
			h.asked(0, 1, 11)
			h.completed(10, 12)
			h.asked(20, 2, 13)
		}, "1 completed 10, 2 issued"},
		{"the answer to the first comes after the second was issued", func(h history) {
			h.asked(0, 1, 11)
			h.pickedUp(5, 1)
			h.asked(20, 2, 11)
			h.reported(21, 11)
			h.completed(22, 12)
		}, "1 replaced, 2 completed 22"},
		{"the answer comes at the very moment of the second", func(h history) {
			h.asked(0, 1, 11)
			h.asked(20, 2, 16)
			h.completed(20, 15)
		}, "1 completed 20, 2 issued"},
		{"what answered the first is no answer to the second", func(h history) {
			h.reported(-9, 3)
			h.asked(0, 1, 11)
			h.pickedUp(5, 1)
			h.repeated(6, 11, 3)
			h.asked(20, 2, 12)
			h.pickedUp(25, 2)
		}, "1 replaced, 2 picked up"},
		{"three, and only the last is answered", func(h history) {
			h.asked(0, 1, 11)
			h.asked(100, 2, 11)
			h.asked(200, 3, 11)
			h.completed(230, 12)
		}, "1 replaced, 2 replaced, 3 completed 230"},
		{"a person accepts what the site has", func(h history) { h.asked(0, 1, 11); h.pickedUp(5, 1); h.accepted(10) },
			"1 accepted"},
		{"accepted before it was asked", func(h history) { h.accepted(-1); h.asked(0, 1, 11) }, "1 issued"},
		{"accepted, then answered all the same",
			func(h history) { h.asked(0, 1, 11); h.accepted(10); h.completed(20, 15) }, "1 accepted"},
		{"answered, then accepted", func(h history) { h.asked(0, 1, 11); h.completed(10, 15); h.accepted(20) },
			"1 completed 10"},
		{"accepted, then asked again", func(h history) {
			h.asked(0, 1, 11)
			h.accepted(10)
			h.asked(20, 2,
				100)
			h.completed(30, 101)
		}, "1 accepted, 2 completed 30"},
		{"accepted each time", func(h history) {
			h.asked(0, 1, 11)
			h.accepted(10)
			h.asked(20, 2,
				100)
			h.accepted(30)
		}, "1 accepted, 2 accepted"},
		{"accepted at the moment of the second",
			func(h history) { h.asked(0, 1, 11); h.asked(20, 2, 100); h.accepted(20) }, "1 replaced, 2 accepted"},
		{"replaced, then the second accepted",
			func(h history) { h.asked(0, 1, 11); h.asked(20, 2, 11); h.accepted(30) }, "1 replaced, 2 accepted"},
		{"it expires", func(h history) { h.asked(0, 1, 11); h.pickedUp(5, 1); h.reported(6, 11); h.expired(60, 1) },
			"1 unanswered 60"},
		{"it expires once", func(h history) { h.asked(0, 1, 11); h.expired(60, 1); h.expired(70, 1); h.expired(50, 1) },
			"1 unanswered 50"},
		{"an answer after that is late", func(h history) { h.asked(0, 1, 11); h.expired(60, 1); h.completed(61, 12) },
			"1 late 61 60"},
		{"one of that moment is in time", func(h history) { h.asked(0, 1, 11); h.expired(60, 1); h.completed(60, 12) },
			"1 completed 60"},
		{"one that was received in time and read later",
			func(h history) { h.asked(0, 1, 11); h.expired(60, 1); h.completed(50, 12) }, "1 completed 50"},
		{"it expires, and the next is asked at once",
			func(h history) { h.asked(0, 1, 11); h.expired(60, 1); h.asked(60, 2, 11) }, "1 unanswered 60, 2 issued"},
		{"the late answer belongs to the next", func(h history) {
			h.asked(0, 1, 11)
			h.expired(60, 1)
			h.asked(60, 2, 11)
			h.completed(61, 12)
		}, "1 unanswered 60, 2 completed 61"},
		{"what was replaced does not expire",
			func(h history) { h.asked(0, 1, 11); h.asked(50, 2, 11); h.expired(60, 1) }, "1 replaced, 2 issued"},
		{"it expires, and a person accepts what there is",
			func(h history) { h.asked(0, 1, 11); h.expired(60, 1); h.accepted(70) }, "1 unanswered 60"},
		{"accepted before it expires", func(h history) { h.asked(0, 1, 11); h.accepted(50); h.expired(60, 1) },
			"1 accepted"},
		{"each expires on its own", func(h history) {
			h.asked(0, 1, 11)
			h.expired(60, 1)
			h.asked(60, 2, 11)
			h.expired(130, 2)
			h.completed(140, 12)
		}, "1 unanswered 60, 2 late 140 130"},
	}
	for i, tt := range cases {
		tt.live(history{b, client(100 + i)})
	}
	got := b.outcomes()
	for i, tt := range cases {
		b.equal(tt.name, got[client(100+i).UUID()], tt.want)
	}
}

// What expired stays so, and what did not expire then does not expire by a later setting: no other row changes.
func TestAnExpiryIsFinal(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge, cfg.MergeInterval = 0, 10*time.Hour
	b := newBench(t, cfg)
	silent, slow, quick := history{b, client(1)}, history{b, client(2)}, history{b, client(3)}
	for _, h := range []history{silent, slow, quick} {
		b.arrive(h.c, 5, 9)
	}
	steps := func(what, want string) {
		t.Helper()
		got := b.outcomes()
		b.equal(what, strings.Join([]string{got[silent.c.UUID()], got[slow.c.UUID()], got[quick.c.UUID()]}, "; "), want)
	}
	b.check(CheckOptions{})
	b.unread = gaps.Unread{Everybody: true} // nobody is asked any more
	b.wait(10*time.Hour - time.Minute)
	b.complete(quick.c, 0, 20)
	b.wait(30 * time.Second)
	b.check(CheckOptions{})
	steps("a moment before", "1 issued; 1 issued; 1 completed 599")
	b.wait(30 * time.Second)
	b.check(CheckOptions{DryRun: true})
	b.check(CheckOptions{})
	expired := "1 unanswered 600; 1 unanswered 600; 1 completed 599"
	steps("at the merge interval", expired)
	for _, interval := range []time.Duration{0, time.Hour, 9 * time.Hour, 1000 * time.Hour} {
		cfg.MergeInterval = interval
		b.Configure(cfg)
		b.wait(time.Minute)
		b.check(CheckOptions{})
		steps("with another setting", expired)
	}
	b.complete(slow.c, 0, 20)
	b.check(CheckOptions{})
	steps("an answer that comes late", "1 unanswered 600; 1 late 604 600; 1 completed 599")
	b.equal("by the interval of then", b.count("SELECT any(interval_s) FROM resync_expiries"), 36000)
	b.equal("counted", []any{metric(t, b.reg, "statewire_resync_expired_total"),
		metric(t, b.reg, "statewire_resync_completed_total")}, []any{2, 1})
	forgotten, answered := history{b, client(4)}, history{b, client(5)} // of a time when no process of the site ran
	forgotten.asked(-100*24*60, 1, 11)
	answered.asked(-100*24*60, 1, 11)
	now := b.now
	answered.completed(-50*24*60, 12)
	again := newBenchOn(t, b.db, cfg, now)
	again.check(CheckOptions{})
	b.equal("a restart counts what expired meanwhile", metric(t, again.reg, "statewire_resync_expired_total"), 1)
	got := b.outcomes()
	b.equal("asked long ago", []string{got[forgotten.c.UUID()], got[answered.c.UUID()]},
		[]string{"1 unanswered 604", "1 completed -72000"})
	b.now = now
	again.wait(time.Minute)
	again.unread = gaps.Unread{}
	cfg.MergeInterval = time.Hour
	again.Configure(cfg)
	b.equal("asked again", again.check(CheckOptions{}).IssuedTotal, 1)
	steps("asked again", "1 unanswered 600, 2 issued; 1 late 604 600; 1 completed 599")
}

// A request that nobody answered is counted as expired once, whatever the merge interval: asked again, or not.
func TestAnExpiredRequestIsCountedOnce(t *testing.T) {
	for _, interval := range []time.Duration{5 * time.Minute, time.Hour, 72 * time.Hour} {
		t.Run(interval.String(), func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MinMissingMessageAge, cfg.MergeInterval = 0, interval
			b := newBench(t, cfg)
			b.arrive(client(1), 5, 9) // never answers
			b.arrive(client(2), 5, 9) // answers the second time
			counted := func(expired, completed int) {
				t.Helper()
				b.equal("expired", metric(t, b.reg, "statewire_resync_expired_total"), expired)
				b.equal("completed", metric(t, b.reg, "statewire_resync_completed_total"), completed)
			}
			b.equal("asked", b.check(CheckOptions{}).IssuedTotal, 2)
			b.wait(interval - time.Second)
			b.equal("asked again too early", b.check(CheckOptions{}).IssuedTotal, 0)
			counted(0, 0)
			b.wait(time.Second)
			b.equal("asked again", b.check(CheckOptions{}).IssuedTotal, 2)
			b.check(CheckOptions{})
			counted(2, 0)
			b.wait(time.Minute)
			b.complete(client(2), 0, 20)
			b.check(CheckOptions{})
			counted(2, 1)
			cfg.MaxOutstanding, b.unread = 1, gaps.Unread{Everybody: true} // nobody is asked any more
			b.Configure(cfg)
			b.wait(max(interval, time.Hour))
			b.check(CheckOptions{})
			b.check(CheckOptions{})
			counted(3, 1)
		})
	}
}

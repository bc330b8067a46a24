package manager

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// What counts of a client, row by row. Each row is told at once by server 1 unless it is said otherwise.
func TestTheGreaterSessionAndNumberCount(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench)
		want string
	}{
		{"the first row", func(b *bench) { b.see(1, 1, on(1, 8, 1, 0)) }, "online 1 8.1 signin"},
		{"the first row says offline", func(b *bench) { b.see(1, 1, off(1, 8, 2, 0, "reset")) }, "offline 1 8.2 reset"},
		{"a greater number", func(b *bench) { b.see(1, 1, on(1, 8, 1, 0), off(1, 8, 2, 1, "closed")) },
			"offline 1 8.2 closed"},
		{"a smaller number", func(b *bench) { b.see(1, 1, off(1, 8, 2, 1, "closed"), on(1, 8, 1, 0)) },
			"offline 1 8.2 closed"},
		{"a greater session with a smaller number", func(b *bench) { b.see(1, 1, off(1, 8, 7, 1, "closed"), on(1, 9, 1, 0)) },
			"online 1 9.1 signin"},
		{"a smaller session with a greater number", func(b *bench) { b.see(1, 1, on(1, 9, 1, 0), off(1, 8, 7, 1, "closed")) },
			"online 1 9.1 signin"},
		{"an older time counts all the same", func(b *bench) { b.see(1, 1, on(1, 8, 1, 60), off(1, 8, 2, 1, "closed")) },
			"offline 1 8.2 closed"},
		{"the same once more", func(b *bench) { b.see(1, 1, on(1, 8, 1, 0), on(1, 8, 1, 0)) }, "online 1 8.1 signin"},
		{"the same number with another content is no news", func(b *bench) {
			b.see(1, 1, on(1, 8, 1, 0), off(1, 8, 1, 1, "closed"))
		}, "online 1 8.1 signin"},
		{"a greater session elsewhere", func(b *bench) { b.see(1, 1, on(1, 8, 1, 0)); b.see(2, 1, on(1, 9, 1, 0)) },
			"online 2 9.1 signin"},
		{"a smaller session elsewhere", func(b *bench) { b.see(1, 1, on(1, 9, 1, 0)); b.see(2, 1, on(1, 8, 4, 0)) },
			"online 1 9.1 signin"},
		{"the same session and number elsewhere", func(b *bench) { b.see(1, 1, on(1, 9, 1, 0)); b.see(2, 1, on(1, 9, 1, 0)) },
			"online 1 9.1 signin"},
		{"the elder's end elsewhere", func(b *bench) {
			b.see(1, 1, on(1, 8, 1, 0))
			b.see(2, 1, on(1, 9, 1, 0))
			b.see(1, 1, off(1, 8, 2, 0, "replaced"))
		}, "online 2 9.1 signin"},
	} {
		b := newBench(t)
		c.do(b)
		b.want(c.name, 1, c.want)
		b.restart()
		b.want(c.name+", after a restart", 1, c.want)
	}
}

func TestVerdictsFallOnlyByWhatAServerSays(t *testing.T) {
	lose := func(b *bench) {
		b.load(delta(1, on(1, 8, 3, 0)))
		b.pass(10*time.Minute + time.Second)
		b.want("its server is silent", 1, "offline 1 8.3 server_lost")
	}
	lack := func(b *bench) {
		b.load(delta(1, on(1, 8, 3, 0)), full(2))
		b.want("a full report lacks it", 1, "offline 1 8.3 server_full")
	}
	revoke := func(b *bench) {
		r := on(1, 8, 3, 0)
		r.Certificate = 70
		b.load(delta(1, r))
		if err := b.Revoked(t.Context(), []uuid.UUID{id(1), id(2)}); err != nil {
			t.Fatal(err)
		}
		b.want("it is revoked", 1, "offline 1 8.3 revoked")
	}
	with := func(r wire.Row, certificate uint64) wire.Row {
		r.Certificate = certificate
		return r
	}
	for _, c := range []struct {
		name    string
		verdict func(*bench)
		then    func(*bench)
		want    string
	}{
		{"time alone changes nothing", lose, func(b *bench) { b.pass(time.Hour) }, "offline 1 8.3 server_lost"},
		{"the same row online", lose, func(b *bench) { b.load(delta(2, on(1, 8, 3, 0))) }, "online 1 8.3 signin"},
		{"the same row online, at once", lose, func(b *bench) { b.see(1, 1, on(1, 8, 3, 0)) }, "online 1 8.3 signin"},
		{"a greater row online", lose, func(b *bench) { b.load(delta(2, on(1, 9, 1, 0))) }, "online 1 9.1 signin"},
		{"a greater row online elsewhere", lose, func(b *bench) { b.see(2, 1, on(1, 9, 1, 0)) }, "online 2 9.1 signin"},
		{"a smaller row online", lose, func(b *bench) { b.load(delta(2, on(1, 8, 2, 0))) }, "offline 1 8.3 server_lost"},
		{"a smaller row in a full report of its server", lose, func(b *bench) { b.load(full(2, on(1, 8, 2, 0))) },
			"online 1 8.3 signin"},
		{"a smaller row in a full report of another server", lose, func(b *bench) {
			b.load(second(full(1, on(1, 8, 2, 0))))
		}, "offline 1 8.3 server_lost"},
		{"a greater row offline", lose, func(b *bench) { b.load(delta(2, off(1, 8, 4, 0, "closed"))) },
			"offline 1 8.4 closed"},
		{"a report without it", lose, func(b *bench) { b.load(delta(2, on(2, 1, 1, 0))) }, "offline 1 8.3 server_lost"},
		{"a file of before, copied back", lack, func(b *bench) { b.load(delta(1, on(1, 8, 3, 0))) },
			"offline 1 8.3 server_full"},
		{"the same row in the next report", lack, func(b *bench) { b.load(delta(3, on(1, 8, 3, 0))) },
			"online 1 8.3 signin"},
		{"a greater row in a file of before: the full report would have named it", lack, func(b *bench) {
			b.load(delta(1, on(1, 9, 1, 0)))
		}, "offline 1 9.1 server_full"},
		{"the same certificate again", revoke, func(b *bench) { b.see(1, 1, with(on(1, 9, 1, 0), 70)) },
			"offline 1 9.1 revoked"},
		{"no certificate", revoke, func(b *bench) { b.see(1, 1, on(1, 9, 1, 0)) }, "offline 1 9.1 revoked"},
		{"an older certificate", revoke, func(b *bench) { b.see(1, 1, with(on(1, 9, 1, 0), 69)) },
			"offline 1 9.1 revoked"},
		{"a full report with the same row", revoke, func(b *bench) { b.load(full(2, with(on(1, 8, 3, 0), 70))) },
			"offline 1 8.3 revoked"},
		{"a newer certificate", revoke, func(b *bench) { b.see(1, 1, with(on(1, 9, 1, 0), 71)) }, "online 1 9.1 signin"},
		{"a newer certificate, after the same one", revoke, func(b *bench) {
			b.see(1, 1, with(on(1, 9, 1, 0), 70), with(on(1, 10, 1, 0), 71))
		}, "online 1 10.1 signin"},
		{"the server said that it is revoked", func(b *bench) {
			b.see(1, 1, with(on(1, 8, 3, 0), 70), off(1, 8, 4, 1, wire.OfflineRevoked), with(on(1, 9, 1, 2), 70))
		}, func(*bench) {}, "offline 1 9.1 revoked"},
		{"its silent server does not change a revoked one", revoke, func(b *bench) { b.pass(time.Hour) },
			"offline 1 8.3 revoked"},
	} {
		b := newBench(t)
		c.verdict(b)
		b.restart()
		c.then(b)
		b.want(c.name, 1, c.want)
	}
}

// What was told at once may be younger than the full report that is loaded after it: the next report decides.
func TestAFullReportThatIsOlderThanWhatWasSeenTakesNobodyOffline(t *testing.T) {
	b := newBench(t)
	b.load(delta(1, on(1, 8, 1, 0)))
	b.see(1, 1, on(2, 5, 1, 1), on(3, 5, 1, 1))
	b.load(full(2, on(1, 8, 1, 0)))
	b.want("signed in while the report was written", 2, "online 1 5.1 signin")
	b.load(delta(3, on(2, 5, 1, 1)))
	b.want("the next report names it", 2, "online 1 5.1 signin")
	b.want("the next report does not", 3, "offline 1 5.1 server_full")
	b.load(full(4, on(1, 8, 1, 0)))
	b.want("a later full report decides at once", 2, "offline 1 5.1 server_full")
}

// A client that its server knows less of than the manager counts on from there; an elder connection ends.
func TestServersAreToldOfSessionsOfOthers(t *testing.T) {
	one := func(n int, session uint64) []wire.SessionOf {
		return []wire.SessionOf{{Client: id(n), Session: session}}
	}
	for _, c := range []struct {
		name  string
		do    func(b *bench)
		epoch uint64 // of server 1
		raise []wire.SessionOf
		end   []wire.SessionOf
	}{
		{"it holds the greatest", func(b *bench) { b.see(1, 1, on(1, 8, 1, 0)) }, 1, nil, nil},
		{"another server takes it over", func(b *bench) { b.see(1, 1, on(1, 8, 1, 0)); b.see(2, 1, on(1, 9, 1, 0)) }, 1, nil,
			one(1, 8)},
		{"it had ended before", func(b *bench) {
			b.see(1, 1, off(1, 8, 2, 0, "closed"))
			b.see(2, 1, on(1, 9, 1, 0))
		}, 1, nil, nil},
		{"it says that the elder is online, again", func(b *bench) {
			b.see(1, 1, on(1, 8, 1, 0))
			b.see(2, 1, on(1, 9, 1, 0))
			b.see(1, 1, on(1, 8, 1, 0))
		}, 1, nil, one(1, 8)},
		{"the elder of a server before", func(b *bench) {
			b.allowed[3] = "push3"
			b.see(1, 1, on(1, 8, 1, 0))
			b.see(2, 1, on(1, 9, 1, 0))
			b.see(3, 1, on(1, 10, 1, 0))
			b.see(1, 1, on(1, 8, 1, 0))
		}, 1, nil, one(1, 8)},
		{"it loses by session to another server",
			func(b *bench) { b.see(2, 1, on(1, 812, 1, 0)); b.see(1, 1, on(1, 8, 1, 0)) }, 1,
			one(1, 813), nil},
		{"also where the greater one is offline", func(b *bench) {
			b.see(2, 1, off(1, 812, 2, 0, "closed"))
			b.see(1, 1, on(1, 8, 1, 0))
		}, 1, one(1, 813), nil},
		{"an offline row that loses is nothing", func(b *bench) {
			b.see(2, 1, on(1, 812, 1, 0))
			b.see(1, 1, off(1, 8, 2, 0, "closed"))
		}, 1, nil, nil},
		{"its own greater session of this start", func(b *bench) { b.see(1, 1, on(1, 812, 1, 0), on(1, 8, 1, 0)) }, 1, nil,
			nil},
		{"its own greater session of an earlier start", func(b *bench) {
			b.see(1, 1, on(1, 812, 1, 0))
			b.see(1, 2, on(1, 8, 1, 0))
		}, 2, one(1, 813), nil},
		{"an elder of an earlier start is none", func(b *bench) {
			b.see(1, 1, on(1, 8, 1, 0))
			b.see(2, 1, on(1, 812, 1, 0))
			b.see(1, 2, on(1, 3, 1, 0))
		}, 2, one(1, 813), one(1, 8)},
	} {
		b := newBench(t)
		c.do(b)
		w := b.work(1, c.epoch, 0)
		if !slices.Equal(w.Raise, c.raise) || !slices.Equal(w.End, c.end) {
			t.Errorf("%s: raise %v, end %v, want %v, %v", c.name, w.Raise, w.End, c.raise, c.end)
		}
	}
}

// Every time of being connected has one row, whatever was missed of it.
func TestTheHistoryHasOneRowForEachConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench)
		want []string
	}{
		{"still connected", func(b *bench) { b.see(1, 1, on(1, 8, 1, 1)) }, nil},
		{"ended", func(b *bench) { b.see(1, 1, on(1, 8, 1, 1), off(1, 8, 2, 5, "closed")) }, []string{"1 1.8 1-5 closed"}},
		{"told twice", func(b *bench) {
			b.see(1, 1, on(1, 8, 1, 1), off(1, 8, 2, 5, "closed"), off(1, 8, 2, 5, "closed"))
		}, []string{"1 1.8 1-5 closed"}},
		{"signed in again", func(b *bench) { b.see(1, 1, on(1, 8, 1, 1), on(1, 9, 1, 5)) }, []string{"1 1.8 1-5 replaced"}},
		{"signed in elsewhere", func(b *bench) { b.see(1, 1, on(1, 8, 1, 1)); b.see(2, 1, on(1, 9, 1, 5)) },
			[]string{"1 1.8 1-5 replaced"}},
		{"its session was raised", func(b *bench) { b.see(1, 1, on(1, 8, 1, 1), on(1, 13, 1, 1), off(1, 13, 2, 7, "reset")) },
			[]string{"1 1.13 1-7 reset"}},
		{"its server was silent", func(b *bench) {
			b.load(delta(1, on(1, 8, 1, 0)))
			b.pass(10 * time.Minute)
		}, []string{"1 1.8 0-10 server_lost"}},
		{"and how it really ended", func(b *bench) {
			b.load(delta(1, on(1, 8, 1, 0)))
			b.pass(10 * time.Minute)
			b.load(delta(2, off(1, 8, 2, 3, "closed")))
		}, []string{"1 1.8 0-10 server_lost", "1 1.8 0-3 closed"}},
		{"it came and went between two reports", func(b *bench) {
			r := off(1, 8, 2, 1, "closed")
			r.Since = r.Last.Add(4 * time.Minute)
			b.load(delta(1, r))
		}, []string{"1 1.8 1-5 closed"}},
	} {
		b := newBench(t)
		c.do(b)
		if got := b.spans(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

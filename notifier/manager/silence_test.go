package manager

import (
	"os"
	"slices"
	"testing"
	"time"

	"statewire/notifier/wire"
)

func TestTheClientsOfASilentServerAreOffline(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)), second(full(1, on(2, 3, 1, 0))))
	b.pass(5 * time.Minute)
	b.load(second(delta(2)))
	b.pass(5*time.Minute - time.Second)
	b.want("just before two intervals", 1, "online 1 8.1 signin")
	b.pass(time.Second)
	b.want("two intervals", 1, "offline 1 8.1 server_lost")
	b.want("another server's", 2, "online 2 3.1 signin")
	if p, _ := b.Presence(id(1)); !p.At.Equal(today.Add(10 * time.Minute)) {
		t.Errorf("offline since %v", p.At)
	}
	b.pass(time.Hour)
	if got := b.messageIDs(); count(got, wire.ServerSilent) != 2 { // push2 is silent, too, by now
		t.Errorf("messages %v, want one for each server", got)
	}
	if w := b.work(1, 1, 0); !w.Full {
		t.Error("it is back, and no full report is asked for")
	}
	b.load(delta(2, on(1, 8, 1, 0)))
	b.want("its next report says online", 1, "online 1 8.1 signin")
	if s, _ := b.Servers(t.Context()); s[0].Silent && s[1].Silent {
		t.Error("a server that reports is silent")
	}
}

func count(all []int, one int) int {
	return len(all) - len(slices.DeleteFunc(slices.Clone(all), func(n int) bool { return n == one }))
}

// The manager was stopped for fifteen minutes, and the files wait: nobody was ever offline.
func TestFilesThatWaitedAreLoadedBeforeAServerCountsAsSilent(t *testing.T) {
	b := newBench(t)
	var rows []wire.Row
	for n := range 100 {
		rows = append(rows, on(n+1, 1, 1, 0))
	}
	b.load(full(1, rows...))
	versions := b.counter
	for v := range 3 {
		b.now = b.now.Add(5 * time.Minute)
		b.put(delta(uint64(v + 2)))
	}
	b.step()
	for n := range 100 {
		b.want("stopped with files in the box", n+1, "online 1 1.1 signin")
	}
	b.now = b.now.Add(15 * time.Minute) // the whole machine slept: the server, too
	b.step()
	b.pass(9 * time.Minute)
	b.want("slept without files in the box", 1, "online 1 1.1 signin")
	if b.counter != versions {
		t.Error("somebody's presence changed meanwhile")
	}
	b.pass(2 * time.Minute)
	b.want("and nothing comes after it", 1, "offline 1 1.1 server_lost")
	b.load(full(5, rows...))
	for n := range 100 {
		b.want("all are back with one report", n+1, "online 1 1.1 signin")
	}
}

func TestARestartGivesAServerTwoIntervals(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)))
	b.now = b.now.Add(time.Hour)
	b.restart()
	b.pass(9 * time.Minute)
	b.want("just started", 1, "online 1 8.1 signin")
	b.pass(2 * time.Minute)
	b.want("silent since", 1, "offline 1 8.1 server_lost")
}

// A box that cannot be looked into says nothing of the servers.
func TestABoxThatIsAwaySaysNothingOfServers(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)))
	if err := os.Rename(b.cfg.Box, b.cfg.Box+".away"); err != nil {
		t.Fatal(err)
	}
	b.pass(time.Hour)
	b.want("nobody knows", 1, "online 1 8.1 signin")
	if err := os.Rename(b.cfg.Box+".away", b.cfg.Box); err != nil {
		t.Fatal(err)
	}
	b.pass(time.Second)
	b.want("it is back, and empty", 1, "offline 1 8.1 server_lost")
}

func TestAFileThatWaitsForOneBeforeItIsASignOfLife(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)))
	b.pass(9*time.Minute + 30*time.Second)
	b.put(delta(3))
	b.pass(time.Minute + 10*time.Second)
	b.want("the report before it was missed", 1, "online 1 8.1 signin")
}

func TestAStatusMessageComesOnceInTenMinutes(t *testing.T) {
	b := newBench(t)
	say := func(text string) {
		t.Helper()
		if err := b.tell(wire.ComponentMessage{Component: "A", ID: 9800, Time: b.now, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, n int) {
		t.Helper()
		if got := len(b.messageIDs()); got != n {
			t.Errorf("%s: %d messages, want %d", what, got, n)
		}
	}
	say("one")
	say("one")
	want("the same at once", 1)
	say("another")
	want("another text", 2)
	b.restart()
	b.now = b.now.Add(10*time.Minute - time.Second)
	say("one")
	want("just before ten minutes, after a restart", 2)
	b.now = b.now.Add(time.Second)
	say("one")
	want("ten minutes", 3)
	b.now = b.now.Add(-time.Hour)
	say("one")
	want("a clock that was set back", 4)
	if len(b.told) != 1 {
		t.Errorf("%d texts are remembered, want those of the last ten minutes", len(b.told))
	}
}

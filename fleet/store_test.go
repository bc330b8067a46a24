package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/topics"
	"statewire/smx"
	"statewire/smx/policy"
)

// asker is a site that can ask every client for its whole cache, once.
type asker struct {
	*site
	mu     sync.Mutex
	asking bool                    // Guarded by mu, like the others.
	polls  map[smx.ClientID]uint64 // what each client claimed last
}

func newAsker(t testing.TB) *asker { return &asker{site: newSite(t), polls: map[smx.ClientID]uint64{}} }

func (a *asker) ask() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking = true
}

// Policy implements agent.Relay.
func (a *asker) Policy(_ context.Context, poll smx.Poll, etag string) transport.PolicyAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.polls[poll.Client] = poll.LastSerial
	p := policy.Document{Client: poll.Client}
	if a.asking {
		next := max(poll.LastSerial, a.greatest(poll.Client)) + 1
		if state, done := a.completion(poll.Client); done {
			next = state.Serial // as it was when the site asked
		}
		p.Resync = &policy.Resync{Number: 1, NextSerial: next, Issued: fleetStart, Reason: "requested"}
	}
	document := policy.Encode(p)
	if tag := fmt.Sprintf("%x", document); tag != etag {
		return transport.PolicyAnswer{Outcome: transport.Accepted, Status: 200, Document: document, ETag: tag}
	}
	return transport.PolicyAnswer{Outcome: transport.Idle, Status: 304}
}

func (a *asker) greatest(client smx.ClientID) (greatest uint64) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if c := a.Clients[client]; c != nil {
		for serial := range c.Came {
			greatest = max(greatest, serial)
		}
	}
	return greatest
}

func (a *asker) completion(client smx.ClientID) (agenttest.State, bool) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if a.Clients[client] == nil {
		return agenttest.State{}, false
	}
	state, ok := a.Clients[client].States[agenttest.Topic{Type: topicResync, ID: client.String()}]
	return state, ok
}

// holds is what the site would answer `fleet verify`.
func (a *asker) holds(client smx.ClientID) (s SiteClient) {
	done, asked := a.completion(client)
	floor := uint64(0)
	if asked {
		fmt.Sscan(done.Params[0], &floor)
	}
	c := a.Clients[client]
	if c == nil {
		return s
	}
	for _, state := range c.States {
		if state.Serial == 0 || state.TopicType == topicResync {
			continue
		}
		m := smx.Message{Time: state.Time, TopicType: state.TopicType, TopicID: state.TopicID, StateID: state.StateID,
			Params: state.Params}
		s.States = append(s.States, SiteState{TopicType: state.TopicType, TopicID: state.TopicID,
			StateID: state.StateID, Params: state.Params, Time: state.Time, Serial: state.Serial,
			Hash: smx.PayloadHash(&m), Unconfirmed: state.Serial < floor})
	}
	slices.SortFunc(s.States, func(x, y SiteState) int { return topicOf(&x).compare(topicOf(&y)) })
	for _, r := range c.Missing(1) {
		if r.Last >= floor {
			s.Ranges = append(s.Ranges, r)
		}
	}
	return s
}

// verify compares every client of the store with the site.
func (a *asker) verify(t *testing.T, fs *Store) (v Verdict, found []Difference) {
	t.Helper()
	var order []string
	err := fs.Each(func(client smx.ClientID, held []cache.Held) error {
		order = append(order, client.UUID())
		found = append(found, v.Compare(client, held, a.holds(client))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(order) {
		t.Error("the clients do not come in the order of their ids as text")
	}
	return v, found
}

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	fs, err := OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// over runs a fleet on a store file to its end.
func over(t *testing.T, cfg Config, fs *Store, relay transport.Relay) *Fleet {
	t.Helper()
	from, err := fs.begin(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFleet(cfg, from, relay, func() {}, fs, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func verifiedFleet(clients int) Config {
	cfg := testFleet(clients)
	cfg.Damage, cfg.Silent, cfg.Leave, cfg.Delay = 0, 0, 0, 0.05
	cfg.Reinstall, cfg.Restore, cfg.ClockJump = 0.1, 0.1, 0.1
	cfg.PatchDay, cfg.For, cfg.Settle, cfg.PolicyInterval = 10*time.Minute, 10*time.Minute, time.Minute, time.Minute
	return cfg
}

// TestOneRoundMakesTheSiteEqual is the way of `statewire fleet` and `fleet verify` with a site that asks everybody:
// after a day with every fault there are differences, and after one round without faults none.
func TestOneRoundMakesTheSiteEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, relay, cfg := filepath.Join(t.TempDir(), "fleet.db"), newAsker(t), verifiedFleet(60)
		fs := openStore(t, path)
		if unused, err := fs.Unused(); err != nil || !unused {
			t.Fatalf("a new store is used: %v, %v", !unused, err)
		}
		s := over(t, cfg, fs, relay).Stats()
		for name, n := range map[string]int64{"lost": s.Lost, "duplicated": s.Duplicated, "reordered": s.Reordered,
			"delayed": s.Delayed, "reinstalled": s.Reinstalled, "restored": s.Restored,
			"sent on a clock that jumped": s.ClockJumps, "polled": s.Polls, "polled in vain": s.PollsFailed} {
			if n == 0 {
				t.Errorf("nothing was %s", name)
			}
		}
		kinds := map[DifferenceKind]int{}
		_, found := relay.verify(t, fs)
		for _, d := range found {
			kinds[d.Kind]++
		}
		t.Log("after a day with faults:", kinds)
		if kinds[Differs] == 0 || kinds[AbsentThere] == 0 || kinds[OnlyThere] == 0 || kinds[OpenRange] == 0 ||
			kinds[Unsent] > 0 {
			t.Errorf("differences are %v; want each kind, but nothing unsent", kinds)
		}
		if err := fs.Close(); err != nil {
			t.Fatal(err)
		}

		fs = openStore(t, path)
		relay.ask()
		cfg.For = 0
		round := over(t, cfg, fs, relay).Stats()
		if round.Resyncs != int64(cfg.Clients) ||
			round.Lost+round.Duplicated+round.Reordered+round.Delayed+round.Reinstalled > 0 || round.Unsettled > 0 {
			t.Errorf("the round: %+v; want a resync of each client and no fault", round)
		}
		v, found := relay.verify(t, fs)
		for _, d := range found {
			t.Errorf("client %s: %s: topic %d %s: %s", d.Client, d.Kind, d.TopicType, d.TopicID, &d)
		}
		if v.Clients != cfg.Clients || v.Equal != v.Topics || v.Topics < cfg.Clients*20 || v.Unconfirmed == 0 {
			t.Errorf("verdict %+v; want all equal, and topics of reinstalled clients unconfirmed", v)
		}
		totals, err := fs.Totals()
		if err != nil || totals.Clients != cfg.Clients || totals.Topics != v.Topics || totals.Unsent != 0 ||
			totals.DeadLetters != 0 {
			t.Errorf("totals %+v, %v", totals, err)
		}
		if err := fs.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSecondRunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, relay := filepath.Join(t.TempDir(), "fleet.db"), newAsker(t)
		cfg := verifiedFleet(8)
		cfg.Loss, cfg.Duplicate, cfg.Reorder, cfg.Delay, cfg.Reinstall, cfg.Restore, cfg.ClockJump = 0, 0, 0, 0, 0, 0, 0
		cfg.For = 3 * time.Minute
		var ends []time.Duration
		for range 4 {
			fs := openStore(t, path)
			f := over(t, cfg, fs, relay)
			ends = append(ends, f.clock.simulated(f.clock.fast))
			if v, found := relay.verify(t, fs); len(found) > 0 {
				t.Errorf("run %d: %+v", len(ends), v)
			}
			if err := fs.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if want := 4 * 24 * time.Hour * 3 / 10; ends[3].Round(time.Minute) != want {
			t.Errorf("the runs end at %v of simulated time, want the last at %v", ends, want)
		}
		for id, c := range relay.Clients {
			if missing := c.Missing(1); missing != nil {
				t.Errorf("client %s: missing %v", id, missing)
			}
		}
		if n := relay.Seen[agenttest.TopicState{topics.ClientInstall, 700}]; n != cfg.Clients {
			t.Errorf("%d clients were installed, want each of %d once", n, cfg.Clients)
		}
	})
}

func TestAnotherFleetsStoreIsRefused(t *testing.T) {
	fs := openStore(t, filepath.Join(t.TempDir(), "fleet.db"))
	defer fs.Close()
	cfg := testFleet(3)
	if err := fs.keep(cfg, time.Hour); err != nil {
		t.Fatal(err)
	}
	if at, err := fs.begin(cfg); err != nil || at != time.Hour {
		t.Errorf("the same fleet goes on at %v, %v", at, err)
	}
	cfg.Seed++
	if _, err := fs.begin(cfg); err == nil || !strings.Contains(err.Error(), "seed 1") {
		t.Errorf("another seed: %v; want a refusal that names the right one", err)
	}
	if _, err := ReadStore(filepath.Join(t.TempDir(), "none.db")); err == nil {
		t.Error("a store that is not there was read")
	}
}

func TestUnreachableRelayDoesNotKeepASettlingFleetForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := newSite(t)
		relay.Fault = func(int) *transport.Answer {
			return &transport.Answer{Outcome: transport.Again, Status: 503, Code: "backlog", Detail: "the inbox is full"}
		}
		cfg := verifiedFleet(5)
		began := time.Now()
		f := makeFleet(t, cfg, relay)
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); f.Stats().Unsettled != 5 || took > cfg.For+cfg.Settle+settlePatience+2*stopGrace {
			t.Errorf("after %v %d clients have not settled, want 5 of 5 and an end", took, f.Stats().Unsettled)
		}
		if want := "the relay answered 503 backlog: the inbox is full"; f.Stats().Trouble != want {
			t.Errorf("the trouble is %q, want %q", f.Stats().Trouble, want)
		}
	})
}

func TestFleetClockRunsFastThenPlain(t *testing.T) {
	start := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name            string
		from, day, fast time.Duration
	}{
		{"a patch day", 0, 20 * time.Minute, 20 * time.Minute},
		{"goes on", 30 * time.Hour, time.Minute, 2 * time.Minute},
		{"only settles", 30 * time.Hour, time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newClock(start, c.from, c.day, c.fast)
			if end := clock.at(clock.simulated(c.fast)); !end.Equal(start.Add(c.fast)) {
				t.Errorf("when fast time is over the fleet's clock shows %v, want %v", end, start.Add(c.fast))
			}
			if clock.simulated(0) != c.from || clock.simulated(c.fast+time.Hour)-clock.simulated(c.fast) != time.Hour {
				t.Errorf("it begins at %v and goes on to %v", clock.simulated(0), clock.simulated(c.fast+time.Hour))
			}
			for _, after := range []time.Duration{0, c.fast / 3, c.fast, c.fast + time.Minute} {
				if back := clock.real(clock.simulated(after)); math.Abs(float64(back-after)) > float64(time.Microsecond) {
					t.Errorf("%v after the start comes back as %v", after, back)
				}
			}
		})
	}
}

// TestSameSeedSameHistory lets one fleet live without a fault and another with all of them that leave the stores alone,
// and with resyncs: what their clients hold in the end is the same.
func TestSameSeedSameHistory(t *testing.T) {
	lived := func(faults bool, seed uint64) (text string) {
		synctest.Test(t, func(t *testing.T) {
			cfg, relay := verifiedFleet(10), newAsker(t)
			cfg.Seed, cfg.Reinstall, cfg.Restore, cfg.ClockJump = seed, 0, 0, 0
			if faults {
				relay.ask()
			} else {
				cfg.Loss, cfg.Duplicate, cfg.Reorder, cfg.Delay, cfg.Senders = 0, 0, 0, 0, 1
			}
			fs := openStore(t, filepath.Join(t.TempDir(), "fleet.db"))
			over(t, cfg, fs, relay)
			err := fs.Each(func(client smx.ClientID, held []cache.Held) error {
				for i := range held {
					h := &held[i]
					text += fmt.Sprintln(client, h.TopicType, h.TopicID, h.StateID, h.Params, h.Time)
				}
				return nil
			})
			if err := errors.Join(err, fs.Close()); err != nil {
				t.Fatal(err)
			}
		})
		return text
	}
	plain := lived(false, 5)
	if lived(true, 5) != plain {
		t.Error("with faults and resyncs the clients hold something else")
	}
	if lived(false, 6) == plain {
		t.Error("another seed gave the same history")
	}
}

package fleet

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/transport"
	"statewire/smx"
	"statewire/smx/policy"
)

// topicResync is the topic type of "resync complete".
const topicResync = 700

var fleetStart = time.Date(2026, 3, 11, 9, 0, 0, 0, time.UTC)

// testFleet has every fault, often enough for a small fleet to meet it.
func testFleet(clients int) Config {
	cfg := DefaultConfig()
	cfg.Clients, cfg.Start, cfg.Relay = clients, fleetStart, "https://relay.invalid"
	cfg.Loss, cfg.Duplicate, cfg.Reorder, cfg.Damage = 0.02, 0.05, 0.02, 0.02
	cfg.PolicyInterval = 30 * time.Minute
	return cfg
}

// simulate runs a fleet against a site for a while of the bubble's time.
func simulate(t *testing.T, cfg Config, relay transport.Relay, history bool, lasts time.Duration) *books {
	t.Helper()
	f := makeFleet(t, cfg, relay)
	b := keepBooks(f)
	if history {
		put := func(batch []PastReport) error { return relay.(*site).Load(smx.AppendFile(nil, batch)) }
		if err := f.History(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

// makeFleet is a fleet in memory.
func makeFleet(t testing.TB, cfg Config, relay transport.Relay) *Fleet {
	t.Helper()
	f, err := newFleet(cfg, 0, relay, func() {}, newMemoryStores(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSiteEndsUpWithWhatTheFleetExpects(t *testing.T) {
	for _, c := range []struct {
		name    string
		history bool
	}{{"with a history", true}, {"without one", false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				relay := newSite(t)
				b := simulate(t, testFleet(80), relay, c.history, 12*time.Hour)
				relay.equal(b.expected(t))
				s := b.fleet.Stats()
				for name, n := range map[string]int64{"lost": s.Lost, "duplicated": s.Duplicated,
					"reordered": s.Reordered, "damaged": s.Damaged, "silent": int64(s.Silent)} {
					if n == 0 {
						t.Errorf("nothing was %s", name)
					}
				}
				if s.Refused != 0 || s.Retries != 0 {
					t.Errorf("%d refused, %d retries; want none", s.Refused, s.Retries)
				}
			})
		})
	}
}

func TestSameSeedSameReports(t *testing.T) {
	var digests [3]string
	for i, seed := range []uint64{5, 5, 6} {
		synctest.Test(t, func(t *testing.T) {
			relay := newSite(t)
			cfg := testFleet(40)
			cfg.Seed, cfg.Senders = seed, 1+7*i
			b := simulate(t, cfg, relay, true, 2*time.Hour)
			digests[i] = fmt.Sprint(relay.Digest, b.expected(t))
		})
	}
	if digests[0] != digests[1] {
		t.Error("the same seed gave other reports")
	}
	if digests[0] == digests[2] {
		t.Error("another seed gave the same reports")
	}
}

func TestOutageOfTheRelayChangesNothingInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := newSite(t)
		began := time.Now()
		relay.Fault = func(attempt int) *transport.Answer {
			switch since := time.Since(began); {
			case since > 3*time.Minute && since < 11*time.Minute:
				return &transport.Answer{Outcome: transport.Again, Status: 503, After: 5 * time.Second}
			case attempt%17 == 3:
				return &transport.Answer{Outcome: transport.Again, Err: context.DeadlineExceeded}
			}
			return nil
		}
		b := simulate(t, testFleet(100), relay, true, 4*time.Hour)
		relay.Fault = nil
		b.fleet.deliverLate(t.Context())
		relay.equal(settled(b.expected(t)))
		if b.fleet.Stats().Retries == 0 {
			t.Error("nothing was repeated")
		}
	})
}

// settled leaves out the clients that were cut off in the middle of a report.
func settled(all []Expected) (sure []Expected) {
	for _, e := range all {
		if len(e.Unsettled) == 0 {
			sure = append(sure, e)
		}
	}
	return sure
}

func TestPatchDayMovesThenTrickles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := newSite(t)
		cfg := testFleet(200)
		var perMinute [20 + 120]int
		began := time.Now()
		relay.Fault = func(int) *transport.Answer {
			if m := int(time.Since(began) / time.Minute); m < len(perMinute) {
				perMinute[m]++
			}
			return nil
		}
		simulate(t, cfg, relay, true, 140*time.Minute)
		t.Log("reports per minute of the patch day:", perMinute[:20])
		for m, n := range perMinute[:20] {
			if n < cfg.Clients/10 {
				t.Errorf("minute %d of the patch day has %d reports of %d clients", m, n, cfg.Clients)
			}
		}
		for h := range 8 {
			quarter := 0
			for _, n := range perMinute[20+15*h : 35+15*h] {
				quarter += n
			}
			if quarter == 0 || quarter > cfg.Clients*2 {
				t.Errorf("quarter of an hour %d of everyday life has %d reports of %d clients", h, quarter, cfg.Clients)
			}
		}
	})
}

func TestStoryHasEveryChapter(t *testing.T) {
	if os.Getenv("STATEWIRE_TEST_LONG") == "" {
		t.Skip("half a minute of processor time: make long")
	}
	synctest.Test(t, func(t *testing.T) {
		relay := newSite(t)
		cfg := testFleet(320)
		cfg.PatchDay = 24 * time.Hour // of which every send cycle counts: little is superseded unsent
		b := simulate(t, cfg, relay, true, 26*time.Hour)
		relay.equal(b.expected(t))
		catalogue := readCatalogue(t)
		for s, n := range relay.Seen {
			if !catalogue[s] && s[0] != topicUnknown {
				t.Errorf("%d messages with topic %d state %d, which the catalogue does not have", n, s[0], s[1])
			}
		}
		for _, s := range []agenttest.TopicState{
			{300, 0}, {300, 1}, {300, 2}, {301, 1}, {301, 3}, {301, 4}, {301, 5}, {301, 6}, {301, 7}, {301, 8}, {301, 10},
			{302, 2}, {302, 3}, {400, 3}, {401, 1}, {401, 2}, {401, 4}, {401, 7}, {402, 2}, {402, 3}, {402, 4},
			{402, 8}, {402, 9}, {402, 10}, {402, 11}, {402, 12}, {402, 13}, {402, 14}, {500, 1}, {500, 2}, {500, 3},
			{501, 2}, {501, 3}, {501, 4}, {501, 5}, {501, 6}, {800, 700}, {810, 107}, {1000, 1}, {1001, 1}, {2001, 3},
			{2001, 4}, {2002, 1}, {2002, 2}, {9003, 1},
		} {
			if relay.Seen[s] == 0 {
				t.Errorf("no message with topic %d state %d", s[0], s[1])
			}
		}
		names := map[string]bool{}
		for id, c := range relay.Clients {
			if names[c.Name] || len(c.Name) > 15 {
				t.Errorf("client %s is called %q: names are unique and at most 15 characters", id, c.Name)
			}
			names[c.Name] = true
		}
	})
}

func readCatalogue(t *testing.T) map[agenttest.TopicState]bool {
	t.Helper()
	text, err := os.ReadFile("../configs/state-catalog.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	known := map[agenttest.TopicState]bool{}
	for _, row := range rows[1:] {
		kind, err1 := strconv.ParseUint(row[0], 10, 32)
		state, err2 := strconv.ParseUint(row[2], 10, 32)
		if err1 == nil && err2 == nil {
			known[agenttest.TopicState{uint32(kind), uint32(state)}] = true
		}
	}
	return known
}

// slower is a site whose policy wants a longer send cycle of everybody.
type slower struct{ *site }

func (s slower) Policy(_ context.Context, poll smx.Poll, _ string) transport.PolicyAnswer {
	return transport.PolicyAnswer{Outcome: transport.Accepted, Status: 200, ETag: "slow",
		Document: policy.Encode(policy.Document{Client: poll.Client, SendInterval: 4 * time.Hour})}
}

func TestFleetObeysItsPolicy(t *testing.T) {
	reports := func(slow bool) (n int64) {
		synctest.Test(t, func(t *testing.T) {
			cfg, relay := testFleet(10), newSite(t)
			cfg.PolicyInterval = 5 * time.Second
			var to transport.Relay = relay
			if slow {
				to = slower{relay}
			}
			f := makeFleet(t, cfg, to)
			ctx, cancel := context.WithTimeout(t.Context(), cfg.PatchDay)
			defer cancel()
			if err := f.Run(ctx); err != nil {
				t.Fatal(err)
			}
			n = f.Stats().Reports
		})
		return n
	}
	if often, seldom := reports(false), reports(true); seldom*3 > often {
		t.Errorf("%d reports with a send interval of 4 hours, %d with 15 minutes; want a third at most", seldom, often)
	}
}

// TestFleetOverTLS runs the whole way: fleet, gzip, TLS, a relay that is away for a while, and the comparison at the
// end.
func TestFleetOverTLS(t *testing.T) {
	relay := newSite(t)
	relay.Fault = func(attempt int) *transport.Answer {
		if attempt%40 == 20 {
			return &transport.Answer{Outcome: transport.Again, Status: 503, After: time.Second}
		}
		return nil
	}
	server, authority, pin := agenttest.Listen(t, relay)
	trust, err := transport.Trust(authority, pin)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testFleet(40)
	cfg.Relay, cfg.TLS, cfg.PatchDay = server.URL, trust, time.Second
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	b := keepBooks(f)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if s := f.Stats(); s.Reports < 40 || s.Messages < 1000 || s.PatchDay || s.Retries == 0 {
		t.Errorf("stats %+v", s)
	}
	relay.equal(settled(b.expected(t)))
}

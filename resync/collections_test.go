package resync

import (
	"cmp"
	"testing"
	"time"

	"statewire/collections"
	"statewire/policies"
	"statewire/smx"
	"statewire/smx/policy"
)

func TestCollectionsAndTheirPolicies(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		ctx := t.Context()
		b.arrive(client(1), 1, 9)
		b.arrive(client(2), 1, 5)
		c, err := s.collections.Create(ctx,
			collections.Spec{Name: "list", Clients: []smx.ClientID{client(2), client(1), client(1)}})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("members", c.Clients, 2)
		c, err = s.collections.Create(ctx,
			collections.Spec{Name: "behind",
				Query: "SELECT client_id FROM client_stats_data WHERE last_serial < 8 -- few;"})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("members by query", []any{c.Kind, c.Clients}, []any{"query", 1})
		_, members, err := s.collections.Show(ctx, "behind")
		b.equal("who", []any{members, err}, []any{[]smx.ClientID{client(2)}, nil})
		c, err = s.collections.Create(ctx,
			collections.Spec{Name: "twice",
				Query: "SELECT client_id FROM clients) UNION ALL SELECT toUUID('" + client(7).UUID() +
					"') FROM numbers(3"})
		b.equal("a client counts once", []any{c.Clients, err}, []any{1, nil})
		if err := s.collections.Delete(ctx, "twice"); err != nil {
			t.Fatal(err)
		}

		if _, err := s.policies.Set(ctx, "list", policies.Settings{SendInterval: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.policies.Set(ctx, "behind",
			policies.Settings{Priority: 5, SendInterval: time.Minute,
				Topics: []policy.Topic{{Type: 500, Paused: true}}}); err != nil {
			t.Fatal(err)
		}
		b.check(CheckOptions{})
		b.equal("one collection", b.poll(client(1), 9).SendInterval, time.Hour)
		b.equal("two of them", b.poll(client(2), 5).SendInterval, time.Minute)
		b.equal("paused", b.poll(client(2), 5).Topics, []policy.Topic{{Type: 500, Paused: true}})
		for what, says := range map[string]policies.Settings{"https://r": {Relay: "https://r"},
			"n:1": {Notifier: "n:1"}, "2h0m0s": {PolicyInterval: 2 * time.Hour}} {
			if _, err := s.policies.Set(ctx, "list", says); err != nil {
				t.Fatal(err)
			}
			p := b.poll(client(1), 9)
			b.equal("said alone", cmp.Or(p.Relay, p.Notifier, p.PolicyInterval.String()), what)
		}
		b.equal("the gauge of paused topics", metric(t, b.reg, "statewire_paused_topics"), 1)
		told, err := s.policies.List(ctx)
		b.equal("policies", []any{len(told), told[0].Collection, told[1].Priority, err}, []any{2, "behind", 1000, nil})

		asked, err := s.Request(ctx, Target{Collection: "behind"}, RequestOptions{By: "ann"})
		b.equal("asked", []any{asked.IssuedTotal, err}, []any{1, nil})
		if _, err := s.collections.Create(ctx,
			collections.Spec{Name: "list", Clients: []smx.ClientID{client(1)}, Replace: true}); err != nil {
			t.Fatal(err)
		}
		b.equal("no member any more", b.poll(client(2), 5).SendInterval, time.Minute)
		b.equal("nor in the store", b.count("SELECT count() FROM collection_clients"), 1)
		if err := s.collections.Delete(ctx, "behind"); err != nil {
			t.Fatal(err)
		}
		b.equal("nothing said any more", b.poll(client(2), 5).SendInterval, time.Duration(0))
		if _, err := s.policies.Set(ctx, "list", policies.Settings{}); err != nil {
			t.Fatal(err)
		}
		left, err := s.collections.List(ctx)
		b.equal("left", []any{len(left), left[0].Name, left[0].Clients, err}, []any{1, "list", 1, nil})
		told, err = s.policies.List(ctx)
		b.equal("policies left", []any{len(told), err}, []any{0, nil})
		again, err := s.collections.Create(ctx, collections.Spec{Name: "behind", Clients: []smx.ClientID{client(9)}})
		b.equal("a name may come again", []any{again.Clients, err}, []any{1, nil})
	})
}

func TestPoliciesAndCollectionsOutliveTheProcess(t *testing.T) {
	b := newBench(t, soon())
	ctx := t.Context()
	b.arrive(client(1), 1, 9)
	if _, err := b.sets.Create(ctx, collections.Spec{Name: "list", Clients: []smx.ClientID{client(1)}}); err != nil {
		t.Fatal(err)
	}
	settings := policies.Settings{SendInterval: time.Hour, PolicyInterval: 2 * time.Hour, Relay: "https://r",
		Notifier: "n:1",
		Topics:   []policy.Topic{{Type: 1, Interval: time.Minute}, {Type: 2, Paused: true}}}
	if _, err := b.told.Set(ctx, "list", settings); err != nil {
		t.Fatal(err)
	}
	b.check(CheckOptions{})
	before := b.poll(client(1), 9)
	b = newBenchOn(t, b.db, soon(), b.now)
	b.check(CheckOptions{})
	b.equal("policy", b.poll(client(1), 9), before)
	b.equal("policy", before.Topics, settings.Topics)
}

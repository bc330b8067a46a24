package store_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"statewire/store/storetest"
)

func compareStates(a, b state) int {
	return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Topic, b.Topic), strings.Compare(a.TopicID, b.TopicID))
}

// model is what the rules of interfaces.md section 3 say, in the plainest words.
func model(all []message) []state {
	type key struct {
		client byte
		topic  uint32
		id     string
	}
	type identity struct {
		client       byte
		serial, hash uint64
	}
	first := map[identity]message{} // rules 1 and 14: a repeat changes nothing, the first arrival shows
	for _, m := range all {
		id := identity{m.Client, m.Serial, m.Hash}
		if seen, ok := first[id]; !ok || m.Received < seen.Received {
			first[id] = m
		}
	}
	latest := map[key]message{}
	for _, m := range first {
		k := key{m.Client, m.Topic, m.TopicID}
		if have, ok := latest[k]; !ok || later(m, have) {
			latest[k] = m
		}
	}
	var out []state
	for k, m := range latest {
		out = append(out, state{k.client, k.topic, k.id, m.State, m.TimeUS / 1000, m.Received, m.Serial})
	}
	slices.SortFunc(out, compareStates)
	return out
}

// later says whether a is the later of two messages of one topic.
func later(a, b message) bool {
	switch {
	case a.Serial != b.Serial: // rules 2, 3; and 9: a numbered message wins over one without
		return a.Serial > b.Serial
	case a.Serial == 0: // rule 9
		return cmp.Or(cmp.Compare(a.Received, b.Received), cmp.Compare(a.TimeUS, b.TimeUS), cmp.Compare(a.Hash, b.Hash)) > 0
	}
	return cmp.Or(cmp.Compare(a.TimeUS, b.TimeUS), cmp.Compare(a.Hash, b.Hash)) > 0 // rule 8
}

// drawMessage draws from few values, so that repeats, conflicts and instant
// messages meet. A payload's hash decides its content, as in life.
func drawMessage(t *rapid.T) message {
	m := message{
		Client:   byte(rapid.IntRange(1, 2).Draw(t, "client")),
		Serial:   uint64(rapid.IntRange(0, 4).Draw(t, "serial")),
		Received: int64(rapid.IntRange(0, 5).Draw(t, "received")),
	}
	payload := rapid.IntRange(0, 7).Draw(t, "payload")
	m.Hash = uint64(payload) * 0x9E3779B97F4A7C15
	m.Topic = uint32(300 + payload%2)
	m.TopicID = []string{"", "a"}[payload/2%2]
	m.State = uint32(payload)
	m.TimeUS = int64(payload/4) * 1000
	return m
}

func TestCurrentStatesFollowTheRulesMergedOrNot(t *testing.T) {
	storetest.Checks(t, 30)
	s := storetest.New(t)
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		exec(t, s, "TRUNCATE TABLE state_messages", "TRUNCATE TABLE current_states_data",
			"TRUNCATE TABLE instant_states_data", "SYSTEM STOP MERGES")
		var all []message
		for range rapid.IntRange(1, 4).Draw(rt, "inserts") {
			batch := rapid.SliceOfN(rapid.Custom(drawMessage), 1, 12).Draw(rt, "batch")
			insert(rt, ctx, s, batch...)
			all = append(all, batch...)
		}
		want := model(all)
		if got := currentStates(rt, ctx, s, ""); !slices.Equal(got, want) {
			rt.Fatalf("not merged:\n%v, want\n%v", got, want)
		}
		if got := currentStates(rt, ctx, s, "WHERE client_id = 'f1000000-0000-0000-0000-000000000001'"); !slices.Equal(got,
			of(want, 1)) {
			rt.Fatalf("one client, not merged:\n%v, want\n%v", got, of(want, 1))
		}
		exec(t, s, "SYSTEM START MERGES", "OPTIMIZE TABLE current_states_data FINAL",
			"OPTIMIZE TABLE instant_states_data FINAL", "OPTIMIZE TABLE state_messages FINAL")
		if got := currentStates(rt, ctx, s, ""); !slices.Equal(got, want) {
			rt.Fatalf("merged:\n%v, want\n%v", got, want)
		}
	})
}

func of(all []state, client byte) []state {
	return slices.DeleteFunc(slices.Clone(all), func(s state) bool { return s.Client != client })
}

func TestCurrentStatesOfPlainCases(t *testing.T) {
	base := message{Client: 1, Serial: 5, Topic: 500, TopicID: "u", State: 1, TimeUS: 1000, Hash: 10, Received: 50}
	with := func(f func(*message)) message {
		m := base
		f(&m)
		return m
	}
	tests := []struct {
		name string
		rows []message
		want state
	}{
		{"the greater serial wins, whatever the clocks say",
			[]message{with(func(m *message) { m.Serial, m.State, m.TimeUS, m.Hash = 6, 2, 0, 11 }),
				with(func(m *message) { m.TimeUS, m.Received = 9_000_000, 99 })},
			state{1, 500, "u", 2, 0, 50, 6}},
		{"a repeat shows its first arrival",
			[]message{with(func(m *message) { m.Received = 90 }), base, with(func(m *message) { m.Received = 70 })},
			state{1, 500, "u", 1, 1, 50, 5}},
		{"of two messages under one serial the later time wins",
			[]message{with(func(m *message) { m.State, m.TimeUS, m.Hash = 3, 2000, 1 }), base},
			state{1, 500, "u", 3, 2, 50, 5}},
		{"then the greater hash",
			[]message{with(func(m *message) { m.State, m.Hash = 3, 9 }), base},
			state{1, 500, "u", 1, 1, 50, 5}},
		{"a numbered message wins over an instant one that came later",
			[]message{with(func(m *message) { m.Serial, m.State, m.Received, m.TimeUS, m.Hash = 0, 4, 999, 9_000_000, 12 }),
				base},
			state{1, 500, "u", 1, 1, 50, 5}},
		{"of instant messages the one that arrived last wins",
			[]message{with(func(m *message) { m.Serial, m.State, m.Hash = 0, 4, 12 }),
				with(func(m *message) { m.Serial, m.State, m.Received, m.TimeUS = 0, 5, 60, 0 })},
			state{1, 500, "u", 5, 0, 60, 0}},
		{"a repeat of an older instant message does not make it the latest",
			[]message{with(func(m *message) { m.Serial, m.Hash, m.State = 0, 12, 4 }),
				with(func(m *message) { m.Serial, m.State, m.Received = 0, 5, 60 }),
				with(func(m *message) { m.Serial, m.Hash, m.State, m.Received = 0, 12, 4, 70 })},
			state{1, 500, "u", 5, 1, 60, 0}},
		{"the greatest serial allowed",
			[]message{with(func(m *message) { m.Serial, m.State, m.Hash = 1<<62, 8, 1<<64-1 }), base},
			state{1, 500, "u", 8, 1, 50, 1 << 62}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := storetest.New(t)
			for _, m := range tt.rows { // a part each
				insert(t, t.Context(), s, m)
			}
			if got := currentStates(t, t.Context(), s, ""); len(got) != 1 || got[0] != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

package policies

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"statewire/collections"
	"statewire/smx"
	"statewire/smx/policy"
)

// client is the test's n-th machine.
func client(n int) smx.ClientID {
	return smx.ClientID{0: 0xC1, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// today is when the tests take place.
var today = time.Now().UTC().Truncate(time.Hour)

// asked are the resyncs that are asked of clients.
type asked map[smx.ClientID]*policy.Resync

func (a asked) Asked(poll smx.Poll) (*policy.Resync, error) { return a[poll.Client], nil }

func TestAPolicyMergesTheClientsCollections(t *testing.T) {
	c := client(1)
	members := []smx.ClientID{c}
	s := New(Deps{Collections: collections.New(nil, nil, nil), Resyncs: asked{}})
	s.setRules([]rule{
		{Settings: Settings{SendInterval: time.Hour,
			Topics: []policy.Topic{{Type: 500, Paused: true}, {Type: 600, Interval: time.Hour}}}, members: members},
		{Settings: Settings{SendInterval: time.Minute, PolicyInterval: time.Minute, Relay: "https://b",
			Topics: []policy.Topic{{Type: 400, Paused: true}, {Type: 500}}}, members: members},
		{Settings: Settings{Notifier: "elsewhere:1"}, members: []smx.ClientID{client(2)}},
		{Settings: Settings{SendInterval: time.Second, PolicyInterval: time.Second, Relay: "https://c",
			Notifier: "n:1"}, members: members},
		{Settings: Settings{Notifier: "m:1"}, members: members},
	})
	got, err := s.answer(smx.Poll{Client: c})
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Document{
		Client: c, SendInterval: time.Hour, PolicyInterval: time.Minute, Relay: "https://b", Notifier: "n:1",
		Topics: []policy.Topic{{Type: 400, Paused: true}, {Type: 500, Paused: true}, {Type: 600, Interval: time.Hour}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("merged to %v, want %v", got, want)
	}
}

// Three policies over 300,000 clients and 1,000 outstanding resyncs: what a service holds, and what a poll costs.
func TestTheCacheIsSmall(t *testing.T) {
	const clients = 300_000
	before := heap()
	s := benchService(clients)
	held := heap() - before
	t.Logf("%d bytes for %d clients", held, clients)
	if most := int64(3*clients*16 + 4<<20); held > most {
		t.Errorf("holds %d bytes, more than %d", held, most)
	}
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func benchService(clients int) *Service {
	all := asked{}
	s := New(Deps{Collections: collections.New(nil, nil, nil), Resyncs: all})
	var members []smx.ClientID
	for n := range clients {
		members = append(members, client(n))
	}
	slices.SortFunc(members, smx.ClientID.Compare)
	s.setRules([]rule{
		{Settings: Settings{SendInterval: time.Hour}, members: slices.Clip(members)},
		{Settings: Settings{Relay: "https://b"}, members: slices.Clone(members)},
		{Settings: Settings{Topics: []policy.Topic{{Type: 500, Paused: true}}}, members: slices.Clone(members)},
	})
	for n := range 1000 {
		all[client(n*7)] = &policy.Resync{Number: 1, Issued: today, NextSerial: 9, Reason: "missing"}
	}
	return s
}

func BenchmarkPoll(b *testing.B) {
	s := benchService(300_000)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if _, _, err := s.Policy(b.Context(), smx.Poll{Client: client(n % 300_000), LastSerial: 9}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestAPolicySaysWhomToBelieve(t *testing.T) {
	s := New(Deps{Collections: collections.New(nil, nil, nil), Resyncs: asked{}})
	s.setRules([]rule{})
	for _, trust := range []*policy.Trust{nil, {CA: []byte("one")}, {CA: []byte("one"), Document: []byte("{}")}} {
		s.Believe(trust)
		if got, err := s.answer(smx.Poll{Client: client(1)}); err != nil || got.Trust != trust {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

package resync

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/smx/policy"
)

func TestAPolicyMergesTheClientsCollections(t *testing.T) {
	c := client(1)
	members := []smx.ClientID{c}
	d := newDesk()
	d.open()
	d.setRules([]rule{
		{PolicySettings: PolicySettings{SendInterval: time.Hour, Topics: []policy.Topic{{Type: 500, Paused: true}, {Type: 600, Interval: time.Hour}}}, members: members},
		{PolicySettings: PolicySettings{SendInterval: time.Minute, PolicyInterval: time.Minute, Relay: "https://b", Topics: []policy.Topic{{Type: 400, Paused: true}, {Type: 500}}}, members: members},
		{PolicySettings: PolicySettings{Notifier: "elsewhere:1"}, members: []smx.ClientID{client(2)}},
		{PolicySettings: PolicySettings{SendInterval: time.Second, PolicyInterval: time.Second, Relay: "https://c", Notifier: "n:1"}, members: members},
		{PolicySettings: PolicySettings{Notifier: "m:1"}, members: members},
	})
	got, err := d.answer(smx.Poll{Client: c}, today)
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

func TestWhatCouldNotBeStoredIsKept(t *testing.T) {
	d := newDesk()
	d.open()
	d.add([]resync{{client: client(1), number: 3}})
	for n := range 3 {
		if _, err := d.answer(smx.Poll{Client: client(n), LastSerial: 5}, today); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.answer(smx.Poll{Client: client(3), LastSerial: 5_000_000}, today); err != nil {
		t.Fatal(err)
	}
	claims, pickups := d.take()
	for _, c := range []int{2, 3} {
		if _, err := d.answer(smx.Poll{Client: client(c), LastSerial: 6}, today); err != nil {
			t.Fatal(err)
		}
	}
	if dropped := d.giveBack(claims, pickups); dropped != 0 {
		t.Errorf("dropped %d", dropped)
	}
	claims, pickups = d.take()
	if c := claims[client(3)]; c.LastSerial != 6 || c.high != 5_000_000 {
		t.Errorf("the claim after a greater one is %+v", c)
	}
	if len(claims) != 4 || claims[client(2)].LastSerial != 6 || len(pickups) != 1 || pickups[0].number != 3 {
		t.Errorf("claims %v, pickups %v", claims, pickups)
	}
}

func TestNothingIsAnsweredBeforeTheStoreWasRead(t *testing.T) {
	if _, err := newDesk().answer(smx.Poll{Client: client(1)}, today); err != ErrNotReady {
		t.Errorf("answered: %v", err)
	}
}

// Three policies over 300,000 clients and 1,000 outstanding resyncs: what a desk holds, and what a poll costs.
func TestTheDeskIsSmall(t *testing.T) {
	const clients = 300_000
	before := heap()
	s := benchDesk(clients)
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

func benchDesk(clients int) *Service {
	s := newService(DefaultConfig(), Deps{}, slog.New(slog.DiscardHandler))
	var members []smx.ClientID
	for n := range clients {
		members = append(members, client(n))
	}
	slices.SortFunc(members, compareClients)
	s.desk.setRules([]rule{
		{PolicySettings: PolicySettings{SendInterval: time.Hour}, members: slices.Clip(members)},
		{PolicySettings: PolicySettings{Relay: "https://b"}, members: slices.Clone(members)},
		{PolicySettings: PolicySettings{Topics: []policy.Topic{{Type: 500, Paused: true}}}, members: slices.Clone(members)},
	})
	var asked []resync
	for n := range 1000 {
		asked = append(asked, resync{client: client(n * 7), number: 1, issued: today, next: 9, reason: gaps.Missing})
	}
	s.desk.add(asked)
	s.desk.open()
	return s
}

func BenchmarkPoll(b *testing.B) {
	s := benchDesk(300_000)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if _, _, err := s.Policy(b.Context(), smx.Poll{Client: client(n % 300_000), LastSerial: 9}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package channel

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleepAndOtherNetworksAreNoticed(t *testing.T) {
	const slept, moved = "the machine slept", "the machine's addresses changed"
	home := []string{"10.0.0.7"}
	for _, tt := range []struct {
		name   string
		change func(m *moment)
		want   []string
	}{
		{"nothing happens", func(*moment) {}, nil},
		{"the clock that goes on in sleep is ahead", func(m *moment) { m.boot += time.Hour }, []string{slept}},
		{"only the wall clock tells", func(m *moment) { m.wall = m.wall.Add(time.Hour) }, []string{slept}},
		{"the steady clock goes on in sleep", func(m *moment) { m.steady += time.Hour; m.wall = m.wall.Add(time.Hour) },
			[]string{slept}},
		{"the wall clock is set back", func(m *moment) { m.wall = m.wall.Add(-time.Hour) }, nil},
		{"the wall clock is set right", func(m *moment) { m.wall = m.wall.Add(10 * time.Second) }, nil},
		{"another network", func(m *moment) { m.addresses = []string{"192.168.1.2"} }, []string{moved}},
		{"a network more", func(m *moment) { m.addresses = append([]string{"10.0.0.7"}, "10.8.0.2") }, []string{moved}},
		{"no network", func(m *moment) { m.addresses = []string{} }, []string{moved}},
		{"the addresses are not known", func(m *moment) { m.addresses = nil }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				began, off := time.Now(), moment{wall: time.Now(), addresses: home}
				read := func(fn func(m moment)) { mu.Lock(); defer mu.Unlock(); fn(off) }
				m := Machine{
					Steady: func() (d time.Duration) { read(func(m moment) { d = m.steady + time.Since(began) }); return },
					Boot:   func() (d time.Duration) { read(func(m moment) { d = m.boot + time.Since(began) }); return },
					Wall: func() (at time.Time) {
						read(func(m moment) { at = m.wall.Add(time.Since(began)).Round(0) })
						return
					},
					Addresses: func() (a []string) { read(func(m moment) { a = m.addresses }); return },
				}
				var got []string
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				go Watch(ctx, m, func(reason string) { got = append(got, reason) })
				time.Sleep(time.Minute)
				mu.Lock()
				tt.change(&off)
				mu.Unlock()
				time.Sleep(watchInterval)
				synctest.Wait()
				if !slices.Equal(got, tt.want) {
					t.Errorf("noticed %q within %v, want %q", got, watchInterval, tt.want)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if len(got) > len(tt.want) {
					t.Errorf("noticed again: %q", got)
				}
			})
		})
	}
}

// Addresses that cannot be read for a while hide no change: the last ones that were known count.
func TestAddressesThatAreNotKnownHideNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := [][]string{{"10.0.0.7"}, {"10.0.0.7"}, nil, nil, {"10.0.0.7"}, nil, {"192.168.1.2"}}
		look, got := 0, map[int]string{}
		m := Machine{Boot: func() time.Duration { return 0 }, Addresses: func() []string {
			look++
			return looks[min(look, len(looks))-1]
		}}
		ctx, stop := context.WithCancel(t.Context())
		go Watch(ctx, m, func(reason string) { got[look] = reason })
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		if len(got) != 1 || got[7] != "the machine's addresses changed" {
			t.Errorf("noticed %v, want the change at look 7", got)
		}
	})
}

func TestThisMachineHasClocksAndAddresses(t *testing.T) {
	m := Machine{}.orThis()
	a := m.moment()
	b := m.moment()
	if b.steady < a.steady || b.boot < a.boot || b.wall.IsZero() || a.addresses == nil || b.since(a) != "" {
		t.Errorf("%+v, then %+v", a, b)
	}
}

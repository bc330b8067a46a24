package ingest

import (
	"testing"
	"time"
)

// The first message after a rest waits for nobody. Of a stream that does not end each batch waits longer, up to the
// longest.
func TestOnlyAStreamWaits(t *testing.T) {
	const second = time.Second
	stream := []time.Duration{second / 4, second / 2, second, 2 * second, 4 * second, 4 * second}
	for _, tt := range []struct {
		name   string
		rested time.Duration // before each batch
		drains bool
		waits  []time.Duration
	}{
		{"a stream", 0, false, stream},
		{"one every two seconds", 2 * second, false, stream},
		{"one now and then", 2*second + 1, false, []time.Duration{0, 0, 0}},
		{"a drain", 0, true, []time.Duration{second, second, second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pace{longest: 4 * second, drains: tt.drains}
			for n, want := range tt.waits {
				p.begin(tt.rested)
				if got := p.current(); got != want {
					t.Errorf("batch %d waits %v, want %v", n+1, got, want)
				}
			}
			if p.begin(time.Minute); !tt.drains && p.current() != 0 {
				t.Errorf("after a rest a message waits %v", p.current())
			}
		})
	}
}

// Claiming, reading and gathering together wait no longer than the longest.
func TestAWaitIncludesTheClaim(t *testing.T) {
	p := pace{longest: 4 * time.Second}
	for _, wait := range []time.Duration{time.Second, 4 * time.Second} {
		p.wait.Store(int64(wait))
		if all := p.breath() + p.due(0); all != wait {
			t.Errorf("of a wait of %v, %v", wait, all)
		}
		if got := p.due(wait / 2); got != wait/4 {
			t.Errorf("%v after half of %v", got, wait)
		}
	}
	if p.wait.Store(0); p.due(0) != 0 || p.breath() > 100*time.Millisecond {
		t.Errorf("at rest a message waits %v and %v", p.due(0), p.breath())
	}
}

func TestWithoutADelayNothingWaits(t *testing.T) {
	p := pace{}
	for range 10 {
		p.begin(0)
		if p.current() != 0 || p.breath() != 0 {
			t.Errorf("waits %v and %v", p.current(), p.breath())
		}
	}
}

package fleet

import (
	"context"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent/transport"
	"statewire/smx"
)

// TestLargeFleetIsBounded runs thousands of clients and watches goroutines and memory.
func TestLargeFleetIsBounded(t *testing.T) {
	if os.Getenv("STATEWIRE_TEST_LONG") == "" {
		t.Skip("ten seconds of processor time: make long")
	}
	const bytesPerClient = 26 << 10
	cfg := testFleet(3_000)
	cfg.PatchDay, cfg.Senders = time.Hour, 8
	before := liveBytes()
	relay := &counter{}
	var f *Fleet
	synctest.Test(t, func(t *testing.T) {
		f = makeFleet(t, cfg, relay)
		goroutines := runtime.NumGoroutine()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		go func() {
			time.Sleep(4 * time.Minute)
			if n := runtime.NumGoroutine() - goroutines; n > cfg.Senders+8 {
				t.Errorf("%d goroutines for %d senders", n, cfg.Senders)
			}
		}()
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	used := liveBytes() - before
	t.Logf("%d reports; %d KiB for %d clients", relay.posts.Load(), used>>10, cfg.Clients)
	if used > bytesPerClient*uint64(cfg.Clients) {
		t.Errorf("%d KiB for %d clients", used>>10, cfg.Clients)
	}
	runtime.KeepAlive(f)
}

func liveBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// counter takes every report and looks at none.
type counter struct{ posts atomic.Int64 }

func (c *counter) Policy(context.Context, smx.Poll, string) transport.PolicyAnswer {
	return transport.PolicyAnswer{Outcome: transport.Idle, Status: 304}
}

func (c *counter) Post(context.Context, []byte) transport.Answer {
	c.posts.Add(1)
	return transport.Answer{Outcome: transport.Accepted}
}

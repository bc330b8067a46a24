package manager

import (
	"os"
	"testing"
	"time"
)

// A task for 250,000 clients is taken, and each of them needs little memory.
func TestATaskForAQuarterOfAMillion(t *testing.T) {
	n := 5_000
	if os.Getenv("STATEWIRE_TEST_LONG") != "" {
		n = 250_000
	}
	b := tasksBench(t, 0)
	targets := upTo(n)
	before := heap()
	began := time.Now()
	s := b.create(admin, Order{Name: "Event", Clients: targets, Expect: n})
	took := time.Since(began)
	each := float64(heap()-before) / float64(n)
	t.Logf("%d clients: queued in %v, %.0f bytes of memory each", n, took.Round(time.Millisecond), each)
	if s.Counts.Offline != n || each > 400 {
		t.Errorf("%+v, %.0f bytes each", s.Counts, each)
	}
	began = time.Now()
	b.restart()
	t.Logf("read in %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if s, err := b.Cancel(t.Context(), admin, "1", ""); err != nil || s.Counts.Cancelled != n || b.openSteps > 0 {
		t.Errorf("%+v, %v", s.Counts, err)
	}
	t.Logf("cancelled in %v", time.Since(began).Round(time.Millisecond))
}

package ingest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"statewire/smx"
)

func TestRunsNeverForgetASerial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, client := newRuns(), smx.ClientID{1}
		seen := map[uint64]bool{0: true}
		if rapid.Bool().Draw(t, "restarted") {
			last := rapid.Uint64Range(0, 20).Draw(t, "last")
			r.startAt(client, last)
			for n := range last + 1 {
				seen[n] = true
			}
		}
		trimmed := false
		for range rapid.IntRange(1, 300).Draw(t, "serials") {
			serial := rapid.Uint64Range(0, 300).Draw(t, "serial")
			c := r.of(client)
			fresh := c.add(serial)
			if fresh && seen[serial] {
				t.Fatalf("serial %d is taken for new again", serial)
			}
			if !fresh && !seen[serial] && !trimmed {
				t.Fatalf("serial %d is suspected, though no gap was forgotten", serial)
			}
			trimmed = trimmed || len(c.below) == runsPerClient-1 // a gap may have been
			seen[serial] = true
			r.keep(client, c)
			checkRuns(t, c)
		}
	})
}

func checkRuns(t *rapid.T, c clientRuns) {
	if len(c.below) >= runsPerClient {
		t.Fatalf("%d runs are kept", len(c.below))
	}
	all := append(slices.Clone(c.below), c.top)
	for i, at := range all {
		if at.First > at.Last || i > 0 && at.First <= all[i-1].Last+1 {
			t.Fatalf("runs %v are not apart and ascending", all)
		}
	}
}

// A message without a serial says nothing of the serials of its report.
func TestSerialBounds(t *testing.T) {
	for _, tc := range []struct {
		serials   []uint64
		low, high uint64
	}{{nil, 0, 0}, {[]uint64{0, 0}, 0, 0}, {[]uint64{7}, 7, 7}, {[]uint64{0, 7, 3, 0}, 3, 7}, {[]uint64{9, 0}, 9, 9}} {
		if low, high := serialBounds(tc.serials); low != tc.low || high != tc.high {
			t.Errorf("%v: %d to %d, want %d to %d", tc.serials, low, high, tc.low, tc.high)
		}
	}
}

package gaps

import (
	"fmt"
	"testing"

	"statewire/internal/serials"
)

// A range keeps the earliest detection of all it was, whatever order they lie in and however they overlap.
func TestARangeThatJoinsKeepsTheEarliestDetection(t *testing.T) {
	open := func(first, last uint64, detected int64) openRange {
		return openRange{Run: run(first, last), detected: detected}
	}
	for _, tt := range []struct {
		name    string
		missing []serials.Run
		open    []openRange
		want    string
	}{
		{"the first is the earliest", []serials.Run{run(1, 9)}, []openRange{open(1, 3, 5), open(5, 9, 7)}, "[5]"},
		{"the last is", []serials.Run{run(1, 9)}, []openRange{open(1, 3, 7), open(5, 9, 5)}, "[5]"},
		{"one in the middle, overlapped by both", []serials.Run{run(1, 9)},
			[]openRange{open(1, 6, 7), open(3, 5, 4), open(4, 9, 6)}, "[4]"},
		{"a short one behind a long one", []serials.Run{run(1, 2), run(8, 9)},
			[]openRange{open(1, 9, 7), open(2, 3, 4)}, "[4 7]"},
		{"one that only touches", []serials.Run{run(4, 6)}, []openRange{open(1, 3, 1), open(7, 9, 2)}, "[99]"},
		{"one serial in common at either end", []serials.Run{run(4, 6)}, []openRange{open(1, 4, 8), open(6, 9, 3)},
			"[3]"},
		{"a later detection than the check's own", []serials.Run{run(4, 6)}, []openRange{open(4, 6, 120)}, "[120]"},
	} {
		var got []int64
		for _, r := range reconcile(tt.missing, tt.open, 99) {
			got = append(got, r.detected)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: detected at %v, want %v", tt.name, got, tt.want)
		}
	}
}

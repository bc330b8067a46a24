package resync

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"statewire/smx"
)

// Spans are held against sets of serials.
func TestSubtractAgreesWithSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := normal(spansOf(drawRuns(t, "from")))
		away := spansOf(drawRuns(t, "away"))
		left, taken := map[uint64]bool{}, serialsIn(away)
		for serial := range serialsIn(from) {
			if !taken[serial] {
				left[serial] = true
			}
		}
		rest := subtract(from, away)
		if got := serialsIn(rest); len(got) != len(left) || !sameKeys(got, left) {
			t.Fatalf("%v without %v is %v", from, away, rest)
		}
		if !slices.IsSortedFunc(rest, func(a, b span) int { return int(a.first) - int(b.last) }) {
			t.Fatalf("%v is not in order", rest)
		}
	})
}

func TestNothingOverflowsAtTheGreatestSerial(t *testing.T) {
	all := []span{{1, smx.MaxSerial}}
	if got := subtract(all, []span{{1, smx.MaxSerial}}); got != nil {
		t.Errorf("all without all is %v", got)
	}
	if got := subtract(all, []span{{smx.MaxSerial, 1<<64 - 1}}); !slices.Equal(got, []span{{1, smx.MaxSerial - 1}}) {
		t.Errorf("all without the last is %v", got)
	}
}

func drawRuns(t *rapid.T, name string) []Run {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Run {
		first := rapid.Uint64Range(1, 40).Draw(t, "first")
		return Run{first, first + rapid.Uint64Range(0, 9).Draw(t, "more")}
	}), 0, 8).Draw(t, name)
}

// normal merges spans in order that overlap, as missing ranges never do.
func normal(spans []span) (out []span) {
	for _, s := range spans {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
		} else {
			out = append(out, s)
		}
	}
	return out
}

func serialsIn(spans []span) map[uint64]bool {
	set := map[uint64]bool{}
	for _, s := range spans {
		for serial := s.first; serial <= s.last; serial++ {
			set[serial] = true
		}
	}
	return set
}

func sameKeys(a, b map[uint64]bool) bool {
	for key := range a {
		if !b[key] {
			return false
		}
	}
	return true
}

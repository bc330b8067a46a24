package serials

import (
	"maps"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// greatest is the greatest serial that a client may use.
const greatest = 1 << 62

// Runs are held against sets of serials.
func TestRunsAgreeWithSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, away := Join(drawRuns(t, "from")), drawRuns(t, "away")
		slices.SortFunc(away, Compare)
		have, taken := setOf(from), setOf(away)
		left, both := map[uint64]bool{}, map[uint64]bool{}
		for serial := range have {
			if taken[serial] {
				both[serial] = true
			} else {
				left[serial] = true
			}
		}
		sameSet(t, "subtract", Subtract(from, away), left)
		sameSet(t, "intersect", Intersect(from, away), both)
		sameSet(t, "join", Join(away), taken)
		first, last := rapid.Uint64Range(0, 60).Draw(t, "first"), rapid.Uint64Range(0, 60).Draw(t, "last")
		missing := map[uint64]bool{}
		for serial := max(first, 1); serial <= last; serial++ {
			if !taken[serial] {
				missing[serial] = true
			}
		}
		sameSet(t, "missing", Missing(away, first, last), missing)
		if got := Count(from); got.Cmp(big.NewInt(int64(len(have)))) != 0 {
			t.Fatalf("%v counts %v, want %d", from, got, len(have))
		}
		for serial := range uint64(60) {
			run, ok := Find(from, serial)
			if ok != have[serial] || ok && !(run.Holds(serial) && slices.Contains(from, run)) {
				t.Fatalf("%d in %v: found %v, %v", serial, from, run, ok)
			}
		}
	})
}

func TestSerialsBecomeRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Uint64Range(0, 40), 0, 30).Draw(t, "serials")
		var appended []Run
		for _, serial := range list {
			appended = Append(appended, serial)
		}
		slices.Sort(list)
		var again []uint64
		for run := range Of(list) {
			for serial := run.First; serial <= run.Last; serial++ {
				again = append(again, serial)
			}
		}
		want := slices.DeleteFunc(list, func(serial uint64) bool { return serial == 0 })
		if !slices.Equal(again, want) {
			t.Fatalf("the runs of %v have %v", want, again)
		}
		sameSet(t, "append", Join(appended), setOf(Join(slices.Collect(Of(want)))))
		for range Of(want) {
			break // a caller may stop
		}
	})
}

func TestRunsOfSerials(t *testing.T) {
	for _, tt := range []struct {
		name    string
		serials []uint64
		want    []Run
	}{
		{"none", nil, nil},
		{"only messages without one", []uint64{0, 0}, nil},
		{"neighbours are one", []uint64{1, 2, 3}, []Run{{1, 3}}},
		{"a copy begins a run of its own", []uint64{2, 2, 3, 3}, []Run{{2, 2}, {2, 3}, {3, 3}}},
		{"gaps part them", []uint64{0, 1, 3, 4, greatest}, []Run{{1, 1}, {3, 4}, {greatest, greatest}}},
	} {
		if have := slices.Collect(Of(tt.serials)); !slices.Equal(have, tt.want) {
			t.Errorf("%s: have %v, want %v", tt.name, have, tt.want)
		}
	}
}

func TestSerialsAsTheyCome(t *testing.T) {
	var runs []Run
	for _, serial := range []uint64{1, 2, 3, 5, 5, 0, 4, 5} {
		runs = Append(runs, serial)
	}
	if want := []Run{{1, 3}, {5, 5}, {5, 5}, {4, 5}}; !slices.Equal(runs, want) {
		t.Errorf("have %v, want %v", runs, want)
	}
}

func TestNothingOverflowsAtTheGreatestSerial(t *testing.T) {
	all := []Run{{1, greatest}}
	if got := Subtract(all, []Run{{1, greatest}}); got != nil {
		t.Errorf("all without all is %v", got)
	}
	if got := Subtract(all, []Run{{greatest, 1<<64 - 1}}); !slices.Equal(got, []Run{{1, greatest - 1}}) {
		t.Errorf("all without the last is %v", got)
	}
	if got := Count([]Run{{1, greatest}, {1, greatest}, {1, greatest},
		{1, greatest}}); got.String() != "18446744073709551616" {
		t.Errorf("four times all is %v", got)
	}
}

func TestOnlyWhatIsMoreThanAMillionAboveJumps(t *testing.T) {
	for _, c := range []struct {
		serial, known uint64
		want          bool
	}{{Jump, 0, false}, {Jump + 1, 0, true}, {5, 9, false}, {greatest, greatest - Jump, false},
		{greatest, greatest - Jump - 1, true}} {
		if got := Jumps(c.serial, c.known); got != c.want {
			t.Errorf("%d above %d: %v", c.serial, c.known, got)
		}
	}
	for _, c := range []struct {
		missing Run
		seen    uint64
		want    bool
	}{
		{Run{11, 1_000_009}, 1_000_010, false}, // the serial above it is 1,000,000 above serial 10
		{Run{11, 1_000_010}, 1_000_011, true},
		{Run{11, 1_000_010}, 10, false}, // claimed: it ends with the claim
		{Run{11, 1_000_011}, 10, true},
	} {
		if got := c.missing.Below(Jump, c.seen); got != c.want {
			t.Errorf("%v with %d seen: %v", c.missing, c.seen, got)
		}
	}
}

func drawRuns(t *rapid.T, name string) []Run {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Run {
		first := rapid.Uint64Range(1, 40).Draw(t, "first")
		return Run{first, first + rapid.Uint64Range(0, 9).Draw(t, "more")}
	}), 0, 8).Draw(t, name)
}

func setOf(runs []Run) map[uint64]bool {
	set := map[uint64]bool{}
	for _, r := range runs {
		for serial := r.First; serial <= r.Last; serial++ {
			set[serial] = true
		}
	}
	return set
}

// sameSet fails unless runs in order, none of them empty, have exactly these serials.
func sameSet(t *rapid.T, what string, runs []Run, want map[uint64]bool) {
	t.Helper()
	n := uint64(0)
	for i, r := range runs {
		if r.First > r.Last || i > 0 && r.First <= runs[i-1].Last {
			t.Fatalf("%s: %v is not in order", what, runs)
		}
		n += r.Len()
	}
	if got := setOf(runs); n != uint64(len(got)) || !maps.Equal(got, want) {
		t.Fatalf("%s: %v, want %v", what, runs, slices.Sorted(maps.Keys(want)))
	}
}

// Package serials does arithmetic with runs of serial numbers. What it answers is exact up to the greatest serial a
// client may use: no count overflows, and no run that it returns is empty.
package serials

import (
	"cmp"
	"iter"
	"math/big"
	"slices"
)

// Jump is how far above the greatest serial known another one may be. What is farther has jumped: a message is stored
// and flagged, a claim is kept aside, a serial to continue from is declined.
const Jump = 1_000_000

// Jumps says whether a serial is too far above the greatest one known to be believed.
func Jumps(serial, known uint64) bool { return serial > known && serial-known > Jump }

// Run is serials without a gap, both ends included. Last is not below First, and a run never spans all 64 bits.
type Run struct{ First, Last uint64 }

// Len is how many serials the run has.
func (r Run) Len() uint64 { return r.Last - r.First + 1 }

// Holds says whether the run has the serial.
func (r Run) Holds(serial uint64) bool { return r.First <= serial && serial <= r.Last }

// Below says whether the run, which is missing, lies below a serial that is more than jump above the one before the
// run. seen is the greatest serial that arrived: what is missing above it was claimed, and ends with the claim itself.
func (r Run) Below(jump, seen uint64) bool {
	above := r.Last
	if above < seen {
		above++
	}
	return above-r.First >= jump
}

// Compare puts runs in the order of their first serials, then of their last.
func Compare(a, b Run) int {
	return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
}

// Of yields the runs of sorted serials, without serial 0, which is none. A serial that repeats begins a run of its own.
func Of(sorted []uint64) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		for i := 0; i < len(sorted); {
			at := Run{sorted[i], sorted[i]}
			for i++; i < len(sorted) && sorted[i] == at.Last+1; i++ {
				at.Last = sorted[i]
			}
			at.First = max(at.First, 1)
			if at.Last > 0 && !yield(at) {
				return
			}
		}
	}
}

// Append adds a serial to runs in the order in which serials come: the last run grows when the serial follows it.
// Serial 0 is none.
func Append(runs []Run, serial uint64) []Run {
	if n := len(runs); n > 0 && runs[n-1].Last+1 == serial {
		runs[n-1].Last = serial
		return runs
	}
	if serial == 0 {
		return runs
	}
	return append(runs, Run{serial, serial})
}

// Join is the serials of some runs as few runs in order: those that overlap or touch are one.
func Join(runs []Run) []Run {
	var joined []Run
	for _, r := range slices.SortedFunc(slices.Values(runs), Compare) {
		n := len(joined)
		if n > 0 && r.First <= joined[n-1].Last+1 {
			joined[n-1].Last = max(joined[n-1].Last, r.Last)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// Subtract is what of the runs in from lies in none of those in away. Both are in the order of Compare; those in away
// may overlap.
func Subtract(from, away []Run) (rest []Run) {
	for _, s := range from {
		next, done := s.First, false
		for _, w := range away {
			if w.First > s.Last {
				break
			}
			if w.Last < next {
				continue
			}
			if w.First > next {
				rest = append(rest, Run{next, w.First - 1})
			}
			if done = w.Last >= s.Last; done {
				break
			}
			next = w.Last + 1
		}
		if !done {
			rest = append(rest, Run{next, s.Last})
		}
	}
	return rest
}

// Intersect is what of the runs in a lies in some of those in b. Both are in the order of Compare; those in b may
// overlap.
func Intersect(a, b []Run) []Run { return Subtract(a, Subtract(a, b)) }

// Missing is what of the serials from first to last lies in none of the runs, which are in the order of Compare and may
// overlap. Serial 0 is never missing.
func Missing(arrived []Run, first, last uint64) []Run {
	first = max(first, 1)
	if first > last {
		return nil
	}
	return Subtract([]Run{{first, last}}, arrived)
}

// Find returns the run that holds a serial. The runs are in order and do not overlap.
func Find(runs []Run, serial uint64) (Run, bool) {
	at, _ := slices.BinarySearchFunc(runs, serial,
		func(r Run, serial uint64) int { return cmp.Compare(r.Last, serial) })
	if at == len(runs) || !runs[at].Holds(serial) {
		return Run{}, false
	}
	return runs[at], true
}

// Count is how many serials the runs have. A few runs may have more than 64 bits can count.
func Count(runs []Run) *big.Int {
	sum, n := new(big.Int), new(big.Int)
	for _, r := range runs {
		sum.Add(sum, n.SetUint64(r.Len()))
	}
	return sum
}

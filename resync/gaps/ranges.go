package gaps

import (
	"math/big"

	"statewire/internal/serials"
)

// arrived is what arrived of a client: its first and last serial, and what stands on both sides of each break. The zero
// value is a client of whom nothing did.
type arrived struct {
	first, last            uint64
	breakEnds, breakStarts []uint64
}

// known is what else is known of a client.
type known struct {
	claimed, floor      uint64
	openFirst, openLast []uint64
	openDetected        []int64
	openJump            []uint8
	checked             int64 // the newest version of the client's rows, in microseconds
}

// clientRanges is what one client's ranges follow from.
type clientRanges struct {
	arrived
	known
}

// missing are the serials from the floor to the greatest seen or claimed that did not arrive.
func (r *clientRanges) missing() (missing []serials.Run) {
	add := func(first, last uint64) {
		first = max(first, r.floor, 1)
		if first <= last {
			missing = append(missing, serials.Run{First: first, Last: last})
		}
	}
	if r.first > 1 {
		add(1, r.first-1)
	}
	for i := range r.breakEnds {
		add(r.breakEnds[i]+1, r.breakStarts[i]-1)
	}
	if r.claimed > r.last {
		add(r.last+1, r.claimed)
	}
	return missing
}

// late counts the serials of open ranges that arrived. Those below the floor were given up, or sent again under other
// serials; those above all that arrived were claimed, and are claimed no more.
func (r *clientRanges) late(missing []serials.Run) *big.Int {
	var waited []serials.Run
	for i, last := range r.openLast {
		last = min(last, r.last)
		if first := max(r.openFirst[i], r.floor); first <= last {
			waited = append(waited, serials.Run{First: first, Last: last})
		}
	}
	return serials.Count(serials.Subtract(waited, missing))
}

func (r *clientRanges) open() []openRange {
	out := make([]openRange, len(r.openFirst))
	for i := range out {
		out[i] = openRange{serials.Run{First: r.openFirst[i], Last: r.openLast[i]}, r.openDetected[i],
			r.openJump[i] == 1}
	}
	return out
}

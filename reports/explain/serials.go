package explain

import "statewire/internal/serials"

// parted parts missing runs into those that count and those below serials that jumped. seen is the greatest serial that
// arrived.
func parted(missing []serials.Run, seen uint64) (lost, jumps []serials.Run) {
	for _, m := range missing {
		if m.Below(serials.Jump, seen) {
			jumps = append(jumps, m)
		} else {
			lost = append(lost, m)
		}
	}
	return lost, jumps
}

// count is how many serials the runs have in all. They are a client's, which has less than 64 bits of them.
func count(runs []serials.Run) uint64 { return serials.Count(runs).Uint64() }

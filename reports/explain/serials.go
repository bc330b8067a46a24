package explain

import "slices"

// run is a run of serial numbers, both ends included.
type run struct{ first, last uint64 }

// length is how many serials a run has; a run never spans all 64 bits.
func (r run) length() uint64 { return r.last - r.first + 1 }

// missingRuns are the runs between floor and greatest that no arrived run holds. arrived is ascending and may overlap.
func missingRuns(arrived []run, floor, greatest uint64) []run {
	var missing []run
	next := max(1, floor)
	for _, a := range arrived {
		if a.first > greatest {
			break
		}
		if a.first > next {
			missing = append(missing, run{next, a.first - 1})
		}
		next = max(next, a.last+1)
	}
	if next <= greatest {
		missing = append(missing, run{next, greatest})
	}
	return missing
}

// serialJump is how far above the one before a serial may be; what is farther has jumped.
const serialJump = 1_000_000

// parted parts missing runs into those that count and those below serials that jumped. seen is the greatest serial
// that arrived: what is missing above it is claimed, and ends with the claim itself.
func parted(missing []run, seen uint64) (lost, jumps []run) {
	for _, m := range missing {
		above := m.last
		if above < seen {
			above++
		}
		if above-m.first >= serialJump {
			jumps = append(jumps, m)
		} else {
			lost = append(lost, m)
		}
	}
	return lost, jumps
}

// count is how many serials the runs have in all.
func count(runs []run) uint64 {
	var n uint64
	for _, r := range runs {
		n += r.length()
	}
	return n
}

// find returns the run that holds a serial.
func find(runs []run, serial uint64) (run, bool) {
	at, ok := slices.BinarySearchFunc(runs, serial, func(r run, serial uint64) int {
		switch {
		case r.last < serial:
			return -1
		case r.first > serial:
			return 1
		}
		return 0
	})
	if !ok {
		return run{}, false
	}
	return runs[at], true
}

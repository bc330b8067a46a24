package inbox

import "slices"

// Lane is one of the three queues of an inbox; a loader takes the high lane first, and of eight chunks one from each
// other.
type Lane uint8

// The lanes, in the order they are loaded.
const (
	High Lane = iota
	Normal
	Low

	lanes Lane = iota
)

var laneNames = [...]string{High: "high", Normal: "normal", Low: "low"}

// LaneFor maps a report's Priority to its lane: below 5 high, 5 or none normal, above 5 low.
func LaneFor(priority int, present bool) Lane {
	switch {
	case !present || priority == 5:
		return Normal
	case priority < 5:
		return High
	}
	return Low
}

// String is high, normal or low.
func (l Lane) String() string {
	if int(l) < len(laneNames) {
		return laneNames[l]
	}
	return "unknown"
}

// laneShare is how many chunks in a row hold at least one from every lane that never runs dry.
const laneShare = 8

// turns shares the chunks among the lanes. Resync answers travel in the low lane: were the high lane always first, a
// site whose other lanes never run dry would never read one.
type turns struct {
	passed [lanes]int // chunks of other lanes since the lane was last looked at
}

// order is in which the lanes are looked at for the next chunk: first those whose turn has come, the longest passed
// over first.
func (t *turns) order() []Lane {
	order := []Lane{High, Normal, Low}
	due := func(lane Lane) int {
		if t.passed[lane] <= laneShare-int(lanes) {
			return 0
		}
		return t.passed[lane]
	}
	slices.SortStableFunc(order, func(a, b Lane) int { return due(b) - due(a) })
	return order
}

// took notes that a lane was looked at, and whether the next chunk is of it.
func (t *turns) took(lane Lane, some bool) {
	t.passed[lane] = 0
	for other := range lanes {
		if some && other != lane {
			t.passed[other]++
		}
	}
}

package inbox

// Lane is one of the three queues of an inbox; a loader takes the high lane first.
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

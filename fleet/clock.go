package fleet

import "time"

// simulatedDay is the fleet's day: its clock's zero is the midnight at which the patch day begins.
const simulatedDay = 24 * time.Hour

// clock turns real time since Run began into simulated time since the patch day began, and back. It runs a simulated
// day in every real `day` while it is fast, and as fast as any clock afterwards.
type clock struct {
	from  time.Duration // simulated time at which Run began
	day   time.Duration // real time of 24 simulated hours
	fast  time.Duration // real time for which it runs fast
	start time.Time     // wall time at which Run began
}

func newClock(start time.Time, from, day, fast time.Duration) clock {
	return clock{from: from, day: day, fast: fast, start: start.UTC().Round(0).Truncate(time.Microsecond)}
}

// simulated is the simulated time, a real time after Run began.
func (c clock) simulated(after time.Duration) time.Duration {
	if after > c.fast {
		return c.end() + after - c.fast
	}
	return c.from + time.Duration(float64(after)*float64(simulatedDay)/float64(c.day))
}

// real is the real time since Run began at which a simulated time comes; 0 when it is over.
func (c clock) real(at time.Duration) time.Duration {
	if turn := c.end(); at > turn {
		return c.fast + at - turn
	}
	return max(0, time.Duration(float64(at-c.from)*float64(c.day)/float64(simulatedDay)))
}

// end is the simulated time at which the clock is no longer fast.
func (c clock) end() time.Duration { return c.simulated(c.fast) }

// at is the wall time of a simulated time: what the clients' clocks show then. They agree with the site's, or a scan of
// the patch day would lie before the moment at which the site first heard of an update, and say nothing of it. What
// came before Run began lies as far back as it was.
func (c clock) at(simulated time.Duration) time.Time {
	if simulated < c.from {
		return c.start.Add(simulated - c.from)
	}
	return c.start.Add(c.real(simulated))
}

// shown is the time of day on a simulated day that ends when the clock is no longer fast, for people.
func (c clock) shown(simulated time.Duration) time.Time {
	return c.start.Add(c.fast - c.end() + simulated)
}

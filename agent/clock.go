package agent

import "time"

// Clock tells a client the time. Wall clocks jump, by years when a battery is empty; so only the steady one measures
// intervals, and the wall clock only stamps what people read.
type Clock struct {
	Wall   func() time.Time
	Steady func() time.Duration // since some moment; never jumps, never goes back
}

// systemClock is the machine's.
func systemClock() Clock {
	began := time.Now()
	return Clock{Wall: time.Now, Steady: func() time.Duration { return time.Since(began) }}
}

func (c Clock) orSystem() Clock {
	system := systemClock()
	if c.Wall == nil {
		c.Wall = system.Wall
	}
	if c.Steady == nil {
		c.Steady = system.Steady
	}
	return c
}

// moment is one instant on both clocks.
type moment struct {
	wall   time.Time
	steady time.Duration
}

func (c Clock) moment() moment { return moment{c.Wall().Round(0), c.Steady()} }

// age is how long ago the wall clock showed a time, as far as that can be known after it jumped: began plus the steady
// time since then is what the clock would show had it not, and a time in the future was stamped by the other clock of
// the two.
func (c Clock) age(then time.Time, began moment) time.Duration {
	now := c.moment()
	jumped, straight := now.wall.Sub(then), began.wall.Add(now.steady-began.steady).Sub(then)
	if jumped < 0 || straight >= 0 && straight < jumped {
		jumped = straight
	}
	return max(0, jumped)
}

package fleet

import (
	"container/heap"
	"context"
	"time"
)

const (
	// keepEvery is the time between two notes of how far the fleet came.
	keepEvery = 2 * time.Second
	// lookEvery is the time between two looks whether the fleet has settled.
	lookEvery = 100 * time.Millisecond
	// settlePatience is how much longer than asked the fleet tries to bring its last states to the relay.
	settlePatience = 2 * time.Minute
)

// fill puts every client that will say something on the agenda.
func (f *Fleet) fill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = f.queue[:0]
	for _, c := range f.clients {
		c.queued, c.busy = false, false
		c.heed(time.Since(f.started))
		if c.due() < never {
			f.queue.Push(c)
		}
	}
	heap.Init(&f.queue)
}

// rest keeps wakes from touching clients until the next stage.
func (f *Fleet) rest() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.clients {
		c.busy = true
	}
}

// dispatch hands out clients as they fall due, until ctx ends or, from a real time on, every client has settled.
func (f *Fleet) dispatch(ctx context.Context, due chan<- *simulated, until time.Duration) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	kept := f.elapsed()
	for !f.over(until) {
		if now := f.elapsed(); !f.settling && now-kept > keepEvery {
			kept = now
			if err := f.keepTime(); err != nil {
				return err
			}
		}
		c, wait := f.head(until)
		if c != nil {
			select {
			case <-ctx.Done():
				return nil
			case due <- c:
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-timer.C:
		}
	}
	return nil
}

// over says whether the stage has nothing left to wait for.
func (f *Fleet) over(until time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if until == never {
		return false
	}
	late := time.Since(f.started) - until
	return late >= 0 && f.unsettled == 0 || late >= settlePatience
}

// head takes the client that is due, or says how long to wait for one.
func (f *Fleet) head(until time.Duration) (*simulated, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	longest := keepEvery
	if until < never {
		longest = lookEvery
	}
	if len(f.queue) == 0 {
		return nil, longest
	}
	wait := f.queue[0].due() - time.Since(f.started)
	f.behind = max(0, -wait)
	if wait > 0 {
		return nil, min(wait, longest)
	}
	c := heap.Pop(&f.queue).(*simulated)
	c.busy = true
	return c, 0
}

// step lets one client do what is due and puts it back on the agenda.
func (f *Fleet) step(ctx, sending context.Context, c *simulated) error {
	was := c.settled
	if err := c.act(ctx, sending); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case was && !c.settled:
		f.unsettled++
	case !was && c.settled:
		f.unsettled--
	}
	f.putBack(c)
	return nil
}

// putBack ends a client's work. Call it with mu held.
func (f *Fleet) putBack(c *simulated) {
	c.busy = false
	c.heed(time.Since(f.started))
	if c.due() < never {
		f.requeue(c)
	}
}

// agenda is a heap of clients by when they are due.
type agenda []*simulated

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if x, y := a[i].due(), a[j].due(); x != y {
		return x < y
	}
	return a[i].index < a[j].index
}
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}
func (a *agenda) Push(x any) {
	c := x.(*simulated)
	c.queued, c.place = true, len(*a)
	*a = append(*a, c)
}
func (a *agenda) Pop() any {
	last := len(*a) - 1
	c := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	c.queued = false
	return c
}

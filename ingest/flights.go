package ingest

import (
	"sync"
	"time"
)

// flights are the inserts on their way to the store. Rows carry the time at which their insert began, and can be read
// when it has ended: whoever asks for all rows since some time has to look back that far.
type flights struct {
	mu    sync.Mutex
	last  uint64               // Guarded by mu.
	began map[uint64]time.Time // Guarded by mu.
}

// begin notes an insert; what it returns notes the end.
func (f *flights) begin() (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began == nil {
		f.began = map[uint64]time.Time{}
	}
	f.last++
	number := f.last
	f.began[number] = time.Now()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.began, number)
	}
}

// InFlight is how long the oldest insert has been on its way; 0 when none is.
func (l *Loader) InFlight() time.Duration {
	l.flights.mu.Lock()
	defer l.flights.mu.Unlock()
	longest := time.Duration(0)
	for _, began := range l.flights.began {
		longest = max(longest, time.Since(began))
	}
	return longest
}

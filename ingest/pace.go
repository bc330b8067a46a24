package ingest

import (
	"sync/atomic"
	"time"
)

const (
	// claimsPerDelay is how often in a wait files are claimed when few come.
	claimsPerDelay = 4
	// firstShare is the part of the longest wait that the second of two reports in a row waits; the wait doubles from
	// there.
	firstShare = 16
	// drainWait is how long a drain gathers before it stores; it does not wait where no more is read.
	drainWait = time.Second
	// restShare is the part of the longest wait after which a loader that nothing came to is at rest.
	restShare = 2
)

// pace is how long a message waits for others to share its insert. The first after a rest waits for none. As long as
// more come the wait doubles, up to the longest: only a stream that does not end saves anything by waiting.
type pace struct {
	longest time.Duration // Constant, like drains.
	drains  bool          // all there is comes at once: larger inserts are done sooner
	wait    atomic.Int64  // nanoseconds
}

// begin sets the wait of a batch whose first message came after the loader had nothing to store for some time.
func (p *pace) begin(rested time.Duration) {
	wait := max(p.longest/firstShare, 2*p.current())
	if p.drains {
		wait = drainWait
	} else if rested > p.longest/restShare {
		wait = 0
	}
	p.wait.Store(int64(min(wait, p.longest)))
}

func (p *pace) current() time.Duration { return time.Duration(p.wait.Load()) }

// due is how long a batch waits that begins with a part of which the first file was read some time ago. What its files
// may have waited for their claim is taken off.
func (p *pace) due(age time.Duration) time.Duration {
	return max(0, p.current()-p.current()/claimsPerDelay-age)
}

// breath is how long claiming pauses after a claim that took all there was: each is a durable list, however few files
// are in it.
func (p *pace) breath() time.Duration {
	return max(p.longest/firstShare, p.current()) / claimsPerDelay
}

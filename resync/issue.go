package resync

import (
	"time"

	"statewire/smx"
)

// Why a client is asked, in the order in which reasons are served.
const (
	reasonRequested = "requested" // a person asked
	reasonConflict  = "conflict"  // two messages under one serial, or a serial that went back
	reasonDiffers   = "differs"   // nothing is missing, and yet the client holds other states
	reasonMissing   = "missing"   // serials are missing for longer than the minimum age
)

// Why a client is not asked yet.
const (
	heldUnread   = "unread"   // reports of it wait in an inbox
	heldUnknown  = "unknown"  // whose reports wait cannot be told
	heldInterval = "interval" // it was asked within the merge interval
	heldAge      = "age"      // nothing is missing for long enough
	heldBound    = "bound"    // max_outstanding clients owe an answer already
)

// holds are all of them.
var holds = [...]string{heldUnread, heldUnknown, heldBound, heldInterval, heldAge}

// want is a client that should be asked for a resync.
type want struct {
	client smx.ClientID
	reason string
	by     string    // who asked; empty for the check
	since  time.Time // what it is asked for is known since
	next   uint64    // the serial to continue from
	number uint32    // of its latest resync, 0 when there was none
	asked  time.Time // when that was issued; zero when there was none
}

// resync is one request to one client. Issuing the same number twice is issuing it once.
type resync struct {
	client smx.ClientID
	number uint32
	issued time.Time
	reason string
	by     string
	next   uint64

	expired bool // it is written down that it was not completed in time
}

// owing are the clients that were asked and have not completed, with the request.
type owing map[smx.ClientID]resync

// within counts those whose request is younger than the merge interval: the outstanding ones.
func (o owing) within(interval time.Duration, line timeline, now time.Time) int {
	n := 0
	for _, r := range o {
		if line.askedFor(r.issued, now) < interval {
			n++
		}
	}
	return n
}

// round decides, client by client, who is asked now. It reads no clock and no store.
type round struct {
	// Constant.
	now    time.Time
	line   timeline
	cfg    Config
	unread Unread
	owing  owing

	outstanding int
	issue       []resync
	decided     map[smx.ClientID]bool // asked by this round, or held though a person wants it asked
	held        map[string]int
}

func newRound(now time.Time, line timeline, cfg Config, unread Unread, owing owing) *round {
	return &round{now: now, line: line, cfg: cfg, unread: unread, owing: owing, decided: map[smx.ClientID]bool{}, held: map[string]int{},
		outstanding: owing.within(cfg.MergeInterval, line, now)}
}

// full says that looking further changes nothing: every place is taken, or nobody may be asked.
func (r *round) full() bool { return r.free() <= 0 || r.unread.Everybody }

// free is how many more clients may be asked.
func (r *round) free() int { return r.cfg.MaxOutstanding - r.outstanding }

// take asks the client, or says why not; empty when it is asked. Wants come in the order in which they are served; a client's
// first one counts.
func (r *round) take(w want) string {
	if r.decided[w.client] {
		return ""
	}
	hold := r.hold(w)
	if hold == "" || w.reason == reasonRequested {
		r.decided[w.client] = true
	}
	if hold != "" {
		r.held[hold]++
		return hold
	}
	if !r.owes(w.client) {
		r.outstanding++
	}
	r.issue = append(r.issue, resync{client: w.client, number: w.number + 1, issued: r.now, reason: w.reason, by: w.by, next: w.next})
	return ""
}

// hold is rule 7: why the client is not asked now. A person's request skips age and interval; a conflict and a difference skip
// the age.
func (r *round) hold(w want) string {
	switch {
	case w.reason != reasonRequested && !w.asked.IsZero() && r.line.askedFor(w.asked, r.now) < r.cfg.MergeInterval:
		return heldInterval
	case w.reason == reasonMissing && r.line.missingFor(w.since, r.now) < r.cfg.MinMissingMessageAge:
		return heldAge
	case r.unread.Everybody:
		return heldUnknown
	case r.unread.holds(w.client):
		return heldUnread
	case r.free() <= 0 && !r.owes(w.client):
		return heldBound
	}
	return ""
}

// owes says whether the client has a place among the outstanding ones already; asking it again takes no other.
func (r *round) owes(client smx.ClientID) bool {
	have, ok := r.owing[client]
	return ok && r.line.askedFor(have.issued, r.now) < r.cfg.MergeInterval
}
